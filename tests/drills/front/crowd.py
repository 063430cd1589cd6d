"""A crowd at two doors, whoever cancels, and whoever watches the gate's counter meanwhile."""

from __future__ import annotations

import threading
import uuid
from functools import partial

from tests.drills.front.ask import Reply, as_shopper, order, send, together
from tests.drills.front.front import Front
from tests.drills.harness import until


def crowd(front: Front, sale: int, names: list[str]) -> list[Reply]:
    """All of them at once, half of them at each door; who is told to come back does, with the same key."""
    doors = front.doors

    def insist(number: int, name: str) -> Reply:
        key = str(uuid.uuid4())

        def heard() -> Reply | None:
            told = order(front.house, doors[number % len(doors)], sale, name, key=key)
            return None if told.code in {"busy", "unavailable"} else told

        return until(heard, f"{name} is heard")

    return together([partial(insist, number, name) for number, name in enumerate(names)])


def sold(replies: list[Reply]) -> list[Reply]:
    return [reply for reply in replies if reply.status == 202]


def cancel(front: Front, name: str, placed: Reply) -> None:
    """As soon as it can be paid, its buyer does not want it any more."""
    order_id = placed.body["order_id"]
    path, browser = f"/pay/{order_id}/cancel", as_shopper(front.house, name)
    until(lambda: send(front.direct, "POST", path, b"", **browser).status == 302, "it can be paid, or not")
    front.house.history.write("pay", "fail", user=name, order_id=order_id, code="cancel")


class Lowest:
    """The least that the gate's counter ever was while the context lasted."""

    def __init__(self, front: Front, sale: int) -> None:
        self.seen: list[int] = []
        self._front, self._sale, self._end = front, sale, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Lowest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.002):
            self.seen.append(self._front.stock(self._sale))
