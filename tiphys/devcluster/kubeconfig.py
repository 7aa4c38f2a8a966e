"""The kubeconfig of a dev cluster: its own file, readable by its owner alone; ~/.kube/config is never touched."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from runtime.objects import Object

CONTEXT = "tiphys"


def kubeconfig(url: str, ca_pem: bytes, token: str) -> Object:
    """The content: one cluster, one user, one context."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca_pem).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
        "current-context": CONTEXT,
    }


def write_kubeconfig(path: Path, url: str, ca_pem: bytes, token: str) -> None:
    """Write the file with mode 0600, replacing an older one in one step (JSON is YAML too)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kubeconfig(url, ca_pem, token), indent=2) + "\n"
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
