"""What operators ask about the queue: its numbers now, and its dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from queueing.brokers.redis_dead import dead_called
from queueing.conf import subscriptions
from queueing.console.choosing import Choice, chosen
from queueing.console.letters import Address, DeadLetter
from queueing.console.link import client
from queueing.console.reading import Reader, Reading
from queueing.dead import Buried

PAGE = 100

_reader = Reader()


def read_queue() -> Reading:
    """The whole queue, at most a second old unless Redis is away. It says since when it does not know."""
    return _reader.read()


def dead_letters(choice: Choice) -> list[DeadLetter]:
    """Those an operator means, large payloads cut.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return [DeadLetter.of(buried) for buried in chosen(choice, client())]


def find_dead_letter(address: Address) -> Buried | None:
    """
    Raises:
        redis.RedisError: Redis does not answer.
    """
    if address.group not in subscriptions():
        return None
    place = (address.topic, address.partition, address.group)
    return next(iter(dead_called(client(), [place], address.id)), None)


def addressed(addresses: Iterable[Address]) -> Iterator[Buried]:
    """Those of them that are still dead.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    for address in addresses:
        if found := find_dead_letter(address):
            yield found
