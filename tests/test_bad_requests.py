"""Requests that no browser sends, against the real web process without nginx in front. (With it: test_gateway.py.)"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from config.stack.processes import web_arguments
from config.stack.valkey import free_port
from loadtests.stack import BASE

BURST = 30
HOST = b"Host: localhost\r\n"
ORDER = b"POST /api/sales/1/orders HTTP/1.1\r\n" + HOST + b"Content-Length: 14\r\n\r\n" + b'{"quantity":1}'


class Web:
    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self, said: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(said)
        return connection

    def statuses(self, said: bytes, *, of: int | None = None) -> list[int]:
        """Of the answers until so many came, or the connection was closed."""
        answers = b""
        with self.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(said)
            while answers.count(b"HTTP/1.1 ") != of:
                chunk = connection.recv(65536)
                if not chunk:
                    break
                answers += chunk
        return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", answers)]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    port = free_port()
    command = [
        sys.executable,
        *web_arguments(host="127.0.0.1", port=port, static=str(tmp_path_factory.mktemp("static"))),
    ]
    limits = {"GATEWAY": "web", "ORDERS_RATE": "1", "ORDERS_BURST": str(BURST)}
    log = (tmp_path_factory.mktemp("web") / "log").open("w+b")
    process = subprocess.Popen(command, cwd=BASE, env={**os.environ, **limits}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.05)
        yield Web(port)
    finally:
        process.terminate()
        process.wait(20)
        log.seek(0)
        lines = [line for line in log if not line.startswith(b"[INFO]")]
        log.close()
    assert lines == [], "none of these is worth a line in the log"


def test_a_body_with_two_lengths_is_one_request_at_most(web: Web) -> None:
    """What a proxy might have taken for the body is never answered as a request of its own."""
    smuggled = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    chunked = (
        b"POST /api/sales/1/orders HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    answers = web.statuses(chunked % (5 + len(smuggled)) + b"0\r\n\r\n" + smuggled)

    assert len(answers) == 1, "one answer, and the connection is closed"
    assert 400 <= answers[0] < 500


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 6\r\nContent-Length: 7\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Content-Length: 6, 7\r\n",
        b"Content-Length: -1\r\n",
        b"X-Large: " + b"x" * 64_000 + b"\r\n",
    ],
    ids=["two lengths", "a chunked that is none", "a list of lengths", "a negative length", "64 kB of headers"],
)
def test_what_can_be_read_in_two_ways_or_is_too_much_is_refused(web: Web, header: bytes) -> None:
    answers = web.statuses(b"POST /api/sales/1/orders HTTP/1.1\r\n" + HOST + header + b"\r\n123456")

    assert len(answers) <= 1
    assert all(400 <= status < 500 for status in answers)


def test_ten_megabytes_are_refused(web: Web) -> None:
    head = b"POST /api/sales/1/orders HTTP/1.1\r\n" + HOST + b"Sale-Pass: x\r\nContent-Length: 10000000\r\n\r\n"

    assert web.statuses(head + b"x" * 10_000_000, of=1)[0] in {401, 403, 413}


def test_slow_senders_hold_nobody_up(web: Web) -> None:
    slow = [
        web.connect(b"POST /api/sales/1/orders HTTP/1.1\r\n" + HOST + b"Content-Length: 14\r\n\r\n{") for _ in range(5)
    ]
    slow += [web.connect(b"POST /api/sales/1/orders HTTP/1.1\r\nHost: loc") for _ in range(200)]
    try:
        began = time.monotonic()
        assert web.statuses(ORDER, of=1) == [401]
        assert time.monotonic() - began < 5
    finally:
        for connection in slow:
            connection.close()


def test_of_a_pipelined_burst_each_request_is_counted_and_answered(web: Web) -> None:
    answers = web.statuses(ORDER * 200, of=200)

    assert len(answers) == 200
    assert set(answers) == {401, 429}, "no pass, or no room"
    assert answers.count(401) <= BURST + 10
