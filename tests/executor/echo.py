"""A server that gives everything back that it is told: no client's secret is safe with it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Echo(BaseHTTPRequestHandler):
    """Refuses every request, and repeats in its reason and its body who asked and how."""

    protocol_version = "HTTP/1.1"
    code = 403

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = f"{self.path} {' '.join(self.headers.values())} {self._decoded()}".replace("\n", " ")
        body = f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>".encode()
        self.send_response(self.code, said.encode("ascii", "replace").decode()[:400])
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _decoded(self) -> str:
        kind, _, rest = (self.headers.get("Authorization") or "").partition(" ")
        if kind != "Basic":
            return rest
        both = base64.b64decode(rest).decode()
        return f"{both} {both!r} {base64.b64encode(both.rpartition(':')[2].encode()).decode()}"

    def log_message(self, *words: Any) -> None:
        del words

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = answer  # noqa: N815  (the names that the server looks for)


@contextmanager
def echo_server() -> Iterator[str]:
    """`127.0.0.1:PORT` of such a server, which ends with the test however that ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)  # a request that hangs keeps nobody: its thread is a daemon
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
