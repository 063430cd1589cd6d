"""The connection, the scripts, and what each part of the broker needs to know: which partitions there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from queueing import keys
from queueing.broker import BEGINNING, END, Position
from queueing.brokers.lua import load
from queueing.brokers.redis_layout import read_partitions
from queueing.brokers.redis_seek import seek
from queueing.brokers.redis_streams.patience import Patience
from queueing.errors import BrokerUnavailable
from queueing.layout import Split, grown_from, split_that_made
from queueing.topic import Topic

SOCKET_TIMEOUT_S = 5.0
COMPETING = (
    "produce",
    "ack",
    "retry",
    "bury",
    "due",
    "take_over",
    "begin_attempt",
    "leave",
    "replay",
    "purge",
    "retire",
    "charge",
    "schedule",
    "promote",
    "cancel",
    "seek",
    "trim",
    "tide",
    "beat",
)
GROWING = (
    "split_prepare",
    "split_switch",
    "later_leave",
    "later_arrive",
    "later_left",
    "later_sorted",
    "held_leave",
    "held_arrive",
    "held_left",
    "open",
    "shut",
)
ORDERED = ("take", "give", "read", "pending", "due", "ack", "retry", "park", "bury")
SCRIPTS = (*COMPETING, *GROWING, *(f"lease_{name}" for name in ORDERED))

P = ParamSpec("P")
R = TypeVar("R")
B = TypeVar("B", bound="RedisBase")


def speaks_broker(method: Callable[Concatenate[B, P], R]) -> Callable[Concatenate[B, P], R]:
    """Redis's errors become BrokerUnavailable: whoever uses a broker need not know which one it is."""

    @wraps(method)
    def wrapped(self: B, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except RedisError as error:
            self._forget_places()  # it may come back empty, or as another one
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    return wrapped


class RedisBase:
    """topics: every declared topic. url: redis://… ; one connection, used by one thread.

    replicas_to_ack: how many replicas must have what was produced before `produce` returns.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        *,
        url: str,
        socket_timeout_s: float = SOCKET_TIMEOUT_S,
        replicas_to_ack: int = 0,
    ) -> None:
        self.topics = topics
        self.replicas_to_ack = replicas_to_ack
        # No automatic retry: a read whose reply was lost has delivered entries to us that we do not know of.
        # Any: redis-py's annotations give every command both its sync and its async result.
        self.redis: Any = redis.Redis.from_url(
            url, socket_timeout=socket_timeout_s, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        # Entries as they come: redis-py would make a dict of each, which costs as much as all that we do with it.
        self.redis.set_response_callback("XREADGROUP", lambda reply, **_: reply)
        self._scripts = {name: self.redis.register_script(load(name)) for name in SCRIPTS}
        self._firsts: dict[str, int] = {}
        self._joined: set[tuple[str, str, str]] = set()
        self._looked: dict[tuple[str, tuple[str, ...]], tuple[float, list[tuple[str, str]]]] = {}
        self._starts: dict[str, Position] = {}
        self._clustered: bool | None = None  # not asked yet
        self._patience = Patience()

    def _is_cluster(self) -> bool:
        """Whether this Redis refuses a command whose keys lie in two slots. Asked once, and after each trouble."""
        if self._clustered is None:
            self._clustered = bool(int(self.redis.info("cluster")["cluster_enabled"]))
        return self._clustered

    @speaks_broker
    def partitions(self, topic: str) -> list[str]:
        return self._partitions([topic])[0][1]

    def _partitions(self, topics: Sequence[str]) -> list[tuple[str, list[str]]]:
        found = read_partitions(self.redis, [self.topics[topic] for topic in topics])
        self._firsts.update({topic: known.first for topic, known in found.items()})
        return [(topic, found[topic].partitions) for topic in topics]

    def _split_that_made(self, topic: str, partition: str) -> Split | None:
        """Call it with what `_partitions` found."""
        return None if self.topics[topic].dynamic else split_that_made(partition, self._firsts[topic])

    def _grown_from(self, topic: str, partition: str) -> list[str]:
        """It, and the partitions to which its keys may have moved."""
        declared = self.topics.get(topic)
        if declared is None or declared.dynamic:
            return [partition]
        return grown_from(partition, self._partitions([topic])[0][1], self._firsts[topic])

    def _forget_places(self) -> None:
        self._joined.clear()
        self._looked.clear()
        self._clustered = None

    def _join_lately(
        self, group: str, topics: Sequence[str], *, within_s: float
    ) -> tuple[list[tuple[str, str]], float]:
        """What `_join` found, at most `within_s` seconds ago, and how long ago that was."""
        now = time.monotonic()
        looked, where = self._looked.get((group, tuple(topics)), (float("-inf"), []))
        if now - looked <= within_s:
            return where, now - looked
        where = self._join(group, topics)
        self._looked[group, tuple(topics)] = now, where
        return where, 0.0

    def _join(self, group: str, topics: Sequence[str]) -> list[tuple[str, str]]:
        """Every partition of these topics that the group may read, with the group made where it was missing."""
        where = [(topic, p) for topic, partitions in self._partitions(topics) for p in partitions]
        for topic, partition in where:
            if (topic, partition, group) in self._joined:
                continue
            self._begin(group, topic, partition)
            self._joined.add((topic, partition, group))
        return self._opened(group, where)

    def _opened(self, group: str, where: list[tuple[str, str]]) -> list[tuple[str, str]]:
        raise NotImplementedError

    def start_at(self, group: str, start: Position) -> None:
        self._starts[group] = start

    def _begin(self, group: str, topic: str, partition: str) -> None:
        """Make the group where it is missing."""
        start = self._starts.get(group, BEGINNING)
        if start == END:  # a moment, so that a partition that appears later is read from its first entry
            since = self.redis.hget(keys.start(group), topic)
            if since is None:
                seconds, microseconds = self.redis.time()
                self.redis.hsetnx(keys.start(group), topic, seconds * 1000 + microseconds // 1000)
                since = self.redis.hget(keys.start(group), topic)
            start = int(since)
        seek(self.redis, self._scripts["seek"], (topic, partition, group), start, move=False)

    def _run_many(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """One script many times in one round trip. A script that Redis forgot had no effect and runs again."""
        script = self._scripts[name]
        with self.redis.pipeline(transaction=False) as pipe:
            for keys_, arguments in calls:
                pipe.evalsha(script.sha, len(keys_), *keys_, *arguments)
            replies: list[Any] = pipe.execute(raise_on_error=False)
        for at, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                replies[at] = script(keys=calls[at][0], args=calls[at][1])
            elif isinstance(reply, Exception):
                raise reply
        return replies


def pairs(flat: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(flat[::2], flat[1::2], strict=True)
