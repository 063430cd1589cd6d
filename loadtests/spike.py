"""Locust's open-loop user: an edge that fires a volley of orders on a shared T0, whatever the shop answers.

    SPIKE_PLAN=plan.json SPIKE_PROCESS=0 locust -f loadtests/spike.py --headless -u 1

`make spike` writes the plan, starts this, and judges what it left (loadtests/spike_run.py). Connections are open and
every request is made before T0. It speaks as a trusted edge does: one client address per request, in X-Forwarded-For.
"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import Any

import gevent
from locust import User, task
from locust.exception import StopUser

from loadtests import answers, wire
from loadtests.answers import Answer
from loadtests.history import History
from loadtests.volley import PROCESS, SpikePlan, salvos, share

plan = SpikePlan.given()
FOLDER = Path(plan.folder)


Told = tuple[wire.Reply, Answer]


class NoAnswer(Exception):
    """Locust counts it as a failure; a refusal is an answer."""


class Edge(User):
    @task
    def fire_once(self) -> None:
        index = int(os.environ[PROCESS])
        shots = share(plan, index)
        number = max(1, plan.connections // plan.processes)
        connections = wire.connect(plan.host, plan.port, plan.source, number=number)
        volley = salvos(shots, connections=number, depth=plan.depth if plan.pipelined else 1)
        # Looking for cycles among 100,000 requests would stop the volley for as long as forty of them take to leave.
        gc.collect()
        gc.disable()
        try:
            t0 = self._wait_for_t0(index)
            began_ms = time.time() * 1000 - (time.monotonic() - t0) * 1000
            unsent = wire.fire(
                connections, volley, t0=t0, give_up_s=plan.give_up_s, pipelined=plan.pipelined, tell=self._tell
            )
        finally:
            wire.close(connections)
        written_s = max(connection.written_s for connection in connections)
        print(f"process {index}: {len(shots)} written by {written_s:.3f} s, reading the answers", flush=True)
        told = [
            (reply, answers.read(reply.status, reply.body.decode(errors="replace"), None))
            for reply in (
                *(reply for connection in connections for reply in wire.replies(connection)),
                *(wire.Reply(shot, 0.0) for shot in unsent),
            )
        ]
        self._tell_locust(told)
        self._write(index, told, began_ms=began_ms, written_s=written_s)
        self.environment.runner.quit()
        raise StopUser

    def _wait_for_t0(self, index: int) -> float:
        """Say that we are ready; T0 on the monotonic clock, which all processes of this machine share."""
        (FOLDER / f"ready-{index}").touch()
        while not (FOLDER / "t0").exists():
            gevent.sleep(0.02)
        t0 = float((FOLDER / "t0").read_text())
        gevent.sleep(max(0.0, t0 - time.monotonic() - 0.02))
        return t0

    def _tell(self, at_s: float, sent: int, answered: int) -> None:
        print(f"{at_s:5.2f} s  offered {sent:,}, answered {answered:,}", flush=True)

    def _tell_locust(self, told: list[Told]) -> None:
        for number, (reply, answer) in enumerate(told):
            self.environment.events.request.fire(
                request_type="POST",
                name=answer.code or "admitted",
                response_time=latency_ms(reply),
                response_length=len(reply.body),
                exception=None if reply.status else NoAnswer(),
                context={},
            )
            if number % 2000 == 0:
                gevent.sleep(0)

    def _write(self, index: int, told: list[Told], *, began_ms: float, written_s: float) -> None:
        """What each buyer was told; whole or not at all."""
        unfinished = FOLDER / f"history-{index}.new"
        History(unfinished).write_all(_line(reply, answer, began_ms) for reply, answer in told)
        (FOLDER / f"written-{index}").write_text(str(written_s))
        os.rename(unfinished, FOLDER / f"history-{index}.jsonl")


def latency_ms(reply: wire.Reply) -> float:
    """From the instant it was meant to leave."""
    return (reply.at_s - reply.shot.due_s) * 1000 if reply.status else 0.0


def _line(reply: wire.Reply, answer: Answer, began_ms: float) -> dict[str, Any]:
    shot = reply.shot
    line = {
        "at": int(began_ms + reply.at_s * 1000),
        "op": "place",
        "outcome": answer.outcome,
        "code": answer.code,
        "user_id": shot.user_id,
        "sale_id": plan.sale_id,
        "key": shot.key,
        "quantity": 1,
        "due_s": round(shot.due_s, 6),
    }
    if reply.status:
        line |= {"at_s": round(reply.at_s, 6), "ms": round(latency_ms(reply), 3)}
    return line | {name: answer.body.get(name) for name in ("order_id", "token", "price_cents", "total_cents")}
