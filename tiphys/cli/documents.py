"""Files, folders, URLs and standard input become documents that know their file and line.

A document is checked for what every Kubernetes object has (apiVersion, kind, a name); what its kind demands is `lint`'s
affair. All problems of all files are reported at once, not one per run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from runtime.objects import Object, Resource
from tiphys.cli import yamltext
from tiphys.cli.kinds import WORKFLOWS, resource_of
from tiphys.cli.problems import InputError, Problem

SUFFIXES: Final = (".yaml", ".yml", ".json")
BYTES_MAX: Final = 32 * 1024 * 1024
"""Size of one file or answer; an API server takes 3 MB, so more is the wrong file."""


class Document(NamedTuple):
    """One object, the resource it belongs to, and where each of its fields is written."""

    object: Object
    resource: Resource
    source: str
    line: int
    node: yaml.Node | None = None
    inside: yamltext.Path = ()  # the path of the object in `node`, for the items of a List
    written: Object = {}  # noqa: RUF012  the object before numbers became text where text belongs; never changed

    @property
    def title(self) -> str:
        """How messages call it: Workflow/hello, or Workflow/hello- when its name is generated."""
        meta = self.object["metadata"]
        return f"{self.resource.kind}/{meta.get('name') or meta.get('generateName')}"

    @property
    def is_workflow(self) -> bool:
        """Whether this is what runs; everything else is what runs refer to."""
        return self.resource == WORKFLOWS

    def line_of(self, path: str) -> int:
        """The line of a field, given as validators write paths; the document's first line when it is not there."""
        if self.node is None:
            return self.line
        return yamltext.line_of(self.node, self.inside + yamltext.path_of(path))

    def problem(self, message: str, path: str = "") -> Problem:
        """A problem of this document, at that field."""
        if self.node is None:
            return Problem(message, self.source, self.line, self.title)
        line, column = yamltext.place_of(self.node, self.inside + yamltext.path_of(path))
        return Problem(message, self.source, line, self.title, column)


class UnknownKind(InputError):
    """A document of a kind that nothing here knows."""


def read(sources: Iterable[str], leave_out: Callable[[Problem], None] | None = None) -> list[Document]:
    """Read every source in order: a file, a folder (its YAML and JSON files), a URL, or "-" for standard input.

    Documents of unknown kinds are a problem too, unless `leave_out` takes them. Raises InputError with all problems of
    all sources.
    """
    found: list[Document] = []
    problems: list[Problem] = []
    for source in sources:
        try:
            for name in files(source):
                found += parse(text_of(name), name, leave_out)
        except InputError as e:
            problems += e.problems
    if problems:
        raise InputError(*problems)
    return found


def files(source: str) -> Iterator[str]:
    """The files that a source stands for: itself, or all manifests below a folder."""
    folder = Path(source)
    if source == "-" or "://" in source or not folder.is_dir():
        yield source
        return
    names = sorted(str(path) for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if not names:
        raise InputError(Problem(f"no {', '.join(SUFFIXES)} file in this folder", source))
    yield from names


def text_of(source: str) -> str:
    """The text of a file, URL or standard input. Raises InputError when it cannot be read as UTF-8."""
    try:
        raw = _bytes_of(source)
    except OSError as e:
        raise InputError(Problem(f"cannot be read: {e.strerror or e}", source)) from e
    if len(raw) > BYTES_MAX:
        raise InputError(Problem(f"larger than {BYTES_MAX // 1024**2} MB: is this the right file?", source))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        raise InputError(Problem(f"this is not text in UTF-8 (byte {raw[e.start]:#04x})", source, line)) from e


def _bytes_of(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read(BYTES_MAX + 1)
    if source.startswith(("http://", "https://")):
        from urllib.request import urlopen  # noqa: PLC0415  its import costs what most runs do not need

        with urlopen(source, timeout=30) as answer:  # noqa: S310  the scheme is checked above
            return bytes(answer.read(BYTES_MAX + 1))
    with Path(source).open("rb") as file:
        return file.read(BYTES_MAX + 1)


def parse(text: str, source: str, leave_out: Callable[[Problem], None] | None = None) -> list[Document]:
    """The documents of one text; a List gives its items. Raises InputError with all its problems."""
    found: list[Document] = []
    problems: list[Problem] = []
    for parsed in yamltext.parse(text, source):
        for value, inside in _objects(parsed.value):
            line = yamltext.line_of(parsed.node, inside) if inside else parsed.line
            try:
                found.append(_document(value, Document({}, WORKFLOWS, source, line, parsed.node, inside)))
            except InputError as e:
                if leave_out is None or not isinstance(e, UnknownKind):
                    problems += e.problems
                    continue
                for problem in e.problems:
                    leave_out(problem)
    if not found and not problems:
        problems.append(Problem("no object in it", source))
    if problems:
        raise InputError(*problems)
    return found


def _objects(value: Any) -> Iterator[tuple[Any, yamltext.Path]]:
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield item, ("items", index)
    else:
        yield value, ()


def _document(value: Any, where: Document) -> Document:
    if not isinstance(value, dict):
        raise InputError(
            Problem("an object is expected here, with apiVersion, kind and metadata", where.source, where.line)
        )
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str) or not value[field]:
            hint = (
                " (parameters are given with --parameter-file)" if "kind" not in value and "spec" not in value else ""
            )
            raise InputError(
                Problem(f"{field} is missing: this is no Kubernetes object{hint}", where.source, where.line)
            )
    try:
        resource = resource_of(value["apiVersion"], value["kind"])
    except ValueError as e:
        raise UnknownKind(Problem(str(e), where.source, where.line_of("kind"))) from e
    meta = value.setdefault("metadata", {})
    if not isinstance(meta, dict) or not any(isinstance(meta.get(key), str) for key in ("name", "generateName")):
        message = f"{value['kind']} has no metadata.name (or generateName)"
        raise InputError(Problem(message, where.source, where.line_of("metadata")))
    return where._replace(object=_as_upstream_reads(value), resource=resource, written=value)


def _as_upstream_reads(value: Object) -> Object:
    """Numbers and truth values as text where a field holds text; only what has to be changed costs an import."""
    from crds.coerce import coerced  # noqa: PLC0415  the shapes of all kinds are read on import

    thing: Object = coerced(value)
    return thing
