"""Past load runs: what the charts showed, kept for as long as somebody may want to compare."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone

from queueing.console.history import History, read_history
from queueing.models import LoadRun
from queueing.series import KEPT_S

KEPT = 50  # runs


def keep_run(*, name: str, began: datetime, ended: datetime | None = None) -> LoadRun:
    """Keep the series of this time; the oldest of more than KEPT runs is forgotten.

    ended: now by default.

    Raises:
        ValueError: it is no time, or began longer ago than the queue remembers.
        redis.RedisError: Redis does not answer.
    """
    ended = ended or timezone.now()
    ago_s = int((timezone.now() - began).total_seconds()) + 1
    if ended <= began:
        raise ValueError(f"a run that began at {began:%H:%M:%S} cannot have ended at {ended:%H:%M:%S}")
    if ago_s >= KEPT_S:
        raise ValueError(f"it began {ago_s} s ago, and the queue remembers the last {KEPT_S} s")
    history = read_history(last_s=ago_s)
    first, until = (int(moment.timestamp()) - history.first_s for moment in (began, ended))
    wanted = slice(max(0, first // history.step_s), -(-until // history.step_s) + 1)
    run = LoadRun.objects.create(
        name=name[:100],
        began=datetime.fromtimestamp(history.first_s + wanted.start * history.step_s, UTC),
        ended=ended,
        step_s=history.step_s,
        lines={group: [numbers[wanted] for numbers in line] for group, line in history.lines.items()},
    )
    LoadRun.objects.exclude(pk__in=LoadRun.objects.values("pk")[:KEPT]).delete()
    return run


def recall(run: LoadRun) -> History:
    lines = {group: (line[0], line[1], line[2]) for group, line in run.lines.items()}
    return History(int(run.began.timestamp()), lines, run.step_s)


def kept_runs() -> list[LoadRun]:
    """The newest first, without what they drew."""
    return list(LoadRun.objects.defer("lines"))
