"""What a pod takes from template, enclosing template and workflow beside its containers (POD-1, POD-3..8)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from actors.contract import paths
from actors.node.manifest_request import BadTemplate, PodRequest
from actors.node.patches import BadPatch, parse_patch, strategic_merge

BAD_PATCH = "Error applying PodSpecPatch"  # whatever is wrong with it
_INHERITED = ("nodeSelector", "affinity", "tolerations")  # template, else boundary, else workflow
_OVERRIDDEN = ("schedulerName", "securityContext", "resourceClaims")  # template, else workflow
_OURS = frozenset(
    {paths.SHIM_VOLUME, paths.SCRIPT_VOLUME, paths.INPUTS_VOLUME, paths.REPOSITORY_VOLUME, paths.TOKEN_VOLUME}
)
_EXECUTORS = (paths.INIT, paths.WAIT, "supervisor")  # the last is upstream's, where pods have no init container
_OF_WORKFLOW = ("hostNetwork", "dnsPolicy", "dnsConfig", "imagePullSecrets")
_NAMED = frozenset(
    {*_INHERITED, *_OVERRIDDEN, *_OF_WORKFLOW}
    | {"hostAliases", "priorityClassName", "podPriorityClassName", "podResources", "serviceAccountName"}
)


OF_PODS = _NAMED | {"volumes", "podMetadata", "podSpecPatch"}
"""What a pod takes from the spec of its workflow: here a tag may also name an input of the template, or the pod."""


def pod_fields(request: PodRequest) -> dict[str, Any]:
    """The pod spec without containers and volumes."""
    fields: dict[str, Any] = {"restartPolicy": "Never"}
    if not all(map(_NAMED.isdisjoint, (request.template, request.boundary, request.spec))):  # most say none of them
        _named(fields, request)
    _take(fields, "automountServiceAccountToken", _automount(request))
    _take(fields, "activeDeadlineSeconds", _active_deadline(request))
    return fields


def _named(fields: dict[str, Any], request: PodRequest) -> None:
    """What is taken over as it is written."""
    template, spec = request.template, request.spec
    for key in _INHERITED:
        _take(fields, key, template.get(key), request.boundary.get(key), spec.get(key))
    for key in _OVERRIDDEN:
        _take(fields, key, template.get(key), spec.get(key))
    for key in _OF_WORKFLOW:
        _take(fields, key, spec.get(key))
    _take(fields, "hostAliases", [*(spec.get("hostAliases") or ()), *(template.get("hostAliases") or ())])
    _take(fields, "priorityClassName", template.get("priorityClassName"), spec.get("podPriorityClassName"))
    _take(fields, "resources", template.get("podResources"), spec.get("podResources"))
    _take(fields, "serviceAccountName", template.get("serviceAccountName"), spec.get("serviceAccountName"))


def pod_volumes(
    request: PodRequest, spec: Mapping[str, Any], secrets: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The template's volumes, and of the workflow's, of claims and of ours those that the containers of `spec` mount
    (VOL-1): a podSpecPatch may still mount one of the template's.

    `secrets` are the volumes of the stores' credentials, by name."""
    mounted, ours = _mounted(spec), _OURS | secrets.keys()
    claims = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in request.claims]
    own: Sequence[Mapping[str, Any]] = request.template.get("volumes") or ()
    offered: dict[str, Mapping[str, Any]] = {}
    for volume in [*own, *(request.spec.get("volumes") or ()), *claims]:
        name = str(volume.get("name", ""))
        if name in ours:
            raise BadTemplate(f"volumes: {name!r} is a name that every workflow pod needs for itself: choose another")
        offered.setdefault(name, volume)
    _judge_mounts(request.template, offered.keys() | ours)
    named = {str(volume.get("name", "")) for volume in own}
    users = [dict(volume) for volume in own]
    users += [dict(volume) for name, volume in offered.items() if name in mounted - named]
    if mounted.isdisjoint(ours):
        return users
    made = _made(request) | secrets
    return users + [dict(volume) for name, volume in made.items() if name in mounted]


def patched(request: PodRequest, spec: dict[str, Any]) -> dict[str, Any]:
    """The finished spec under the workflow's podSpecPatch, then the template's (POD-3); whatever they say, another
    attempt stays away from hosts of earlier ones (RTY-10)."""
    for where, text in (
        ("spec.podSpecPatch", request.spec.get("podSpecPatch")),
        (f"template {request.template.get('name', '')!r}: podSpecPatch", request.template.get("podSpecPatch")),
    ):
        if not text:
            continue
        try:
            spec = strategic_merge(spec, _of_sidecars(parse_patch(str(text), where), spec))
        except BadPatch as error:
            raise BadTemplate(BAD_PATCH) from error
        spec = _without_absent(spec)
    if request.avoid_hosts:
        spec = {**spec, "affinity": _away_from(spec.get("affinity"), request)}
    return spec


# ------------------------------------------------------------------------------------------------ inside


