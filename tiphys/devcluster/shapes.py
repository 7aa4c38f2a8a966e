"""Built-in objects whose fields have the wrong type are refused with the field's name.

Defaults and rules read objects as they should be; only when one of them stumbles is the object compared with its shape,
so that well-formed objects pay nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runtime.api import ApiError
from runtime.objects import Object
from tiphys.devcluster import errors, schema
from tiphys.devcluster.kinds import Kind

_TEXT: Object = {"type": "string"}
_MAP: Object = {"type": "object"}
_TEXTS: Object = {"type": "object", "additionalProperties": _TEXT}


def _list(items: Object) -> Object:
    return {"type": "array", "items": items}


def _object(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


_OWNERS = _list(_object(apiVersion=_TEXT, kind=_TEXT, name=_TEXT, uid=_TEXT))
_META = _object(
    name=_TEXT,
    generateName=_TEXT,
    namespace=_TEXT,
    labels=_TEXTS,
    annotations=_TEXTS,
    finalizers=_list(_TEXT),
    ownerReferences=_OWNERS,
)
_PROBE = _object(httpGet=_MAP, exec=_MAP, tcpSocket=_MAP)
_RESOURCES = _object(limits=_MAP, requests=_MAP)
_CONTAINER = _object(
    name=_TEXT,
    image=_TEXT,
    command=_list(_TEXT),
    args=_list(_TEXT),
    env=_list(_object(name=_TEXT, value=_TEXT, valueFrom=_MAP)),
    ports=_list(_MAP),
    resources=_RESOURCES,
    volumeMounts=_list(_MAP),
    livenessProbe=_PROBE,
    readinessProbe=_PROBE,
    startupProbe=_PROBE,
)
_VOLUME = _object(
    name=_TEXT, configMap=_MAP, secret=_MAP, projected=_MAP, downwardAPI=_object(items=_list(_object(fieldRef=_MAP)))
)
_POD_SPEC = _object(
    containers=_list(_CONTAINER),
    initContainers=_list(_CONTAINER),
    volumes=_list(_VOLUME),
    tolerations=_list(_MAP),
    activeDeadlineSeconds={"type": "integer"},
    terminationGracePeriodSeconds={"type": "integer"},
)
_STATUS = _object(conditions=_list(_MAP), containerStatuses=_list(_MAP), initContainerStatuses=_list(_MAP))
_LABELS = {"type": "object", "additionalProperties": _TEXT}
_TEMPLATED = _object(
    selector=_object(matchLabels=_LABELS, matchExpressions=_list(_MAP)),
    template=_object(metadata=_object(labels=_LABELS), spec=_POD_SPEC),
)
_SPECS: dict[str, Object] = {
    "Pod": _POD_SPEC,
    "Service": _object(ports=_list(_MAP), selector=_TEXTS),
    **dict.fromkeys(("Job", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet"), _TEMPLATED),
    "CustomResourceDefinition": _object(
        group=_TEXT,
        names=_object(plural=_TEXT, kind=_TEXT, shortNames=_list(_TEXT)),
        scope=_TEXT,
        versions=_list(_object(name=_TEXT, schema=_MAP)),
    ),
}


def _shape(kind: str) -> Object:
    spec = _SPECS.get(kind, _MAP)
    return _object(metadata=_META, spec=spec, status=_STATUS, data=_MAP, binaryData=_MAP, stringData=_MAP)


@contextmanager
def checked(kind: Kind, thing: Object) -> Iterator[None]:
    """Around what reads a body as it should be: a stumble over a wrong type becomes a refusal that names the field."""
    try:
        yield
    except (AttributeError, TypeError, KeyError, ValueError) as e:
        refusal = wrong_type(kind, thing)
        if refusal is None:
            raise
        raise refusal from e


def wrong_type(kind: Kind, thing: Object) -> ApiError | None:
    """The refusal that names the first field of a wrong type; None when all have the right one."""
    resource = kind.resource
    faults = schema.validate(thing, _object(metadata=_META) if kind.custom else _shape(resource.kind))
    if not faults:
        return None
    what = faults[0].message.partition(": ")[2].partition(": ")[2]
    return errors.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {what}'
    )
