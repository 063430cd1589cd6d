"""Dead letters moved in the background: counted first, agreed to, worked off a batch at a time, stopped at any time.

The page proposes and begins; Celery's worker works. One that dies holds its run for another half minute; then the next
goes on behind the last letter that was noted. What it had in hand is counted by looking: a letter is dead or moved.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from celery import current_app
from django.contrib.admin.models import CHANGE, DELETION
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from queueing.brokers.redis_dead import dead_called
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console.choosing import Choice, candidates, chosen
from queueing.console.found import Found
from queueing.console.logbook import write_down
from queueing.console.services import Action, Outcome, batches, in_words, move
from queueing.crashpoint import crashpoint
from queueing.dead import Buried, Cursor, Mark
from queueing.errors import BrokerUnavailable
from queueing.letter_run import LetterRun
from queueing.message import new_id

HELD_FOR = timedelta(seconds=30)  # by the database's clock; a batch takes milliseconds
A_MOMENT_S = 0.3  # that a page waits for a count
TURN_S = 20.0  # of a worker's thread; then others have theirs
NOTE_EVERY_S = 1.0
AT_WORK = (LetterRun.State.COUNTING, LetterRun.State.RUNNING)
_FREE = Q(held_until=None) | Q(held_until__lt=Now())


class Lost(Exception):
    """Somebody stopped this run, or it was silent for so long that another has it."""


def propose(*, user: Any, action: str, choice: Choice) -> LetterRun:
    """What the action would come to. Nothing is moved before `begin`.

    choice: settled, so that what dies from now on is not meant.
    """
    run = LetterRun.objects.create(id=new_id(), action=action, choice=msgspec.to_builtins(choice), user=user)
    write_down(user, about(run), f"Asks what a {action} would come to")
    work(run.pk, for_s=A_MOMENT_S)
    run.refresh_from_db()
    if run.state == LetterRun.State.COUNTING:
        _wake(run)
    return run


def begin(*, run: LetterRun, user: Any, also_quarantined: bool) -> bool:
    """False: it has begun, or was stopped, meanwhile."""
    with transaction.atomic():
        flag = DELETION if run.action == LetterRun.Action.PURGE else CHANGE
        entry = write_down(user, about(run), f"{outcome(run)} so far", flag=flag)
        begun = LetterRun.objects.filter(pk=run.pk, state=LetterRun.State.ASKING).update(
            state=LetterRun.State.RUNNING, also_quarantined=also_quarantined, entry=entry
        )
        if not begun:
            transaction.set_rollback(True)
            return False
        _wake(run)
    return True


def stop(*, run: LetterRun, user: Any) -> bool:
    """What was moved stays moved. False: it has ended already."""
    with transaction.atomic():
        found = LetterRun.objects.filter(pk=run.pk, state__in=[*AT_WORK, LetterRun.State.ASKING])
        if not found.update(state=LetterRun.State.STOPPED, ended_at=Now()):
            return False
        run.refresh_from_db()
        write_down(user, about(run), f"Stopped: {outcome(run)}")
    return True


def waiting() -> QuerySet[LetterRun]:
    """Those that somebody should go on with."""
    return LetterRun.objects.filter(_FREE, state__in=AT_WORK).order_by("created_at")


def work(run_id: UUID | str, *, for_s: float = TURN_S) -> None:
    """Go on with this run, for a while; nothing happens when somebody else does. Safe to call at any time."""
    holder = uuid4()
    if not waiting().filter(pk=run_id).update(holder=holder, held_until=Now() + HELD_FOR):
        return
    run = LetterRun.objects.get(pk=run_id)
    deadline = time.monotonic() + for_s
    broker = make_broker()
    with suppress(Lost), closing(broker.redis):
        try:
            (_count if run.state == LetterRun.State.COUNTING else _move)(run, broker, deadline)
        except (BrokerUnavailable, RedisError) as error:
            _note(run, trouble=f"Redis does not answer: {error}")
        LetterRun.objects.filter(pk=run.pk, holder=holder).update(held_until=None)


def about(run: LetterRun) -> str:
    return f"dead letters: {choice_of(run)}"


def choice_of(run: LetterRun) -> Choice:
    return msgspec.convert(run.choice, Choice)


def outcome(run: LetterRun) -> Outcome:
    """How far it has come."""
    action: Action = "purge" if run.action == LetterRun.Action.PURGE else "replay"
    return Outcome(action, run.total, run.moved, run.skipped)


def _count(run: LetterRun, broker: RedisStreamsBroker, deadline: float) -> None:
    choice, found, looked, noted = choice_of(run), Found(), 0, time.monotonic()
    for buried in candidates(choice, broker.redis):
        looked += 1
        if choice.matches(buried):
            found.add(buried)
            if found.matched == choice.limit:
                break
        if (now := time.monotonic()) - noted > NOTE_EVERY_S:
            noted = now
            _note(run, looked=looked, trouble="")
        if now > deadline:
            return
    facts = {"total": found.matched, "quarantined": found.quarantined, "reasons": found.reasons, "looked": looked}
    if found.matched:
        _note(run, state=LetterRun.State.ASKING, trouble="", **facts)
    else:
        _note(run, state=LetterRun.State.DONE, ended_at=Now(), trouble="", **facts)


def _move(run: LetterRun, broker: RedisStreamsBroker, deadline: float) -> None:
    if run.in_hand:
        _note(run, moved=run.moved + _gone(run, broker), in_hand=[])
    spare_quarantined = run.action == LetterRun.Action.REPLAY and not run.also_quarantined
    noted = time.monotonic()
    for batch in batches(chosen(choice_of(run), broker.redis, past=_cursor(run))):
        willing = [buried for buried in batch if not (spare_quarantined and buried.letter.quarantined)]
        _note(run, in_hand=[[*buried.place, buried.letter.id, buried.seal] for buried in willing], trouble="")
        crashpoint("letters.in_hand")
        moved = move(broker, outcome(run).action, willing)
        crashpoint("letters.moved")
        _note(
            run,
            moved=run.moved + moved,
            skipped=run.skipped + len(batch) - len(willing),
            in_hand=[],
            past=_as_json(batch[-1]),
        )
        if (now := time.monotonic()) - noted > NOTE_EVERY_S:
            noted = now
            in_words(run.entry, f"{outcome(run)} so far")
        if now > deadline:
            return
    _note(run, state=LetterRun.State.DONE, ended_at=Now())
    in_words(run.entry, str(outcome(run)))


def _gone(run: LetterRun, broker: RedisStreamsBroker) -> int:
    """Of those that whoever died had in hand: how many are not dead any more as they were seen."""
    gone = 0
    for topic, partition, group, message_id, seal in run.in_hand:
        found = dead_called(broker.redis, [(topic, partition, group)], message_id)
        gone += not any(buried.seal == seal for buried in found)
    return gone


def _note(run: LetterRun, **facts: Any) -> None:
    """
    Raises:
        Lost: it is not ours any more.
    """
    mine = LetterRun.objects.filter(pk=run.pk, holder=run.holder, state=run.state)
    if not mine.update(held_until=Now() + HELD_FOR, **facts):
        raise Lost
    for name, value in facts.items():
        setattr(run, name, value)


def _cursor(run: LetterRun) -> Cursor | None:
    if run.past is None:
        return None
    buried_at_ms, message_id, *place = run.past
    return Cursor(Mark(buried_at_ms, message_id), (place[0], place[1], place[2]))


def _as_json(buried: Buried) -> list[Any]:
    return [*buried.mark, *buried.place]


def _wake(run: LetterRun) -> None:
    """Once it is committed. Nobody need hear it: the sweep finds the row."""

    def tell() -> None:
        with suppress(OperationalError):
            current_app.send_task("queueing.move_letters", [str(run.pk)], expires=60)

    transaction.on_commit(tell)
