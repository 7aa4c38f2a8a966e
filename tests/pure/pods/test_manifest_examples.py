"""Every pod template of the conformance examples becomes a pod, or is refused for a reason that is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.node.manifest import BadTemplate, PodRequest, PodSettings, pod_for

ROOT = Path(os.environ.get("TIPHYS_CONFORMANCE", Path(__file__).resolve().parents[3] / ".." / "shared" / "conformance"))
EXAMPLES = ROOT / "workflows" / "examples"
KINDS = ("container", "script", "containerSet", "resource")
REPOSITORY = {"s3": {"endpoint": "file:///repo", "bucket": "b"}}
TAGGED = {"podSpecPatch": None, "activeDeadlineSeconds": None}  # may hold tags, which are not substituted here
REFUSED = (
    "driver is not supported",
    "file:// directories are not supported",
    "entrypoint of image",
    "http.auth",
    "no location",
)


def templates() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            spec = (document or {}).get("spec") or {}
            spec = spec.get("workflowSpec") or spec
            for template in spec.get("templates") or ():
                if any(template.get(kind) for kind in KINDS):
                    yield f"{path.relative_to(EXAMPLES)}:{template.get('name')}", spec, template


CASES = list(templates())


@pytest.mark.skipif(not CASES, reason=f"no conformance examples at {EXAMPLES}")
def test_every_pod_template_becomes_a_pod() -> None:
    built, refused = 0, []
    for name, spec, template in CASES:
        image = next((template[kind].get("image", "x") for kind in KINDS if template.get(kind)), "x")
        settings = PodSettings(repository_root="/repo", image_entrypoints={image: (["/entry"], [])})
        claims = [(made["metadata"]["name"], "claim") for made in spec.get("volumeClaimTemplates") or ()]
        request = PodRequest(
            "wf", "ns", "uid", {**spec, **TAGGED}, {**template, **TAGGED}, "id", "node", "pod",
            include_result=True, repository=REPOSITORY, settings=settings, claims=claims,
        )  # fmt: skip
        try:
            pod = pod_for(request)
        except BadTemplate as error:
            refused.append((name, str(error)))
            continue
        built += 1
        assert pod["spec"]["containers"], name
    assert built > 200
    assert [case for case in refused if not any(reason in case[1] for reason in REFUSED)] == []
