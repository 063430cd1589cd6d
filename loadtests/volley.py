"""What is sent when, decided before anything is sent: an open-loop volley of orders.

Request i of n is *meant* to leave at i / rate seconds after T0, whatever the shop does meanwhile. That instant, not the
write into a socket, is where its latency begins; so a generator that falls behind makes the figures worse, not better.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loadtests.edge import client_address

VARIABLE = "SPIKE_PLAN"
PROCESS = "SPIKE_PROCESS"  # which of the processes this one is, from 0
TICK_S = 0.005  # what was meant for the last five milliseconds leaves together, so up to five milliseconds late


@dataclass(frozen=True, slots=True)
class SpikePlan:
    """What every generator process is given, as a JSON file named by SPIKE_PLAN.

    passes: a file of `<user id> <session key> <pass>` lines, one per request. folder: where each process leaves
    `ready-<n>` once all its connections are open, and `history-<n>.jsonl` at the end; `t0` in it starts the volley.
    depth: how many requests travel together on a connection. pipelined: False waits for each answer first.
    """

    host: str
    port: int
    source: str | None
    sale_id: int
    rate: float
    seconds: float
    processes: int
    connections: int
    depth: int
    pipelined: bool
    passes: str
    folder: str
    give_up_s: float

    @property
    def offered(self) -> int:
        return round(self.rate * self.seconds)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def given(cls) -> SpikePlan:
        """The plan this process was started with."""
        return cls(**json.loads(Path(os.environ[VARIABLE]).read_text()))


@dataclass(frozen=True, slots=True)
class Shot:
    """One order: who asks, with which key, when it is meant to leave (seconds after T0), and its bytes."""

    user_id: int
    key: str
    due_s: float
    request: bytes


@dataclass(slots=True)
class Salvo:
    """What leaves together on one connection, when the last of it is due. request: the bytes of all of it."""

    connection: int
    due_s: float
    shots: list[Shot] = field(default_factory=list)
    request: bytes = b""


def share(plan: SpikePlan, index: int) -> list[Shot]:
    """Every processes-th shot, beginning with `index`: together the processes send all of them, evenly spread."""
    with Path(plan.passes).open() as lines:
        bearers = [line.split() for line in lines]
    if len(bearers) < plan.offered:
        raise ValueError(f"{len(bearers)} passes for {plan.offered} requests")
    return [_shot(plan, number, *bearers[number]) for number in range(index, plan.offered, plan.processes)]


def salvos(shots: Sequence[Shot], *, connections: int, depth: int) -> list[Salvo]:
    """In the order they leave. In each tick the next connections take `depth` shots each, so that over some ticks all
    of them are used: as a CDN's edge spreads its visitors over the connections it keeps."""
    found: list[Salvo] = []
    connection = -1
    tick, inside = -1, depth
    for shot in shots:
        now = int(shot.due_s / TICK_S)
        if now != tick or inside >= depth:
            tick, inside = now, 0
            connection = (connection + 1) % connections
            found.append(Salvo(connection, (now + 1) * TICK_S))
        found[-1].shots.append(shot)
        inside += 1
    for salvo in found:
        salvo.request = b"".join([shot.request for shot in salvo.shots])
    return found


def _shot(plan: SpikePlan, number: int, user_id: str, session_key: str, sale_pass: str) -> Shot:
    key = uuid.uuid4().hex
    body = '{"quantity":1}'
    request = (
        f"POST /api/sales/{plan.sale_id}/orders HTTP/1.1\r\n"
        f"Host: {plan.host}:{plan.port}\r\n"
        f"Cookie: sessionid={session_key}\r\n"
        f"Sale-Pass: {sale_pass}\r\n"
        f"Idempotency-Key: {key}\r\n"
        "Idempotency-Attempt: 1\r\n"
        f"X-Forwarded-For: {client_address(number)}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    return Shot(int(user_id), key, number / plan.rate, request.encode())
