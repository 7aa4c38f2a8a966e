"""What a pod asks for that a node of processes does not do: said once on the pod, never silently ignored. Pure."""

from __future__ import annotations

from runtime.objects import Object

ENFORCED = ("memory",)
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def unhonoured(pod: Object, *, isolated: bool, any_user: bool) -> str:
    """One sentence about everything in the pod that is not honoured; empty if nothing.

    `isolated`: containers have a root of their own; `any_user`: they may run as any user."""
    spec = pod.get("spec") or {}
    whole = spec.get("securityContext") or {}
    remarks: list[str] = []
    for container in _containers(pod):
        name, own = container["name"], container.get("securityContext") or {}
        if own.get("privileged"):
            remarks.append(f"{name} is not privileged")
        user = own.get("runAsUser", whole.get("runAsUser"))
        if user and not (isolated and any_user):
            remarks.append(f"{name} runs as the user of the node, not as {user}")
        if own.get("readOnlyRootFilesystem"):
            remarks.append(f"the root of {name} can be written")
    remarks += of_network(pod)
    if spec.get("shareProcessNamespace") and isolated:
        remarks.append("its containers do not share processes")
    return "On this node of processes " + "; ".join(remarks) + "." if remarks else ""


def of_network(pod: Object) -> list[str]:
    """What follows from the one network that all pods share."""
    told: list[str] = []
    for container in _containers(pod):
        name = container["name"]
        told += [f"the {kind} of {name} only connects: the health protocol is not spoken" for kind in _grpc(container)]
        ports = [
            str(p["hostPort"])
            for p in container.get("ports") or ()
            if p.get("hostPort") not in (None, p["containerPort"])
        ]
        if ports:
            told.append(f"{name} has no host port of its own ({', '.join(ports)}): pods share the machine's network")
    return told


def unenforced(pod: Object, enforced: tuple[str, ...] = ENFORCED) -> set[str]:
    """The resources that the pod limits and that nobody here keeps it to."""
    limits = ((container.get("resources") or {}).get("limits") or () for container in _containers(pod))
    return {name for found in limits for name in found if name not in enforced}


def about_limits(names: set[str]) -> str:
    """One sentence about limits that are not kept; empty if there are none."""
    if not names:
        return ""
    return f"This node of processes enforces limits of memory only, not of {', '.join(sorted(names))}, for any pod."


def _containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _grpc(container: Object) -> list[str]:
    return [kind for kind in PROBES if "grpc" in (container.get(kind) or {})]
