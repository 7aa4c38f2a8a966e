"""Files become documents that know their file and line, and what is no document is said so."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from tiphys.cli import documents
from tiphys.cli.problems import InputError

WORKFLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata:
  generateName: hello-
spec:
  entrypoint: hello
"""
CONFIGMAP = """apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: b}
"""


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_may_hold_several_objects(tmp_path: Path) -> None:
    file = write(tmp_path, "a.yaml", CONFIGMAP + "---\n" + WORKFLOW)
    found = documents.read([file])
    assert [(one.title, one.line, one.is_workflow) for one in found] == [
        ("ConfigMap/c", 1, False),
        ("Workflow/hello-", 6, True),
    ]


def test_the_items_of_a_list_are_objects_with_lines_of_their_own(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
        "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: b}\n  data:\n    x: y\n"
    )
    first, second = documents.read([write(tmp_path, "l.yaml", text)])
    assert (first.title, second.title) == ("ConfigMap/a", "ConfigMap/b")
    assert (second.line, second.line_of("data.x")) == (7, 11)


def test_a_folder_stands_for_its_manifests_in_order(tmp_path: Path) -> None:
    write(tmp_path, "b/two.yml", CONFIGMAP)
    write(tmp_path, "a.yaml", WORKFLOW)
    write(tmp_path, "notes.txt", "not a manifest")
    assert [one.resource.kind for one in documents.read([str(tmp_path)])] == ["Workflow", "ConfigMap"]


def test_json_is_read_too(tmp_path: Path) -> None:
    file = write(tmp_path, "c.json", '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}}')
    assert documents.read([file])[0].title == "ConfigMap/j"


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WORKFLOW.encode())))
    assert documents.read(["-"])[0].source == "-"


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "broken.yaml", "a: [\n"),
        write(tmp_path, "kind.yaml", WORKFLOW.replace("Workflow", "Worklfow")),
        str(tmp_path / "missing.yaml"),
    ]
    with pytest.raises(InputError) as caught:
        documents.read(files)
    texts = [str(problem) for problem in caught.value.problems]
    assert "broken.yaml:1: this is not YAML" in texts[0]
    assert "kind.yaml:2: unknown kind 'Worklfow' in argoproj.io/v1alpha1; did you mean Workflow?" in texts[1]
    assert "missing.yaml: cannot be read: No such file or directory" in texts[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no object in it"),
        ("# only a comment\n", "no object in it"),
        ("- a\n", "an object is expected here"),
        ("kind: Workflow\nspec: {}\n", "apiVersion is missing"),
        ("message: hello\n", r"apiVersion is missing: this is no Kubernetes object \(parameters are given with"),
        ("apiVersion: v1\nkind: ConfigMap\n", "ConfigMap has no metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: x\n", "ConfigMap has no metadata.name"),
        (
            "apiVersion: v1\nkind: Workflow\nmetadata: {name: a}\n",
            "Workflow is served as apiVersion argoproj.io/v1alpha1",
        ),
    ],
)
def test_what_is_no_object_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        documents.read([write(tmp_path, "x.yaml", text)])


def test_a_file_that_is_not_text_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InputError, match=r"x\.yaml:2: this is not text in UTF-8 \(byte 0xff\)"):
        documents.read([str(path)])


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no .* file in this folder"):
        documents.read([str(tmp_path)])


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + WORKFLOW.encode())
    assert documents.read([str(path)])[0].title == "Workflow/hello-"
