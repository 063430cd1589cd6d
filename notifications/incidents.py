"""Incidents: something of the house is wrong, and operators are told once that it began and once that it is over.

Whoever watches says again and again what is wrong right now (`observe`). An incident is told when its fact has held
without a break for as long as it must, and is over when nobody has said it for a while; so a number that wavers around
its limit is one incident, and a restart of anything forgets none. All times are PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from notifications.models import Incident, Notification
from notifications.services import tell_operators

OVER_AFTER = timedelta(seconds=60)
FORGOTTEN_AFTER = timedelta(seconds=90)  # nobody watched for so long: what was seen before says nothing about now
LOCK = (0x51C5, 101)  # beside the outbox's lanes


@dataclass(frozen=True, slots=True)
class Fact:
    """rule, about: which incident this is. text: one line, with the numbers. for_s: how long it must hold first."""

    rule: str
    about: str
    text: str
    for_s: float = 0.0


def observe(facts: Iterable[Fact], *, judged: Collection[str], now: datetime | None = None) -> None:
    """These are wrong now. judged: the rules that could be judged at all; incidents of others stay as they are.

    Only one watcher at a time: another one's call changes nothing.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s), clock_timestamp()", LOCK)
            is_ours, clock = cursor.fetchone()
        if not is_ours:
            return
        now = now or clock
        known = {(row.rule, row.about): row for row in Incident.objects.filter(resolved_at=None, rule__in=judged)}
        for fact in facts:
            _holds(fact, known.pop((fact.rule, fact.about), None), now)
        for incident in known.values():
            _is_quiet(incident, now)


def _holds(fact: Fact, incident: Incident | None, now: datetime) -> None:
    if incident is None:
        incident = Incident(rule=fact.rule, about=fact.about, since=now)
    elif incident.opened_at is None and now - incident.seen_at > FORGOTTEN_AFTER:
        incident.since = now
    incident.text, incident.seen_at, incident.quiet_since = fact.text, now, None
    begins = incident.opened_at is None and now - incident.since >= timedelta(seconds=fact.for_s)
    if begins:
        incident.opened_at = now
    incident.save()
    if begins:
        _tell(incident, Notification.Kind.ALERT)


def _is_quiet(incident: Incident, now: datetime) -> None:
    if incident.opened_at is None:
        incident.delete()
        return
    incident.quiet_since = incident.quiet_since or now
    if now - incident.quiet_since >= OVER_AFTER:
        incident.resolved_at = now
        _tell(incident, Notification.Kind.RESOLVED)
    incident.save()


def _tell(incident: Incident, kind: Notification.Kind) -> None:
    """Staff who may act on the queue, by permission: the role "operator" has it."""
    operators = get_user_model().objects.with_perm(
        "queueing.operate", backend="django.contrib.auth.backends.ModelBackend"
    )
    told = operators.filter(is_staff=True).values_list("pk", flat=True)
    tell_operators(kind=kind, incident_id=str(incident.pk), user_ids=set(told), text=incident.text)
