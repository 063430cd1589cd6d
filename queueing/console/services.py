"""What operators do to dead letters. Every action leaves a row in the admin's log: who, when, what, how many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from redis.exceptions import RedisError

from queueing.brokers.redis_dead import MOST_BYTES
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console.logbook import write_down
from queueing.console.plain import visible
from queueing.dead import Buried
from queueing.errors import BrokerUnavailable

AT_ONCE = 100
NAMED = 20  # ids written out in the log; the rest are counted

Progress = Callable[["Outcome"], None]
Action = Literal["replay", "purge"]
_DONE = {"replay": "Replayed", "purge": "Purged"}


@dataclass(slots=True)
class Outcome:
    """asked: how many were meant. quarantined: how many were skipped as such. broken_off: why, when Redis went away on
    the way; a few more may have moved than `moved` says."""

    action: Action
    asked: int
    moved: int = 0
    quarantined: int = 0
    broken_off: str = ""
    ids: list[str] = field(default_factory=list)

    @property
    def gone(self) -> int:
        """Moved by somebody else, or buried again, since they were asked for."""
        return max(0, self.asked - self.moved - self.quarantined)

    def __str__(self) -> str:
        text = f"{_DONE[self.action]} {self.moved:,} of {self.asked:,} dead letter{'' if self.asked == 1 else 's'}"
        if self.broken_off:
            return f"{text}, then Redis stopped answering: look again what is left"
        if self.quarantined:
            text += f"; {self.quarantined:,} quarantined, which only an explicit wish replays"
        return f"{text}; {self.gone:,} had been moved before" if self.gone else text


def replay_dead_letters(
    *,
    user: Any,
    letters: Iterable[Buried],
    asked: int,
    about: str,
    quarantined: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Move each back to the group that failed, with the same id, due now. What is not dead any more changes nothing.

    Interrupted anywhere and run again it does the rest: a letter is dead or back in its group, never both.
    letters: read as they are needed. user: who asks; must have queueing.operate, which the caller checks.
    quarantined: those, too, that were replayed as often as they may be.
    """
    outcome = Outcome("replay", asked)
    return _act(outcome, user, letters, about, skip_quarantined=not quarantined, progress=progress)


def purge_dead_letters(
    *, user: Any, letters: Iterable[Buried], asked: int, about: str, progress: Progress | None = None
) -> Outcome:
    """Forget each for good. What was parked behind one goes on.

    letters, user: see replay_dead_letters.
    """
    return _act(Outcome("purge", asked), user, letters, about, skip_quarantined=False, progress=progress)


def _act(
    outcome: Outcome,
    user: Any,
    letters: Iterable[Buried],
    about: str,
    *,
    skip_quarantined: bool,
    progress: Progress | None,
) -> Outcome:
    # Written down before it begins, and as it goes: an action that dies half way must not be one that nobody did.
    flag = CHANGE if outcome.action == "replay" else DELETION
    entry = write_down(user, about, f"{outcome} so far", flag=flag)
    broker = make_broker()
    try:
        for batch in batches(letters):
            willing = [buried for buried in batch if not (skip_quarantined and buried.letter.quarantined)]
            outcome.quarantined += len(batch) - len(willing)
            outcome.ids += [buried.letter.id[:64] for buried in willing[: NAMED - len(outcome.ids)]]
            outcome.moved += move(broker, outcome.action, willing)
            _write(entry, f"{outcome} so far", outcome)
            if progress:
                progress(outcome)
    except (BrokerUnavailable, RedisError) as error:
        outcome.broken_off = str(error)
    finally:
        broker.redis.close()
    _write(entry, str(outcome), outcome)
    return outcome


def _write(entry: LogEntry, text: str, outcome: Outcome) -> None:
    more = outcome.moved - len(outcome.ids)
    named = ", ".join(outcome.ids) + (f" and {more:,} more" if more > 0 else "")
    in_words(entry, f"{text}: {named}" if named else text)


def in_words(entry: LogEntry | None, text: str) -> None:
    """What the log's row says from now on."""
    if entry is not None:
        entry.change_message = visible(text)
        entry.save(update_fields=["change_message"])


def move(broker: RedisStreamsBroker, action: Action, letters: Sequence[Buried]) -> int:
    """How many were moved: a letter that is not dead any more as it was seen is left as it is."""
    return (broker.replay if action == "replay" else broker.purge)(letters)


def batches(letters: Iterable[Buried]) -> Iterator[list[Buried]]:
    """Few and small enough to be moved at once."""
    batch: list[Buried] = []
    size = 0
    for buried in letters:
        batch.append(buried)
        size += len(buried.letter.body)
        if len(batch) == AT_ONCE or size > MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
