"""What a run needs of its dev cluster: most need no socket, and not opening one saves a third of a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.cli.documents import Document

TALKS_TO_THE_API = frozenset(
    {"resource", "serviceAccountName", "automountServiceAccountToken", "http", "plugin", "data"}
)


def needs_the_api(documents: Sequence[Document]) -> bool:
    """Whether a pod of these documents may want to talk to the API: it then gets a token and an address."""
    return any(_has_any(document.object.get("spec")) for document in documents)


def _has_any(tree: Any) -> bool:
    if isinstance(tree, dict):
        return any(key in TALKS_TO_THE_API and value for key, value in tree.items()) or any(
            _has_any(value) for value in tree.values()
        )
    return isinstance(tree, list) and any(_has_any(entry) for entry in tree)
