"""`agent init` gives every executor plugin of the pod a token, which the agent shows when it asks (AGENT-5)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from actors.contract import paths
from actors.contract.instructions import from_env


def main() -> int:
    """Write the tokens; the exit code."""
    folder = Path(paths.PLUGIN_MOUNT)
    for plugin in from_env(os.environ)["agent"]["plugins"]:
        own = folder / plugin["name"]
        own.mkdir(parents=True, exist_ok=True)
        (own / paths.PLUGIN_TOKEN).write_text(secrets.token_urlsafe(24), encoding="utf-8")
        (own / paths.PLUGIN_TOKEN).chmod(0o644)  # a plugin may run as any user
    return 0