def _of_sidecars(patch: dict[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """A patch that finds sidecars where they are here: upstream's are containers, ours are native (SIDE-1)."""
    native = {one["name"] for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    entries = patch.get("containers") or []
    meant = [one for one in entries if one.get("name") in native]
    if not meant:
        return patch
    rest = {field: value for field, value in patch.items() if field != "containers"}
    others = [one for one in entries if one.get("name") not in native]
    more = {"containers": others} if others else {}
    return {**rest, **more, "initContainers": [*(patch.get("initContainers") or ()), *meant]}


def _without_absent(spec: dict[str, Any]) -> dict[str, Any]:
    """A patched spec without what was meant for a container of the executor that this pod has no need of.

    Upstream's pods all have `init` and `wait`, and patches for them are common; here they would be containers without
    an image, which no API server takes (POD-3)."""
    kept = dict(spec)
    for field in ("containers", "initContainers"):
        if field in kept:
            kept[field] = [one for one in kept[field] if one.get("name") not in _EXECUTORS or one.get("image")]
    return {field: value for field, value in kept.items() if field != "initContainers" or value}


def _take(fields: dict[str, Any], key: str, *candidates: Any) -> None:
    for value in candidates:
        if value not in (None, "", {}, []):
            fields[key] = value
            return


def _automount(request: PodRequest) -> bool | None:
    """Whether a token is mounted: as asked, else by policy only where a service account is named. None: as the cluster
    does by default. A resource template's token is a volume of its own."""
    policy = request.settings.main_token
    if request.template.get("resource") is not None or policy == "never":
        return False
    for holder in (request.template, request.spec):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    named = request.template.get("serviceAccountName") or request.spec.get("serviceAccountName")
    listing = request.template.get("data") is not None  # it talks to a store alone
    return None if (named and not listing) or policy == "always" else False


def _active_deadline(request: PodRequest) -> int | None:
    return request.active_deadline_s if request.active_deadline_s is not None else own_deadline_s(request.template)


def own_deadline_s(template: Mapping[str, Any]) -> int | None:
    """A template's `activeDeadlineSeconds`. Raises BadTemplate for what is no number."""
    text = template.get("activeDeadlineSeconds")
    if text is None:
        return None
    try:
        return int(str(text))
    except ValueError as error:
        raise BadTemplate(f"value '{text}' cannot be resolved to an int") from error


def _away_from(affinity: Mapping[str, Any] | None, request: PodRequest) -> dict[str, Any]:
    """A required node affinity that excludes the hosts of earlier attempts, in every alternative term (RTY-10)."""
    away = {"key": request.settings.host_name_label, "operator": "NotIn", "values": sorted(set(request.avoid_hosts))}
    merged = dict(affinity or {})
    node = dict(merged.get("nodeAffinity") or {})
    required = dict(node.get("requiredDuringSchedulingIgnoredDuringExecution") or {})
    terms: Sequence[Mapping[str, Any]] = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), away]} for term in terms
    ]
    node["requiredDuringSchedulingIgnoredDuringExecution"] = required
    return {**merged, "nodeAffinity": node}


def _judge_mounts(template: Mapping[str, Any], offered: Container[str]) -> None:
    """What the template's own containers mount is a volume of the template, of the workflow, or a claim."""
    kinds = [template.get(kind) or {} for kind in ("container", "script", "containerSet")]
    for holder in [*kinds, *(template.get("initContainers") or ()), *(template.get("sidecars") or ())]:
        for mount in holder.get("volumeMounts") or ():
            if mount.get("name") not in offered:
                raise BadTemplate(f"volume '{mount.get('name', '')}' not found in workflow spec")


def _mounted(spec: Mapping[str, Any]) -> set[str]:
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return {
        str(entry.get("name", ""))
        for container in every
        for entry in [*(container.get("volumeMounts") or ()), *(container.get("volumeDevices") or ())]
    }


def _made(request: PodRequest) -> dict[str, dict[str, Any]]:
    """The volumes of `_OURS`."""
    source = {"fieldPath": f"metadata.annotations['{paths.SOURCE_ANNOTATION}']"}
    script = {"defaultMode": 0o755, "items": [{"path": paths.SCRIPT_FILE, "fieldRef": source, "mode": 0o755}]}
    root = {"path": request.settings.repository_root, "type": "DirectoryOrCreate"}
    return {
        paths.SHIM_VOLUME: {"name": paths.SHIM_VOLUME, "emptyDir": {}},
        paths.SCRIPT_VOLUME: {"name": paths.SCRIPT_VOLUME, "downwardAPI": script},
        paths.INPUTS_VOLUME: {"name": paths.INPUTS_VOLUME, "emptyDir": {}},
        paths.REPOSITORY_VOLUME: {"name": paths.REPOSITORY_VOLUME, "hostPath": root},
        paths.TOKEN_VOLUME: {"name": paths.TOKEN_VOLUME, "projected": {"sources": _token_sources()}},
    }


def _token_sources() -> list[dict[str, Any]]:
    """What the API server's own admission would mount, for one container instead of all."""
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
