"""Ordered mode: a partition is leased to one consumer of its group, with a token that only ever rises.

A token is (epoch, n). `n` comes from the broker and rises with every lease. A broker can lose its memory or come back
older than it was, so `epoch` comes from the database and is raised when that is found out: tokens never run backwards
when the broker does. Whoever settles shows its token to the broker, and whoever commits shows it to the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from queueing.broker import Broker, Failure
from queueing.broker import Where as Where
from queueing.message import Delivery

Key = tuple[str, str, str]  # topic, partition, key


class Token(NamedTuple):
    epoch: int
    n: int


class Lease(NamedTuple):
    topic: str
    partition: str
    token: Token


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """A partition and who holds it; owner is empty when nobody does."""

    topic: str
    partition: str
    owner: str
    token: Token


@dataclass(frozen=True, slots=True)
class InOrder:
    """What was read, in the order of its log; those of its keys that are blocked: their entries are followers; and
    the partitions that could not be read, as their lease is lost."""

    deliveries: Sequence[Delivery] = ()
    blocked: frozenset[Key] = frozenset()
    lost: tuple[Where, ...] = ()


class Authority(Protocol):
    """The database that effects are written to: it decides whose token is the highest."""

    def epoch(self) -> int: ...

    def raise_epoch(self, above: int) -> None:
        """Make sure that the epoch is higher than this one."""

    def admit(self, lease: Lease) -> bool:
        """Shut out every earlier holder of this partition. False: a later one was admitted before."""


class OrderedBroker(Broker, Protocol):
    """What a broker offers for ordered mode, beside what every broker does.

    Methods that take a lease, or deliveries with a token, raise LeaseLost when the broker knows a later holder of the
    partition, or the group was put elsewhere in it; then nothing of that partition was changed. (read_in_order tells it
    beside what it read of others.)
    """

    def leases(self, group: str, topics: Sequence[str]) -> list[LeaseSeen]:
        """Every partition of these topics."""

    def take_lease(self, group: str, consumer: str, seen: LeaseSeen, epoch: int) -> Lease | None:
        """Lease a partition that is as it was seen, or whose lease is of an older epoch. None: it is not any more.

        Retried messages that the last holder had in hand go back to where they waited.
        """

    def give_lease(self, group: str, consumer: str, lease: Lease) -> bool: ...

    def read_in_order(self, group: str, consumer: str, leases: Sequence[Lease], limit: int, wait_s: float) -> InOrder:
        """Up to `limit` new entries of each leased partition, waiting up to `wait_s` s."""

    def read_left_behind(self, group: str, consumer: str, lease: Lease, limit: int) -> InOrder:
        """Entries that earlier holders read and never settled, oldest first, now ours, each `alone`."""

    def read_due_in_order(self, group: str, consumer: str, leases: Sequence[Lease], limit: int) -> list[Delivery]:
        """Heads that are due: one that was begun before `alone`, or several with their followers, of one partition."""

    def ack_in_order(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        """Done with these. A head that is done passes its place to its key's first follower, which is due at once."""

    def retry_in_order(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        """Let it come again; until then its key is blocked. False: it is not, the message was a copy."""

    def bury_in_order(
        self,
        group: str,
        consumer: str,
        delivery: Delivery,
        failure: Failure,
        *,
        keep_blocked: bool,
        quarantine: bool = False,
    ) -> bool:
        """Move it to the dead letters. Returns whether its key is blocked now."""

    def park(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        """Move followers behind the heads of their keys, in this order. Returns how many were ours."""


def fair_share(me: str, held: Mapping[str, int], partitions: int) -> int:
    """How many of so many partitions are mine. held: consumer that is alive → how many it holds.

    Whoever holds more keeps the odd one, so that as few partitions move as can be.
    """
    ranked = sorted(held, key=lambda name: (-held[name], name))
    each, odd = divmod(partitions, len(ranked))
    return each + (ranked.index(me) < odd)


def place_of(delivery: Delivery) -> Where:
    return delivery.message.topic, delivery.partition


def key_of(delivery: Delivery) -> Key:
    return delivery.message.topic, delivery.partition, delivery.message.key


def by_place(deliveries: Collection[Delivery]) -> dict[Where, list[Delivery]]:
    """Cut by partition, order kept."""
    found: dict[Where, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(place_of(delivery), []).append(delivery)
    return found
