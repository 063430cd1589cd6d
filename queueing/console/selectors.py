"""What operators ask about the queue: its numbers now, and its dead letters."""

from __future__ import annotations

from queueing.brokers.redis_dead import dead_called, newest_dead
from queueing.conf import subscriptions
from queueing.console.letters import Address, DeadLetter
from queueing.console.link import client
from queueing.console.reading import Reader, Reading
from queueing.console.sampling import Place, places

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
    return [DeadLetter(of, parked) for of, parked in newest_dead(client(), _places_of(group), limit=limit)]


def dead_letters_called(message_id: str, *, group: str = "") -> list[DeadLetter]:
    """This message in one group's dead letters, or in every group's.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return [DeadLetter(of, parked) for of, parked in dead_called(client(), _places_of(group), message_id)]


def find_dead_letter(address: Address) -> DeadLetter | None:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    if address.group not in subscriptions():
        return None
    place = (address.topic, address.partition, address.group)
    found = dead_called(client(), [place], address.id)
    return DeadLetter(*found[0]) if found else None


def _places_of(group: str) -> list[Place]:
    return [place for place in places() if group in ("", place[2])]
