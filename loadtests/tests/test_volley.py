"""What leaves when, and what is made of the answers, against a server of this process."""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests import wire
from loadtests.edge import client_address
from loadtests.volley import TICK_S, Shot, SpikePlan, salvos, share


def plan(folder: Path, *, rate: float = 1_000, seconds: float = 1, processes: int = 1) -> SpikePlan:
    passes = folder / "passes"
    passes.write_text("".join(f"{number} session{number} pass{number}\n" for number in range(round(rate * seconds))))
    return SpikePlan(
        host="shop", port=80, source=None, sale_id=7, rate=rate, seconds=seconds, processes=processes, connections=8,
        depth=4, pipelined=True, passes=str(passes), folder=str(folder), give_up_s=5,
    )  # fmt: skip


def test_sends_are_meant_evenly_over_the_second_and_all_within_it(tmp_path: Path) -> None:
    due = [shot.due_s for shot in share(plan(tmp_path), 0)]

    assert len(due) == 1_000
    assert due[0] == 0
    assert all(after - before == pytest.approx(0.001) for before, after in itertools.pairwise(due))
    assert due[-1] + 0.001 <= 1.0


def test_processes_share_the_shots_and_send_none_twice(tmp_path: Path) -> None:
    ours = plan(tmp_path, rate=100, processes=3)

    shots = [shot for index in range(3) for shot in share(ours, index)]

    assert sorted(shot.user_id for shot in shots) == list(range(100))
    assert len({shot.key for shot in shots}) == 100


def test_every_request_is_another_shopper_at_another_address(tmp_path: Path) -> None:
    found = [re.search(rb"X-Forwarded-For: (\S+)\r\n", shot.request) for shot in share(plan(tmp_path), 0)]

    assert len({match[1] for match in found if match}) == 1_000
    assert client_address(70_000) == "10.1.17.112"


def test_nothing_leaves_before_it_is_meant_to_and_nothing_more_than_a_tick_late(tmp_path: Path) -> None:
    found = salvos(share(plan(tmp_path), 0), connections=8, depth=4)

    for salvo in found:
        assert len(salvo.shots) <= 4
        assert all(0 <= salvo.due_s - shot.due_s <= TICK_S + 1e-9 for shot in salvo.shots)
    assert {salvo.connection for salvo in found} == set(range(8))
    assert sum(len(salvo.shots) for salvo in found) == 1_000


@pytest.fixture
def echo() -> Iterator[int]:
    """Answers each request with its own body, in two pieces; closes the connection at a request that says so."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        data = b""
        with connection:
            while chunk := connection.recv(65536):
                data += chunk
                while b"\r\n\r\n" in data:
                    body, data = data.split(b"\r\n\r\n", 1)[0].rsplit(b" ", 1)[1], data.split(b"\r\n\r\n", 1)[1]
                    if body == b"bye":
                        return
                    head = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\ncontent-length: %d\r\n\r\n" % len(body)
                    connection.sendall(head + body[:1])
                    connection.sendall(body[1:])

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def volley(port: int, bodies: list[bytes], *, pipelined: bool, give_up_s: float = 5) -> list[wire.Reply]:
    shots = [Shot(n, f"key{n}", n * 0.0005, b"POST / HTTP/1.1 " + body + b"\r\n\r\n") for n, body in enumerate(bodies)]
    connections = wire.connect("127.0.0.1", port, None, number=3)
    t0 = time.monotonic() + 0.01
    unsent = wire.fire(
        connections, salvos(shots, connections=3, depth=5), t0=t0, give_up_s=give_up_s, pipelined=pipelined
    )
    wire.close(connections)
    found = [reply for connection in connections for reply in wire.replies(connection)]
    return found + [wire.Reply(shot, 0.0) for shot in unsent]


@pytest.mark.parametrize("pipelined", [True, False])
def test_every_answer_finds_its_request(echo: int, pipelined: bool) -> None:
    bodies = [b"x" * (1 + number % 50) + str(number).encode() for number in range(200)]

    found = volley(echo, bodies, pipelined=pipelined)

    assert len(found) == 200
    for reply in found:
        assert (reply.status, reply.retry_after_s) == (429, 3)
        assert reply.body == bodies[reply.shot.user_id]
        assert reply.at_s >= reply.shot.due_s


def test_who_was_hung_up_on_has_no_answer_and_the_others_have(echo: int) -> None:
    found = volley(echo, [b"bye" if number == 20 else b"hello" for number in range(60)], pipelined=True)

    unanswered = [reply for reply in found if not reply.status]
    assert len(found) == 60
    assert 20 in {reply.shot.user_id for reply in unanswered}
    assert 1 <= len(unanswered) < 25, "only those behind it on its connection"


def test_whom_no_connection_is_left_for_has_no_answer_either(echo: int) -> None:
    found = volley(echo, [b"bye"] * 3 + [b"hello"] * 5, pipelined=False)

    assert sorted(reply.shot.user_id for reply in found) == list(range(8))
    assert not any(reply.status for reply in found)
