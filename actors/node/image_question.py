"""What is asked of the service that knows how images start: the image, and whose credentials may be used for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_ACCOUNT = "default"


@dataclass(frozen=True, slots=True)
class ImageQuestion:
    """How does this image start? The answer is its entrypoint and its command (TMPL-14)."""

    image: str
    namespace: str = ""
    secrets: tuple[str, ...] = ()  # the pull secrets that the pod names
    account: str = DEFAULT_ACCOUNT  # whose pull secrets it has, if it names none


def question_for(image: str, namespace: str, template: Mapping[str, Any], spec: Mapping[str, Any]) -> ImageQuestion:
    """The question about an image of a pod of this template, in a workflow with this spec."""
    named = tuple(str(entry["name"]) for entry in spec.get("imagePullSecrets") or () if entry.get("name"))
    account = template.get("serviceAccountName") or spec.get("serviceAccountName") or DEFAULT_ACCOUNT
    return ImageQuestion(image, namespace, named, str(account))
