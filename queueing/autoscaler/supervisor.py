"""The loop: once a second look, decide, and bring the children to this supervisor's share; at once when one ends.

It needs Redis to decide, and nothing else. While Redis is away the children stay as they are, and one that ends is
replaced.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from redis.exceptions import RedisError

from queueing.autoscaler.brain import Brain, Seen, is_news
from queueing.autoscaler.children import Crew, Nursery
from queueing.autoscaler.events import Teller
from queueing.autoscaler.others import Others
from queueing.autoscaler.records import Beat, Mine
from queueing.autoscaler.register import Register
from queueing.autoscaler.sampling import Look, look
from queueing.autoscaler.waking import Wake
from queueing.leases import fair_share
from queueing.subscription import Subscription
from queueing.topic import Topic

logger = logging.getLogger("queueing.autoscaler")

EVERY_S = 1.0
STOP_WITHIN_S = 7.5  # of politeness; the stack gives this process one more


class Supervisor:
    """client: to Redis, impatient. nursery: starts a group's consumer."""

    def __init__(
        self,
        client: Any,
        nursery: Nursery,
        subscriptions: Mapping[str, Subscription],
        topics: Mapping[str, Topic],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.stopping = False
        self._client, self._subscriptions, self._topics, self._clock = client, subscriptions, topics, clock
        self._register = Register(client, self.name)
        self._others = Others(self.name, clock)
        self._brains = {group: Brain() for group in subscriptions}
        self._tellers = {group: Teller(group, self.name) for group in subscriptions}
        self._beats = 0
        self._away = False
        self.crews = {
            group: Crew(group, nursery, subscription.lease_s, partial(self._tell, group), clock)
            for group, subscription in subscriptions.items()
        }

    def run(self) -> None:
        """Until `stop`; then every child finishes its batch and leaves."""
        with Wake() as wake:
            next_look = self._clock()
            while not self.stopping:
                if self._clock() >= next_look:
                    self.look()
                    next_look = max(next_look + EVERY_S, self._clock())
                due_in_s = min((crew.due_in_s for crew in self.crews.values()), default=EVERY_S)
                wake.wait(min(due_in_s, max(0.0, next_look - self._clock())))
                self.turn()
            deadline = self._clock() + STOP_WITHIN_S
            for crew in self.crews.values():
                crew.aim(0)
            self.turn()
            self._say_goodbye()
            while self.turn() and self._clock() < deadline:
                wake.wait(0.2)
            self.kill()

    def stop(self) -> None:
        self.stopping = True

    def turn(self) -> int:
        """Let every crew see who has ended. Returns how many children there are."""
        for crew in self.crews.values():
            crew.turn()
        return sum(len(crew.kept) for crew in self.crews.values())

    def kill(self) -> None:
        """Those that do not leave."""
        for crew in self.crews.values():
            for one in crew.kept:
                logger.warning("%s: consumer %d did not leave in time: killed", crew.group, one.child.pid)
                one.child.kill()

    def look(self) -> None:
        """One look, and what follows from it for every group."""
        try:
            seen = look(self._client, self._subscriptions, self._topics)
            alive, gone = self._others.observe(seen.supervisors)
            for group, of_group in seen.groups.items():
                self._settle(group, of_group, alive, seen.now_ms)
            self.turn()
            self._beat(seen)
            self._register.flush()
            if gone:
                self._register.forget(*gone)
        except (RedisError, OSError) as error:
            if not self._away:
                logger.warning("Redis is away (%s); the consumers stay as they are", error)
            self._away = True
            self._others.know_nothing()
            for crew in self.crews.values():
                crew.know_nothing()
        else:
            if self._away:
                logger.info("Redis is back")
            self._away = False

    def _settle(self, group: str, seen: Seen, alive: Mapping[str, Beat], now_ms: int) -> None:
        crew, brain, teller = self.crews[group], self._brains[group], self._tellers[group]
        held = {name: beat.groups[group].actual for name, beat in alive.items() if group in beat.groups}
        held[self.name] = crew.actual
        decision, samples = brain.think(seen, now_s=self._clock(), actual=sum(held.values()))
        event = teller.note(decision, samples, now_ms)
        desired = decision.desired
        if is_news(decision, seen.state):
            if self._register.decide(seen.state.serial, decision, event):
                teller.log(event)
            elif decision.direction != "hold":  # another supervisor was first; the next look shows its number
                desired = brain.desired(seen)
        crew.observe(seen.beats)
        crew.aim(fair_share(self.name, held, desired), seen.state.drains)
        if mine := crew.own(seen.state.drains):
            self._register.has_drained(group, mine)

    def _beat(self, seen: Look) -> None:
        self._beats += 1
        mine = {
            group: Mine(actual=crew.actual, reason=self._tellers[group].reason) for group, crew in self.crews.items()
        }
        self._register.beat(
            Beat(count=self._beats, at_ms=seen.now_ms, house=self._others.house, pid=os.getpid(), groups=mine)
        )

    def _tell(self, group: str, what: str) -> None:
        event = self._tellers[group].replaced(what)
        self._tellers[group].log(event)
        self._register.tell(event)

    def _say_goodbye(self) -> None:
        try:
            self._register.flush()
            self._register.forget(self.name)
        except (RedisError, OSError) as error:
            logger.warning("nobody was told that this supervisor leaves (%s); they will notice", error)
