"""What can go wrong in the queue. Each docstring is the message an operator reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from queueing.backpressure import retry_after_s

if TYPE_CHECKING:
    from queueing.event import Event
    from queueing.message import Message


class QueueingError(Exception):
    """Something went wrong in the queue."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (self.__doc__ or "").strip())


class BrokerUnavailable(QueueingError):
    """The broker did not answer. What was being produced is *unknown*, not failed: ask again with the same id."""


class RanBackwards(BrokerUnavailable):
    """The broker's store is older than PostgreSQL knows: it lost messages. Nothing is told until that is made good."""


class StoreUnavailable(QueueingError):
    """The database that handlers write to is away. No attempt is counted; the batch runs again when it is back."""


class TopicFull(QueueingError):
    """The topic's gate group is too far behind. Come back after `retry_after` seconds.

    refused: the messages that were not appended; all others that were to be produced with them were.
    """

    def __init__(
        self, topic: str, lag: int, capacity: int, *, acked_per_s: float, refused: Sequence[Message] = ()
    ) -> None:
        self.refused = list(refused)
        self.retry_after = retry_after_s(lag=lag, capacity=capacity, acked_per_s=acked_per_s)
        super().__init__(
            f"topic {topic!r} is full: lag {lag} of {capacity}, {acked_per_s:.1f}/s are worked off; "
            f"retry after {self.retry_after:.1f} s"
        )


class UnknownTopic(QueueingError):
    """This topic is not declared in settings.QUEUEING['TOPICS']."""


class CannotGrow(QueueingError):
    """A topic of which the key is the partition, or a number that is no doubling, can't be grown to."""


class UnknownEvent(QueueingError):
    """A message names an event, or a version of one, that this program does not know."""


class MalformedMessage(QueueingError):
    """A message's body does not decode into its event."""


class NotInTransaction(QueueingError):
    """publish() was called outside transaction.atomic(): the event could be told without being true."""


class LeaseLost(QueueingError):
    """Another consumer holds this partition now, by a later token, or the group was put elsewhere in it.

    Nothing was changed; what was read of it is not ours any more.
    """

    def __init__(self, topic: str, partition: str) -> None:
        super().__init__(
            f"the lease of {topic}/{partition} is lost: a later token is known, or the group was put elsewhere"
        )
        self.where = (topic, partition)


class HandlerExited(QueueingError):
    """A handler called sys.exit(), or was cancelled. It ends its batch as any exception does, and not the consumer."""


class RolledBack(QueueingError):
    """The handler returned, and PostgreSQL can't commit: an error of the database was caught without a savepoint around
    it (transaction.atomic()), or the handler called set_rollback() or ended the transaction. Nothing happened."""


class NotYet(QueueingError):
    """These events came before the fact they stand on. They wait and come again; no attempt is counted.

    Raise it from a handler: `raise NotYet([event, ...])`. The rest of the batch is run again without them.
    """

    def __init__(self, events: Sequence[Event], detail: str = "") -> None:
        super().__init__(detail or f"{len(events)} event(s) came before the fact they stand on")
        self.events = tuple(events)
