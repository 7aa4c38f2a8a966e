"""An artifact server in a bad mood: it keeps what is sent, and now and then refuses, hangs or breaks off."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any


@dataclass
class Store:
    """What is kept, by path, and how the server behaves. The dice are asked once for each request."""

    dice: Random
    refuses: float = 0.15  # with 500
    hangs: float = 0.03
    breaks: float = 0.05  # half of the answer, or of what is sent
    hang_s: float = 120.0  # then the connection is closed
    kept: dict[str, bytes] = field(default_factory=dict)
    deeds: Counter[str] = field(default_factory=Counter)
    address: str = ""
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def mood(self) -> str:
        """What happens to the next request."""
        with self.lock:
            number = self.dice.random()
            for name, chance in (("refuse", self.refuses), ("hang", self.hangs), ("break", self.breaks)):
                if number < chance:
                    self.deeds[name] += 1
                    return name
                number -= chance
            self.deeds["serve"] += 1
        return "serve"


@contextmanager
def served(store: Store) -> Iterator[Store]:
    """Run it; `store.address` is where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(store))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    store.address = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        store.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(store: Store) -> type[BaseHTTPRequestHandler]:
    class Moody(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:
            mood = self._mood()
            if mood is None:
                return
            body = store.kept.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write((body or b"")[: len(body or b"") // 2] if mood == "break" else body or b"")

        def do_PUT(self) -> None:
            mood = self._mood()
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size // 2 if mood == "break" else size)
            if mood is None or mood == "break" or len(body) != size:
                self.close_connection = True
                return
            store.kept[self.path] = body
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _mood(self) -> str | None:
            """The mood; None when the request has been dealt with already."""
            mood = store.mood()
            if mood == "hang":
                store.over.wait(store.hang_s)
                self.close_connection = True
                return None
            if mood == "refuse":
                self.send_error(500)
                return None
            return mood

        def log_message(self, *words: Any) -> None:
            del words

    return Moody
