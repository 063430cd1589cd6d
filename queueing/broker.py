"""The contract of a broker. What is promised here is what `queueing/tests/conformance.py` proves of each one.

**Delivery** is at least once from a `produce` that returned. A produce that raised BrokerUnavailable is *unknown*:
produce the same messages again with the same ids; consumers know them by id.

**Competing mode.** Any consumer of a group takes any entry: no assignment and no rebalance. Different groups each see
every entry; one group is a queue, many groups are publish/subscribe.

**Ownership.** An entry belongs to the consumer it was delivered to until that consumer settles it (ack, retry, bury)
or is declared dead and another takes it over. Settling what is no longer yours changes nothing and says so.

**Per group.** A retried or buried message belongs to one group. It leaves the topic's log for that group in the step
that puts it into the group's retry set or dead letters; it is never appended to the topic again.

**Delayed messages.** A message with `deliver_at_ms` waits in its partition, survives whatever the log survives, and is
appended to the log once it is due, in due order, by whoever calls `promote` next. Until then it is no lag.

**Growth.** A topic grows while it is used: each of its n partitions p splits into p and p+n, one after the other. From
then on nothing of a key that moved is appended to p. A group reads p+n when it has settled all that p had until then;
what it holds outside the log of keys that moved (retries, parked, dead) has moved along then, with its id, and so has
what is delayed. So p+n waits for p alone, each group for itself, and messages of one key keep their order.

Not promised: order between messages (even of one key, once one of them is retried), and that an entry is delivered
only once. The inbox makes effects happen once.

Every method may raise BrokerUnavailable. Brokers are used by one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from queueing.about import About
from queueing.dead import Buried, Mark
from queueing.message import Delivery, Message
from queueing.series import Series
from queueing.topic import Topic

# Where a group stands in a partition: the beginning of what is kept, the end, a moment (milliseconds since 1970 on the
# broker's clock: the first entry appended then or later), or the offset of the entry that is read next.
Position = str | int
Where = tuple[str, str]  # topic, partition
BEGINNING: Final = "beginning"
END: Final = "now"

SAVED_UP_S = 0.1  # of a group's rate: an idle group may start with this much at once, and not more
MADE_UP_S = 1.0  # of a group's rate: what a long turn may leave to be made up for while there is a backlog


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message is retried or buried."""

    reason: str
    traceback: str = ""

    def __post_init__(self) -> None:
        # A lone surrogate, as in the name of a file that is no UTF-8, can be written neither as JSON nor to a log.
        for name in ("reason", "traceback"):
            object.__setattr__(self, name, getattr(self, name).encode(errors="backslashreplace").decode())


@dataclass(frozen=True, slots=True)
class GroupStats:
    """One partition as one group sees it. Counts are messages, ages milliseconds on the broker's clock."""

    topic: str
    partition: str
    group: str
    appended: int
    acked: int
    skipped: int  # passed over unread: trimmed before it began, or before where it was put; less what it reads again
    done: int
    in_flight: int
    delayed: int  # in the retry set, or on the way to the partition that their key has moved to
    dead: int
    oldest_age_ms: int  # age of the oldest entry nobody acknowledged; 0 when there is none
    later: int = 0  # of the partition, the same for every group: messages that are not due yet
    trimmed: int = 0  # of the partition: entries that were appended and dropped again; appended = kept + trimmed
    kept: int = 0
    parked: int = 0  # in ordered mode: followers of messages that failed
    retried: int = 0  # ever: failed, and set aside to come again
    buried: int = 0  # ever
    quarantined: int = 0  # of the dead: replayed as often as they may be
    purged: int = 0  # dead letters an operator had forgotten
    moved: int = 0  # held outside the log: came from the partition this one was split from, less what left in this way
    in_hands: Mapping[str, int] = field(default_factory=dict)  # consumer → what it holds

    @property
    def lag(self) -> int:
        return self.appended - self.skipped - self.acked


