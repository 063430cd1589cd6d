"""A supervisor's word to the others and to the timeline, in Redis."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from queueing import keys
from queueing.autoscaler.policy import Decision
from queueing.autoscaler.records import DRAIN, Beat, Event
from queueing.brokers.lua import load

EVENTS_KEPT = 5_000  # while nobody takes them to PostgreSQL
TOLD_LATELY_MS = 600_000  # a kind of hold is told again after ten minutes
UNTOLD_MOST = 200
ALWAYS_TOLD = ("held", "released")


class Register:
    """name: of this supervisor; nobody had it before. Every method raises redis.RedisError when Redis is away."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name
        self._script = client.register_script(load("scale"))
        self._untold: deque[Event] = deque(maxlen=UNTOLD_MOST)

    def beat(self, beat: Beat) -> None:
        self._client.hset(keys.SCALERS, self._name, msgspec.json.encode(beat))

    def forget(self, *supervisors: str) -> None:
        self._client.hdel(keys.SCALERS, *supervisors)

    def decide(self, serial: int, decision: Decision, event: Event) -> bool:
        """Change the number or note a hold, and tell it. False: another supervisor changed it first, or there was
        nothing new to tell.

        serial: of the state that the decision was made on.
        """
        since_ms = event.at_ms if decision.kind in ALWAYS_TOLD else event.at_ms - TOLD_LATELY_MS
        said = (decision.desired, decision.direction, decision.kind, event.acked_per_s)
        arguments = [serial, *said, msgspec.json.encode(event), EVENTS_KEPT, event.at_ms, since_ms]
        return bool(self._script(keys=[keys.scale(event.group), keys.SCALE_EVENTS], args=arguments))

    def tell(self, event: Event) -> None:
        """Put it on the timeline at the next `flush`."""
        self._untold.append(event)

    def flush(self) -> None:
        if not self._untold:
            return
        told = list(self._untold)
        self._client.rpush(keys.SCALE_EVENTS, *map(msgspec.json.encode, told))
        self._client.ltrim(keys.SCALE_EVENTS, -EVENTS_KEPT, -1)
        for event in told:
            self._untold.remove(event)

    def has_drained(self, group: str, consumers: tuple[str, ...]) -> None:
        self._client.hdel(keys.scale(group), *(f"{DRAIN}{name}" for name in consumers))
