"""What the command line of `server` said."""

from __future__ import annotations

from dataclasses import dataclass

PORT = 2746


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Where it listens, how it takes events, and whose bindings it looks at."""

    host: str = "0.0.0.0"  # noqa: S104  inside a pod its clients come from outside
    port: int = PORT  # 0: any that is free
    secure: bool = True  # TLS; with a certificate of its own unless one is named
    certificate: str = ""  # a Secret of its own namespace with tls.crt and tls.key
    instance_id: str = ""
    asynchronous: bool = False  # answer at once, submit afterwards
    queue_size: int = 16  # events that may wait, when asynchronous
    workers: int = 4  # that submit them
    body_max: int = 100 * 1024 * 1024  # bytes
