"""What operators ask about the queue: its numbers now, and its dead letters."""

from __future__ import annotations

from queueing.brokers.redis_dead import newest_dead, one_dead
from queueing.conf import subscriptions
from queueing.console.letters import Address, DeadLetter
from queueing.console.link import client
from queueing.console.reading import Reader, Reading
from queueing.console.sampling import places

PAGE = 100

_reader = Reader()


def read_queue() -> Reading:
    """The whole queue, at most a second old unless Redis is away. It says since when it does not know."""
    return _reader.read()


def dead_letters(*, group: str = "", limit: int = PAGE) -> list[DeadLetter]:
    """The last buried of one group, or of all, newest first.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    where = [place for place in places() if group in ("", place[2])]
    return [DeadLetter(of, parked) for of, parked in newest_dead(client(), where, limit=limit)]


def find_dead_letter(address: Address) -> DeadLetter | None:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    if address.group not in subscriptions():
        return None
    parked = one_dead(client(), (address.topic, address.partition, address.group), address.id)
    return None if parked is None else DeadLetter(address.group, parked)
