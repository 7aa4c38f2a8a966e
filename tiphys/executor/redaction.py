"""What stores and servers say is shown to people, but not the passwords and signatures that a URL may carry."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/\s@'\"]+@")
_SIGNED = re.compile(r"(?i)\b((?:[\w-]*(?:signature|token|password|secret|api_?key|sig)))=[^&\s'\"]+")


def redacted(text: str) -> str:
    """The text without them."""
    return _SIGNED.sub(r"\1=…", _USER.sub("…@", text))
