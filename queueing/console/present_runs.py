"""A run over dead letters as the page and its script show it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from queueing.console import words
from queueing.console.plain import visible
from queueing.console.runs import AT_WORK, choice_of, outcome
from queueing.letter_run import LetterRun

LATELY = 5  # runs that the page of dead letters lists


class RunFacts(msgspec.Struct, frozen=True):
    """moved of total: what the bar shows. said: the sentence beside it. at_work: it changes by itself."""

    id: str
    title: str
    state: str
    moved: int
    total: int
    said: str
    note: str
    at_work: bool
    ended: bool
    by: str
    what: str
    reasons: list[tuple[str, str]]


def facts_of(run: LetterRun, *, now: datetime) -> RunFacts:
    verb = run.get_action_display().capitalize()
    return RunFacts(
        id=str(run.pk),
        title=f"{verb} of dead letters",
        state=run.state,
        moved=run.moved + run.skipped,
        total=run.total,
        said=_said(run),
        note=_note(run, now),
        at_work=run.state in AT_WORK,
        ended=run.ended_at is not None,
        by=visible(run.user.get_username()),
        what=visible(str(choice_of(run))),
        reasons=[(words.count(number), visible(kind)) for kind, number in run.reasons],
    )


def latest_runs(*, now: datetime) -> list[RunFacts]:
    found = LetterRun.objects.select_related("user").order_by("-created_at")[:LATELY]
    return [facts_of(run, now=now) for run in found]


def _said(run: LetterRun) -> str:
    state = LetterRun.State
    if run.state == state.COUNTING:
        return f"Counting: {words.count(run.looked)} looked at so far."
    if run.state == state.ASKING:
        return f"{words.count(run.total)} match. Nothing was moved yet."
    if run.state == state.RUNNING:
        return f"{outcome(run)} so far.".replace(f"; {outcome(run).gone:,} had been moved before", "")
    if run.state == state.STOPPED:
        return f"Stopped. Moved {words.count(run.moved)} of {words.count(run.total)}; the rest is as it was."
    return f"{outcome(run)}." if run.total else "Nothing matched."


def _note(run: LetterRun, now: datetime) -> str:
    if run.state not in AT_WORK:
        return ""
    if run.trouble:
        return f"{visible(run.trouble)}. It goes on by itself."
    if run.held_until is None or run.held_until < now:
        return "Waits for Celery's worker, a few seconds at most while one runs."
    return "It goes on when this page is closed."
