"""What a process knows of the faults that concern it: asked for at most twice a second, in one command."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from queueing import keys
from queueing.faults import store
from queueing.faults.fault import Fault, Kind, decoded

logger = logging.getLogger("queueing.faults")

LOOK_S = 0.5  # also how late a fault may be noticed, and its end


@dataclass(slots=True)
class Weather:
    """The faults of these kinds, for one group or the house. A Redis that does not answer makes fair weather."""

    redis: Any
    kinds: tuple[Kind, ...]
    group: str = ""
    clock: Callable[[], float] = time.monotonic
    _faults: dict[Kind, Fault] = field(default_factory=dict, init=False)
    _next_look: float = field(default=float("-inf"), init=False)

    def look(self) -> None:
        now = self.clock()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        try:
            found = self.redis.mget([keys.fault(kind, self.group if kind.of_a_group else "") for kind in self.kinds])
        except RedisError:
            self._faults = {}
            return
        if any(found) or self._faults:
            self._change(
                {kind: fault for kind, text in zip(self.kinds, found, strict=True) if (fault := decoded(text))}
            )

    def of(self, kind: Kind) -> Fault | None:
        return self._faults.get(kind)

    def count(self, fault: Fault, **did: int) -> dict[str, int]:
        """For whoever watches the fault: see store.count. Empty when it cannot be noted."""
        try:
            return store.count(self.redis, fault, **did)
        except RedisError as error:
            logger.debug("not noted what the fault %s did: %s", fault.kind.value, error)
            return {}

    def _change(self, faults: dict[Kind, Fault]) -> None:
        for kind, before in self._faults.items():
            if faults.get(kind) != before:
                logger.warning("the fault %s of %s is over", kind.value, before.group or "the house")
        for kind, fault in faults.items():
            if self._faults.get(kind) != fault:
                where = fault.group or "the house"
                by = fault.by or "somebody"
                logger.warning("the fault %s (%g) acts on %s, as %s wanted", kind.value, fault.value, where, by)
        self._faults = faults
