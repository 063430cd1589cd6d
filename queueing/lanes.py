"""Which partitions a consumer reads next, so that a backlog does not hold up what is new.

Two lanes, each with a budget of its own:

live         partitions where the group is at the end of the log, or near: read first, all of them together
catching up  partitions where it is far behind: one at a time, one batch (and one megabyte) at a time, whenever live has
             nothing, and after four live batches in a row

An *old* backlog is a replay, or a group that was down. While other groups are at the end of their logs and something is
told to them, each consumer spends a quarter of its time on it, in small batches, and waits for its live lane meanwhile.
As soon as nobody is disturbed it goes at full speed. Never slowed down are a fresh backlog and that of a topic's gate
group, as people wait for those, and what has a cap, which is slow enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from queueing.broker import Broker, Where
from queueing.capping import Caps
from queueing.message import Delivery
from queueing.subscription import Subscription

FAR_BATCHES = 4  # unread, and a partition is behind; until no more than one batch is
LIVE_IN_A_ROW = 4
OLD_S = 10.0  # the age of a backlog that may wait
LATELY_S = 10.0  # others have something to do if they were told something within this
SHARE = 0.25  # of the time of each consumer, for an old backlog while others are live
GENTLY = 100  # messages of it at a time: what others wait for in Redis, PostgreSQL and on the processor stays short
LONGEST_REST_S = 5.0
LOOK_S = 0.5  # how often a consumer that catches up looks where it stands; one that does not never looks
MOST_BYTES = 1_000_000  # of bodies, about, in one catching-up read: everybody else's command waits behind it

NO_WAIT_S = 0.001
FOR_EVER = float("inf")


@dataclass(slots=True)
class Lanes:
    """Decides on the reads of one consumer, and lets `fetch` and `fetch_one` do them.

    fetch: (topics, limit, wait in s, partitions to leave out) → how many entries came. fetch_one: (partition, limit) →
    those that came. ours: whether this consumer may read that partition; in ordered mode it needs the lease.
    """

    subscription: Subscription
    broker: Broker
    caps: Caps
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    collect_s: float
    fetch: Callable[[Sequence[str], int, float, Collection[Where]], int]
    fetch_one: Callable[[Where, int], list[Delivery]]
    ours: Callable[[Where], bool] = lambda _: True
    behind: dict[Where, bool] = field(default_factory=dict)  # whose turn is next stands first → whether it may wait
    far_batches: int = FAR_BATCHES
    _next_look: float = field(default=-FOR_EVER, init=False)
    _wanted: bool = field(default=True, init=False)
    _collect_until: float = field(default=-FOR_EVER, init=False)
    _live_in_a_row: int = field(default=0, init=False)
    _began: float | None = field(default=None, init=False)  # a batch of an old backlog, which is being handled
    _rest_until: float = field(default=-FOR_EVER, init=False)
    _bytes_each: float = field(default=1.0, init=False)

    def read(self, wait_s: float) -> int:
        """Read from one lane. Returns how many entries came. wait_s: with 0 it never sleeps."""
        self._rest()
        self._look()
        now = self.clock()
        where = next(iter(self._open_behind(rested=now >= self._rest_until)), None)
        catch_up_in_s = 0.0 if where else self._rest_until - now if self._open_behind(rested=True) else FOR_EVER
        collect_s = max(0.0, self._collect_until - now)
        if catch_up_in_s == FOR_EVER and collect_s > 0 and wait_s > 0:
            # Or until a batch that waits for its cap may be handled.
            self.sleep(min(collect_s, self.caps.ready_in_s))
            if not self.caps.ready_in_s:
                return 0
            collect_s = 0.0
        if not collect_s and not (where and self._live_in_a_row >= LIVE_IN_A_ROW):
            came = self._read_live(min(wait_s, catch_up_in_s))
            if came or not where:
                return came
        if where:
            return self._catch_up(where) or self.read(wait_s)
        if wait_s > 0:
            self.sleep(min(wait_s, collect_s, catch_up_in_s, self.caps.ready_in_s))
        return 0

    def _read_live(self, wait_s: float) -> int:
        shares, behind = self.caps.shares(), self.behind.keys()
        came, full = 0, False
        if len(shares) > 1:
            for limit, topics in shares:
                here = self.fetch(topics, limit, min(wait_s, NO_WAIT_S), behind)
                came, full = came + here, full or here >= limit
        if not came:  # wake for the first of any of them
            limit = min(limit for limit, _ in shares)
            came = self.fetch([topic for _, topics in shares for topic in topics], limit, wait_s, behind)
            full = came >= limit
        # Entries that trickle in are collected: never a commit for each.
        self._collect_until = self.clock() + self.collect_s if came and not full else -FOR_EVER
        self._live_in_a_row = self._live_in_a_row + 1 if came else 0
        self._wanted = self._wanted or full
        return came

    def _open_behind(self, *, rested: bool) -> list[Where]:
        """Partitions that may catch up as far as caps go, and as far as rests go."""
        if not self.behind:
            return []
        topics = self.caps.open_topics()
        return [where for where, old in self.behind.items() if where[0] in topics and (rested or not old)]

    def _catch_up(self, where: Where) -> int:
        old = self.behind[where]
        most = GENTLY if old else self.subscription.batch_size
        limit = max(1, min(most, self.caps.limit(where[0]), int(MOST_BYTES / self._bytes_each)))
        read = self.fetch_one(where, limit)
        self.behind.pop(where, None)
        if len(read) >= limit:
            self.behind[where] = old  # and the others first
        self._live_in_a_row = 0
        if read:
            self._bytes_each = max(1.0, sum(len(delivery.message.body) for delivery in read) / len(read))
            self._began = self.clock() if old else None
        return len(read)

    def _rest(self) -> None:
        """After a batch of an old backlog was handled, for as long as the share of time says."""
        if self._began is not None:
            now = self.clock()
            self._rest_until = now + min(LONGEST_REST_S, (now - self._began) * (1 / SHARE - 1))
            self._began = None

    def _look(self) -> None:
        """See what is behind, by the queue's own counters. Only who read a full batch, or is behind, has to look."""
        now = self.clock()
        if now < self._next_look or not (self._wanted or self.behind):
            return
        self._next_look, self._wanted = now + LOOK_S, False
        group = self.subscription.group
        rows = {(row.topic, row.partition): row for row in self.broker.stats({group: self.subscription.topics})}
        before, self.behind = self.behind, {}
        for where in (*before, *(where for where in rows if where not in before)):
            row = rows.get(where)
            if row is None or not self.ours(where):
                continue
            if row.lag - row.in_flight > self.caps.limit(where[0]) * (1 if where in before else self.far_batches):
                self.behind[where] = self._may_wait(where, row.oldest_age_ms / 1000)
        if any(self.behind.values()) and not self.broker.others_are_live(group, LATELY_S):
            self.behind = dict.fromkeys(self.behind, False)

    def _may_wait(self, where: Where, age_s: float) -> bool:
        topic = where[0]
        is_gate = self.broker.topics[topic].gate_group == self.subscription.group
        return age_s >= OLD_S and self.caps.of(topic) is None and not is_gate
