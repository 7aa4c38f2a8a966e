"""Writes `tiphys/devcluster/wiretypes.json` from Kubernetes' public wire definitions.

Run: python -m tests.contract.make_wiretypes API APIMACHINERY, the two folders being checkouts of kubernetes/api and
kubernetes/apimachinery. Only names, numbers and types are taken: the facts that a client and a server must share.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

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
PATCHED = re.compile(r'`json:"(\w+)[,"][^`]*patchStrategy:"(\w+)(?:,\w+)*"(?: patchMergeKey:"(\w+)")?')
ATOMIC_TYPE = re.compile(r"\+structType=atomic\n(?://[^\n]*\n)*type (\w+) struct", re.M)
FIELD_MARKER = re.compile(r"^\s*//\s*\+(?:structType|mapType)=(\w+)")
MARKER = re.compile(r"^\s*//\s*\+(listType|listMapKey)=(\w+)")
JSON_NAME = re.compile(r'`json:"(\w+)[,"]')
RENAMED = re.compile(r'^\s+\w+\s+\S+\s+`json:"(\w+)[,"][^`]*?name=(\w+)', re.M)  # JSON's name, the wire's name
PREFIX = re.compile(r"^\.?k8s\.io\.(?:api|apimachinery\.pkg(?:\.(?:apis|api|util))?)\.")


class Facts(NamedTuple):
    """What the types say of merging, by message and field."""

    lists: dict[str, dict[str, list[str]]]  # that fall into parts: the keys of their items; of a set none
    patches: dict[str, dict[str, str]]  # lists that a strategic patch merges: by which key; maps that it replaces
    whole: dict[str, bool]  # message, or message.field: a map that has one owner as a whole (or, though, has not)


def learn(package: str, source: str, facts: Facts) -> None:
    """Add what the types of one file say."""
    facts.whole.update({f"{package}.{name}": True for name in ATOMIC_TYPE.findall(source)})
    for struct, body in STRUCT.findall(source):
        message, kind, keys, whole = f"{package}.{struct}", "", list[str](), ""
        for line in body.splitlines():
            marker, name, patched = MARKER.match(line), JSON_NAME.search(line), PATCHED.search(line)
            if marker and marker[1] == "listType":
                kind = marker[2]
            elif marker:
                keys.append(marker[2])
            elif found := FIELD_MARKER.match(line):
                whole = found[1]
            elif name:
                if kind in ("map", "set"):
                    facts.lists.setdefault(message, {})[name[1]] = sorted(keys)
                if patched and patched[2] in ("merge", "replace"):
                    key = patched[3] or "" if patched[2] == "merge" else "replace"
                    facts.patches.setdefault(message, {})[name[1]] = key
                if whole:
                    facts.whole[f"{message}.{name[1]}"] = whole == "atomic"
                kind, keys, whole = "", [], ""


def read(folder: Path, messages: dict[str, dict[str, str]], facts: Facts) -> None:
    """Add the messages of all packages below a folder."""
    for file in folder.rglob("generated.proto"):
        text = file.read_text()
        found = PACKAGE.search(text)
        if found is None:
            continue
        package = found[1]
        for source in file.parent.glob("*types.go"):
            learn(package, source.read_text(), facts)
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
        renamed = {
            (struct, wire): name
            for source in file.parent.glob("*types.go")
            for struct, body in STRUCT.findall(source.read_text())
            for name, wire in RENAMED.findall(body)
        }
        for name, body in MESSAGE.findall(text):
            messages[f"{package}.{name}"] = fields(package, name, body, shapes, renamed)


def fields(
    package: str, message: str, body: str, shapes: dict[tuple[str, str], str], renamed: dict[tuple[str, str], str]
) -> dict[str, str]:
    """number -> "name type shape"."""
    found = {}
    for label, type_, map_type, name, number in FIELD.findall(body):
        kind = PREFIX.sub("", map_type or type_)
        if "." not in kind and kind not in SCALARS:
            kind = f"{package}.{kind}"
        shape = shapes.get((message, name), "") if label == "optional" else " list" if label else " map"
        found[number] = f"{renamed.get((message, name), name)} {SCALARS.get(kind, kind)}{shape}"
    return found


def _message_of(name: str, reached: dict[str, dict[str, str]]) -> bool:
    return name in reached or name.rpartition(".")[0] in reached


def main() -> None:
    """Write the table."""
    messages: dict[str, dict[str, str]] = {}
    facts = Facts({}, {}, {})
    for folder in sys.argv[1:]:
        read(Path(folder), messages, facts)
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
    table = {
        "kinds": dict(sorted(kinds.items())),
        "lists": {name: facts.lists[name] for name in sorted(reached) if name in facts.lists},
        "messages": dict(sorted(reached.items())),
        "patches": {name: facts.patches[name] for name in sorted(reached) if name in facts.patches},
        "whole": {name: facts.whole[name] for name in sorted(facts.whole) if _message_of(name, reached)},
    }
    TARGET.write_text(json.dumps(table, indent=0, sort_keys=False).replace("\n}", "}") + "\n")


if __name__ == "__main__":
    main()
