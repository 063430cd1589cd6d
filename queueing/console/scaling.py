"""What the autoscaler wants of each group, and why: the present, and its timeline from the database."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from django.db.models import QuerySet
from django.utils import timezone

from queueing.console.plain import visible
from queueing.db import away_is_not_failure
from queueing.errors import StoreUnavailable
from queueing.models import ScaleEvent

SHOWN, MARKED = 12, 400


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the timeline, as list and chart show it."""

    id: str
    at_ms: int
    when: str  # for those without the script that writes their own time
    group: str
    direction: str
    text: str  # "to 4 consumers", "stays at 1 consumer"
    lag: int
    reason: str


def latest(*, most: int = SHOWN) -> list[Step]:
    """The newest first. Nothing while PostgreSQL is away: the timeline is no reason to show no numbers."""
    return _steps(ScaleEvent.objects.all()[:most])


def between(began: datetime, ended: datetime) -> list[Step]:
    """What changed the number of consumers within this time; the newest MARKED of them."""
    return _steps(ScaleEvent.objects.filter(at__gte=began, at__lte=ended, direction__in=("up", "down"))[:MARKED])


def since(first_s: int) -> list[Step]:
    return between(datetime.fromtimestamp(first_s, UTC), timezone.now())


def _steps(events: QuerySet[ScaleEvent]) -> list[Step]:
    try:
        with away_is_not_failure():
            return [_step(event) for event in events]
    except StoreUnavailable:
        return []


def _step(event: ScaleEvent) -> Step:
    to = {"up": "to", "down": "to", "replaced": "replaced, of"}.get(event.direction, "stays at")
    return Step(
        id=str(event.pk),
        at_ms=int(event.at.timestamp() * 1000),
        when=f"{event.at:%H:%M:%S} UTC",
        group=event.group,
        direction=event.direction,
        text=f"{to} {event.desired} consumer{'' if event.desired == 1 else 's'}",
        lag=event.lag,
        reason=visible(event.reason),
    )
