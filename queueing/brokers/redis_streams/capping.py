"""Caps: charging messages to one, and setting one while consumers run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from queueing import keys
from queueing.broker import SAVED_UP_S
from queueing.brokers.redis_streams.base import RedisBase, speaks_broker
from queueing.faults.fault import Kind
from queueing.subscription import WHOLE_GROUP

OFF = b"off"


class Capping(RedisBase):
    @speaks_broker
    def charge(
        self, group: str, messages: int, rate: float, *, topic: str = "", saved_up_s: float = SAVED_UP_S
    ) -> float:
        arguments = [rate, saved_up_s, messages, SAVED_UP_S]
        return int(self._scripts["charge"](keys=[keys.rate(group, topic)], args=arguments)) / 1_000_000

    @speaks_broker
    def rates(self, group: str) -> dict[str, float | None]:
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.caps(group))
            pipe.exists(keys.fault(Kind.LIFT, group))
            fields, lifted = pipe.execute()
        return caps_from(fields, lifted_from=self.topics if lifted else ())

    @speaks_broker
    def set_rate(self, group: str, rate: float | None, *, topic: str = "") -> None:
        self.redis.hset(keys.caps(group), topic, OFF if rate is None else repr(rate))

    @speaks_broker
    def forget_rate(self, group: str, *, topic: str = "") -> None:
        self.redis.hdel(keys.caps(group), topic)


def caps_from(fields: Mapping[bytes, bytes], *, lifted_from: Collection[str] = ()) -> dict[str, float | None]:
    """What `keys.caps` holds. lifted_from: topics that a fault lets go uncapped for now, whatever that says."""
    if lifted_from:
        return dict.fromkeys((WHOLE_GROUP, *lifted_from))
    return {topic.decode(): None if rate == OFF else float(rate) for topic, rate in fields.items()}
