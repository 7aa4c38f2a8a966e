"""Writes `tiphys/devcluster/wiretypes.json` from Kubernetes' public wire definitions.

Run: python -m tests.contract.make_wiretypes API APIMACHINERY, the two folders being checkouts of kubernetes/api and
kubernetes/apimachinery. Only names, numbers and types are taken: the facts that a client and a server must share.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tiphys.devcluster.resources import built_in

TARGET = Path(__file__).parents[2] / "tiphys" / "devcluster" / "wiretypes.json"
OTHERS = {  # what is posted and never stored
    "v1/Binding": "core.v1.Binding",
    "policy/v1/Eviction": "policy.v1.Eviction",
    "autoscaling/v1/Scale": "autoscaling.v1.Scale",
    "authentication.k8s.io/v1/TokenRequest": "authentication.v1.TokenRequest",
    "authentication.k8s.io/v1/SelfSubjectReview": "authentication.v1.SelfSubjectReview",
    "authorization.k8s.io/v1/SelfSubjectAccessReview": "authorization.v1.SelfSubjectAccessReview",
    "authorization.k8s.io/v1/SelfSubjectRulesReview": "authorization.v1.SelfSubjectRulesReview",
    "authentication.k8s.io/v1/TokenReview": "authentication.v1.TokenReview",
    "authorization.k8s.io/v1/SubjectAccessReview": "authorization.v1.SubjectAccessReview",
    "v1/DeleteOptions": "meta.v1.DeleteOptions",
}
SCALARS = {
    "string": "string",
    "bool": "bool",
    "bytes": "bytes",
    "int32": "int",
    "int64": "int",
    "double": "number",
    "meta.v1.Time": "time",
    "meta.v1.MicroTime": "microtime",
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "intstr",
    "runtime.RawExtension": "raw",
    "meta.v1.FieldsV1": "raw",
    "meta.v1.Duration": "int",
}
PACKAGE = re.compile(r"^package k8s\.io\.(?:api|apimachinery\.pkg(?:\.(?:apis|api|util))?)\.([\w.]+);", re.M)
MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^  (?:(optional|repeated) ([\w.]+)|map<string, *([\w.]+)>) (\w+) = (\d+);", re.M)
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
INLINE = re.compile(r'`json:"(?:,inline)?"[^`]*?name=(\w+)')
BARE_INLINE = re.compile(r'^\s+(\w+)\s+`json:",inline" protobuf:"bytes,1,req"`', re.M)
POINTER = re.compile(r"^\s+\w+\s+\*\S+\s+`json:[^`]*?name=(\w+)", re.M)
PREFIX = re.compile(r"^\.?k8s\.io\.(?:api|apimachinery\.pkg(?:\.(?:apis|api|util))?)\.")


def read(folder: Path, messages: dict[str, dict[str, str]]) -> None:
    """Add the messages of all packages below a folder."""
    for file in folder.rglob("generated.proto"):
        text = file.read_text()
        found = PACKAGE.search(text)
        if found is None:
            continue
        package = found[1]
        shapes = {
            (struct, name): shape
            for source in file.parent.glob("*types.go")
            for struct, body in STRUCT.findall(source.read_text())
            for pattern, shape in ((INLINE, " inline"), (POINTER, " pointer"))
            for name in pattern.findall(body)
        } | {
            (struct, name[0].lower() + name[1:]): " inline"
            for source in file.parent.glob("*types.go")
            for struct, body in STRUCT.findall(source.read_text())
            for name in BARE_INLINE.findall(body)
        }
        for name, body in MESSAGE.findall(text):
            messages[f"{package}.{name}"] = fields(package, name, body, shapes)


def fields(package: str, message: str, body: str, shapes: dict[tuple[str, str], str]) -> dict[str, str]:
    """number -> "name type shape"."""
    found = {}
    for label, type_, map_type, name, number in FIELD.findall(body):
        kind = PREFIX.sub("", map_type or type_)
        if "." not in kind and kind not in SCALARS:
            kind = f"{package}.{kind}"
        shape = shapes.get((message, name), "") if label == "optional" else " list" if label else " map"
        found[number] = f"{name} {SCALARS.get(kind, kind)}{shape}"
    return found


def main() -> None:
    """Write the table."""
    messages: dict[str, dict[str, str]] = {}
    for folder in sys.argv[1:]:
        read(Path(folder), messages)
    kinds = dict(OTHERS)
    for kind in built_in():
        resource = kind.resource
        group = resource.group.partition(".")[0] or "core"
        name = f"{group}.{resource.version}.{resource.kind}"
        if name in messages:
            kinds[f"{resource.api_version}/{resource.kind}"] = name
    reached: dict[str, dict[str, str]] = {}
    todo = list(kinds.values())
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        reached[name] = messages[name]
        todo += [kind for kind in (text.split()[1] for text in messages[name].values()) if "." in kind]
    table = {"kinds": dict(sorted(kinds.items())), "messages": dict(sorted(reached.items()))}
    TARGET.write_text(json.dumps(table, indent=0, sort_keys=False).replace("\n}", "}") + "\n")


if __name__ == "__main__":
    main()