class Broker(Protocol):
    """capabilities: what it can beyond this; "ordered" is queueing.leases.OrderedBroker."""

    topics: Mapping[str, Topic]
    capabilities: ClassVar[frozenset[str]]

    def produce(self, messages: Sequence[Message]) -> None:
        """Append each message to the partition of its key, durably. Messages of one key keep their order.

        One with `deliver_at_ms` is stored beside the log until then. That is not refused by a full topic.

        Raises:
            TopicFull: a partition's gate group is too far behind; it says which messages were refused. The others
                were appended.
            UnknownTopic: the topic is not declared.
        """

    def promote(self, topics: Sequence[str]) -> float | None:
        """Append the delayed messages that are due. Returns the seconds until the next one is; None: there is none."""

    def cancel(self, message_id: str) -> bool:
        """Forget a delayed message. False: it is in the log already, or was never delayed."""

    def ensure_partition(self, topic: str, partition: str) -> None:
        """Make a partition known, so that consumers read it within a second. Doing it again changes nothing."""

    def partitions(self, topic: str) -> list[str]:
        """Each before those that were split from it."""

    def grow(self, topic: str, partitions: int) -> None:
        """Split partitions until there are so many. Doing it again, or at the same time, changes nothing more.

        One that was broken off is finished by doing it again; until then some partitions are split and others are not.

        Raises:
            CannotGrow: the topic is dynamic, or that is no doubling of the number it began with.
            UnknownTopic: the topic is not declared.
        """

    def beat(self, group: str, consumer: str, about: About | None = None) -> None:
        """Say that this consumer's work loop still turns. Call it before the first read."""

    def abouts(self, group: str) -> dict[str, About]:
        """Consumer → what it said of itself with its last beat; forgotten when it leaves or is taken over."""

    def beats(self, group: str) -> dict[str, str]:
        """Consumer → something that changes whenever it beats. Lists everybody who may hold an entry."""

    def read(
        self,
        group: str,
        consumer: str,
        topics: Sequence[str],
        limit: int,
        wait_s: float,
        without: Collection[Where] = (),
    ) -> list[Delivery]:
        """Up to `limit` new entries of each partition but those `without`, waiting up to `wait_s` s. A new group begins
        where `start_at` said, otherwise with the first entry that is kept."""

    def read_one(self, group: str, consumer: str, where: Where, limit: int) -> list[Delivery]:
        """Up to `limit` new entries of one partition; none while it waits for the one it was split from."""

    def others_are_live(self, group: str, within_s: float) -> bool:
        """Whether something was appended to any topic within the last `within_s` s, where the last entry that another
        group read is no more than that older than the newest."""

    def start_at(self, group: str, start: Position) -> None:
        """Where this group begins in partitions it has never read. `END` is counted from the first time it is said."""

    def seek(self, group: str, topic: str, partition: str, to: Position, *, dry_run: bool = False) -> int:
        """Put a group somewhere else. Returns how many entries it will read from there to the end.

        What its consumers hold from there on is taken out of their hands, as it comes again. What it holds from before,
        its retries and its dead letters stay. Counters stay exact. Partitions that were split from this one later than
        the position wait for it again.
        """

    def pause(self, group: str) -> None:
        """Let this group's consumers, wherever they run, finish what they hold and read nothing more."""

    def resume(self, group: str) -> None: ...

    def is_paused(self, group: str) -> bool: ...

    def trim(self, topic: str, groups: Sequence[str]) -> int:
        """Drop old entries as the topic's retention says, a bounded number. Returns how many.

        Never one that a group has not settled, and nothing of a partition that one of `groups` has not begun to read.
        """

    def read_due(self, group: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        """Up to `limit` retried messages whose time has come, each `alone`."""

    def charge(
        self, group: str, messages: int, rate: float, *, topic: str = "", saved_up_s: float = SAVED_UP_S
    ) -> float:
        """Charge messages to a cap of `rate` messages a second, shared by all consumers of the group: one topic's, or
        the whole group's. Returns the seconds until they may be handled; less than 0: how much is saved up still.

        saved_up_s: seconds' worth of the rate that may have been saved up until now.
        """

    def rates(self, group: str) -> Mapping[str, float | None]:
        """What was set by `set_rate`: topic ("" is the whole group) → messages a second; None is no cap."""

    def set_rate(self, group: str, rate: float | None, *, topic: str = "") -> None:
        """Cap one topic, or the whole group, whatever its subscription declares. Consumers see it within a second."""

    def forget_rate(self, group: str, *, topic: str = "") -> None:
        """Let what the subscription declares hold again."""

    def take_over(self, group: str, dead: str, consumer: str, topics: Sequence[str], limit: int) -> list[Delivery]:
        """Up to `limit` entries of a consumer that died, now ours, each `alone`. Its retried messages become due."""

    def begin_attempt(self, group: str, consumer: str, delivery: Delivery) -> bool:
        """Write down that this attempt begins, so that the next owner knows if it kills us. False: not ours."""

    def ack(self, group: str, consumer: str, deliveries: Sequence[Delivery]) -> int:
        """Done with these. Returns how many were still ours."""

    def retry(
        self, group: str, consumer: str, delivery: Delivery, delay_s: float, failure: Failure, *, count: bool
    ) -> bool:
        """Let it come again to this group after `delay_s`. count=False: it came too early, no attempt."""

    def bury(
        self, group: str, consumer: str, delivery: Delivery, failure: Failure, *, quarantine: bool = False
    ) -> bool:
        """Move it to this group's dead letters. quarantine: it was replayed often enough; it is marked as such."""

    def dead_letters(
        self,
        group: str,
        topic: str,
        partition: str,
        *,
        past: Mark | None = None,
        newest_first: bool = True,
        limit: int = 100,
    ) -> list[Buried]:
        """A page of a group's dead letters in the order of their burial, beyond a mark. It may be shorter than `limit`,
        for large messages; only at the end it is empty."""

    def dead_letter(self, group: str, topic: str, partition: str, message_id: str) -> Buried | None: ...

    def replay(self, letters: Sequence[Buried]) -> int:
        """Move dead letters back to the groups that failed, same id, attempts from one. Returns how many; one that is
        not there any more, or was buried again since it was seen, stays as it is."""

    def purge(self, letters: Sequence[Buried]) -> int:
        """Forget dead letters for good. Returns how many. What was parked behind one goes on, in order."""

    def leave(self, group: str, consumer: str, topics: Sequence[str]) -> None:
        """A consumer that has settled everything goes. One that holds an entry stays listed until it is taken over."""

    def tide(self, known: int) -> int:
        """Raise the high-water mark by one and return it. known: the highest it ever returned.

        Raises:
            RanBackwards: the mark is lower than that, so what was produced since it was given is lost.
        """

    def stats(self, groups: Mapping[str, Sequence[str]]) -> list[GroupStats]:
        """One row per partition and group. groups: consumer group → its topics."""

    def series(self, group: str, topic: str, last_s: int) -> Series:
        """The last `last_s` seconds, at most an hour of them, the present one included: all partitions added up."""
