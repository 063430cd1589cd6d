"""Looks at the queue and the books as the operator's page does, and says what is wrong. Celery's beat asks each 15 s.

What can't be seen is not judged: while Redis is away no incident of the queue begins or ends. (Then nothing here runs
anyway, as Celery needs it too: Prometheus must be the one to say so.)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from django.utils import timezone
from redis.exceptions import RedisError

from config.alerts import rules
from config.room import books
from inventory.link import GateUnavailable
from notifications.incidents import Fact, observe
from queueing.autoscaler import asking
from queueing.autoscaler.asking import Wanted
from queueing.console import words
from queueing.console.history import History, read_history
from queueing.console.selectors import read_queue
from queueing.console.snapshot import Group, Snapshot
from shop.selectors import sales_of_the_day

logger = logging.getLogger(__name__)


def watch() -> None:
    facts: list[Fact] = []
    judged: list[str] = []
    for of, look in ((rules.OF_THE_QUEUE, _queue), ((rules.CONSERVATION_BROKEN,), _books)):
        try:
            found = list(look())
        except (RedisError, GateUnavailable) as error:
            logger.warning("%s can't be judged: %s", ", ".join(rule.name for rule in of), error)
            continue
        facts += found
        judged += [rule.name for rule in of]
    observe(facts, judged=judged)


def _queue() -> Iterator[Fact]:
    reading = read_queue()
    if reading.stale or reading.snapshot is None:
        raise RedisError(reading.why or "the sample is old")
    yield from wrong_with(reading.snapshot, read_history(last_s=rules.RISING_OVER_S), asking.read_all())


def wrong_with(snapshot: Snapshot, history: History, wanted: Mapping[str, Wanted]) -> Iterator[Fact]:
    """Of each group."""
    for group in snapshot.groups:
        name, lag = group.group, words.count(group.lag)
        rule = rules.LAG_RISING
        if group.lag >= rule.limit and group.lag > _lag_then(name, history):
            yield Fact(rule.name, name, f"{name}: the lag keeps rising, {lag} messages now", rule.for_s)
        rule = rules.OLDEST_AGE
        if group.oldest_age_ms / 1000 >= rule.limit:
            age = words.span_ms(group.oldest_age_ms)
            yield Fact(rule.name, name, f"{name}: the oldest message has waited for {age}", rule.for_s)
        rule = rules.DEAD_LETTERS
        if group.dead >= rule.limit:
            yield Fact(
                rule.name,
                name,
                f"{name}: {words.count(group.dead)} dead letter{'' if group.dead == 1 else 's'}",
                rule.for_s,
            )
        if at_maximum(group, wanted.get(name)):
            most = wanted[name].most
            text = f"{name}: lag {lag} with all {most} consumers it may have"
            yield Fact(rules.SCALER_AT_MAXIMUM.name, name, text, rules.SCALER_AT_MAXIMUM.for_s)


def at_maximum(group: Group, wanted: Wanted | None) -> bool:
    return wanted is not None and wanted.desired >= wanted.most and group.lag >= rules.SCALER_AT_MAXIMUM.limit


def _lag_then(group: str, history: History) -> int:
    """A minute ago, or when the first was told."""
    lag = history.lines[group][0] if group in history.lines else []
    return lag[0] if lag else 0


def _books() -> Iterator[Fact]:
    for sale_id, look in books.look(sales_of_the_day(now=timezone.now())).items():
        if look.books is not None and look.books.difference >= rules.CONSERVATION_BROKEN.limit:
            text = f"sale {sale_id}: the stock does not balance by {words.count(look.books.difference)}"
            yield Fact(rules.CONSERVATION_BROKEN.name, f"sale {sale_id}", text, rules.CONSERVATION_BROKEN.for_s)
