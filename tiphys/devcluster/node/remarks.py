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
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        name, own = container["name"], container.get("securityContext") or {}
        if own.get("privileged"):
            remarks.append(f"{name} is not privileged")
        user = own.get("runAsUser", whole.get("runAsUser"))
        if user and not (isolated and any_user):
            remarks.append(f"{name} runs as the user of the node, not as {user}")
        remarks += [
            f"the {kind} of {name} only connects: the health protocol is not spoken" for kind in _grpc(container)
        ]
        if own.get("readOnlyRootFilesystem"):
            remarks.append(f"the root of {name} can be written")
        ports = [
            str(p["hostPort"])
            for p in container.get("ports") or ()
            if p.get("hostPort") not in (None, p["containerPort"])
        ]
        if ports:
            remarks.append(f"{name} has no host port of its own ({', '.join(ports)}): pods share the machine's network")
    if spec.get("shareProcessNamespace") and isolated:
        remarks.append("its containers do not share processes")
    return "On this node of processes " + "; ".join(remarks) + "." if remarks else ""


def unenforced(pod: Object) -> set[str]:
    """The resources that the pod limits and that nobody here keeps it to."""
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    limits = ((container.get("resources") or {}).get("limits") or () for container in containers)
    return {name for found in limits for name in found if name not in ENFORCED}


def about_limits(names: set[str]) -> str:
    """One sentence about limits that are not kept; empty if there are none."""
    if not names:
        return ""
    return f"This node of processes enforces limits of memory only, not of {', '.join(sorted(names))}, for any pod."


def _grpc(container: Object) -> list[str]:
    return [kind for kind in PROBES if "grpc" in (container.get(kind) or {})]
