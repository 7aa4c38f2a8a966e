"""The stand-in for netcat does what examples ask of it: listen, answer with a program, connect and pipe."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiphys.devcluster.node.images import install_stand_ins


class Netcat:
    def __init__(self, folder: Path) -> None:
        install_stand_ins(folder / "bin", folder / "local")
        self.folder = folder
        self.program = str(folder / "bin" / "nc")
        self.running: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])

    def serve(self, *words: str, said: bytes = b"") -> subprocess.Popen[bytes]:
        source = self.folder / "said"
        source.write_bytes(said)
        with source.open("rb") as file:
            server = subprocess.Popen([self.program, *words], stdin=file, stdout=subprocess.PIPE)
        self.running.append(server)
        return server

    def ask(self, *words: str, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([self.program, *words], input=said, capture_output=True, timeout=30, check=False)

    def await_answer(self) -> subprocess.CompletedProcess[bytes]:
        while True:
            ended = self.ask("127.0.0.1", self.port)
            if ended.returncode == 0:
                return ended


@pytest.fixture
def netcat(tmp_path: Path) -> Iterator[Netcat]:
    made = Netcat(tmp_path)
    yield made
    for server in made.running:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def test_a_program_answers_every_connection_and_equal_servers_share_a_port(netcat: Netcat) -> None:
    for _ in range(2):  # two pods of one machine
        netcat.serve("-lk", "-p", netcat.port, "-e", "/bin/echo", "-n", "hello")
    for _ in range(5):
        assert netcat.await_answer().stdout == b"hello"
    netcat.running[0].terminate()
    assert netcat.running[0].wait() == 128 + 15


def test_one_connection_is_piped_both_ways(netcat: Netcat) -> None:
    server = netcat.serve("-l", "-p", netcat.port, said=b"from the server\n")
    while (ended := netcat.ask("-N", "127.0.0.1", netcat.port, said=b"from the client\n")).returncode:
        assert b"refused" in ended.stderr
    assert ended.stdout == b"from the server\n"
    assert server.stdout is not None
    assert server.stdout.read() == b"from the client\n"
    assert server.wait() == 0


def test_what_cannot_be_done_is_said(netcat: Netcat) -> None:
    assert b"refused" in netcat.ask("-z", "127.0.0.1", netcat.port).stderr
    ended = netcat.ask("-u", "127.0.0.1", netcat.port)
    assert (ended.returncode, b"no -u" in ended.stderr) == (64, True)
    assert b"usage" in netcat.ask("-l").stderr
