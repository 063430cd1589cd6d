"""What operators do in the fault room: begin a fault, end one. Each leaves a row in the admin's log."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any

from django.db import transaction

from config.room.faults_offered import LEAST_S, MOST_S, OFFERS, STOP, Offer
from queueing.autoscaler import asking
from queueing.conf import subscriptions
from queueing.console import selectors
from queueing.console.link import client
from queueing.console.logbook import write_down
from queueing.console.snapshot import Consumer
from queueing.faults import store
from queueing.faults.fault import Fault, Kind

ABOUT = "Fault room"


class NotSo(ValueError):
    """Asked for what there is not: the message says what, and what there is."""


class NotNow(Exception):
    """It cannot be done as things are; the message says why."""


def begin(*, user: Any, kind: str, group: str = "", strength: str = "", seconds: str) -> str:
    """Let a fault act. Returns what was begun, in words.

    Raises:
        NotSo: no such fault, group or number.
        NotNow: one of its kind acts there already, or there is nobody to freeze.
        redis.RedisError: Redis does not answer.
    """
    offer = _offer(kind)
    group, value = _group(offer, group), _strength(offer, strength)
    lasts_s = _number(seconds, "seconds", LEAST_S, MOST_S)
    said = f"{in_words(offer, group, value)}, for {lasts_s:g} s"
    with transaction.atomic():  # a fault without its row in the log would be one that nobody made
        write_down(user, ABOUT, f"Began: {said}")
        if offer.kind == STOP:
            _stop(group, lasts_s, f"the fault room, {user.get_username()}")
        else:
            host, pid = _victim(group) if offer.kind == Kind.FREEZE else ("", 0)
            fault = Fault(kind=Kind(offer.kind), group=group, value=value, by=user.get_username(), host=host, pid=pid)
            if not store.begin(client(), fault, seconds=lasts_s):
                raise NotNow(_acts_already(offer, group))
    return said


def end(*, user: Any, kind: str, group: str = "", id_: str = "") -> str:
    """End a fault before its time. Returns what was ended, in words.

    id_: which one was seen; another of its kind that was begun since goes on.

    Raises:
        NotSo, redis.RedisError: see begin.
        NotNow: it had ended.
    """
    offer = _offer(kind)
    group = _group(offer, group)
    said = in_words(offer, group, None)
    with transaction.atomic():
        write_down(user, ABOUT, f"Ended: {said}")
        if not (_let_go(group, id_) if offer.kind == STOP else _end(offer, group, id_)):
            raise NotNow(f"{said}: it had ended")
    return said


def in_words(offer: Offer, group: str, value: float | None) -> str:
    of = f" ({group})" if group else ""
    if offer.strength is None or value is None:
        return f"{offer.title}{of}"
    strong = f"{value / offer.strength.of_one:,.6g} {offer.strength.unit}"
    return f"{offer.title}{of}, {offer.strength.label.lower()} {strong}"


def _end(offer: Offer, group: str, id_: str) -> bool:
    acting = store.running(client(), [group] if group else [])
    return any(
        store.end(client(), running.fault)
        for running in acting
        if (running.fault.kind, running.fault.group, running.fault.id) == (offer.kind, group, id_)
    )


def _stop(group: str, seconds: float, why: str) -> None:
    if not asking.hold(group, 0, seconds, why, replace=False):
        held = asking.read(group)
        raise NotNow(f"the consumers of {group} are held at {held.desired} already, by {held.held_why or 'somebody'}")


def _let_go(group: str, id_: str) -> bool:
    """Not a number that somebody has held since. id_: when the one that was seen would end by itself, in ms."""
    held = asking.read(group)
    if held.held_until is None or held.desired or id_ not in ("", stop_id(held.held_until)):
        return False
    return asking.release(group, until_ms=int(stop_id(held.held_until)))


def stop_id(held_until: datetime) -> str:
    return str(round(held_until.timestamp() * 1000))


def _victim(group: str) -> tuple[str, int]:
    """Host and pid of the busiest consumer here; others are none of this machine's business."""
    here = socket.gethostname()
    snapshot = selectors.read_queue().snapshot
    candidates = [
        consumer
        for one in (snapshot.groups if snapshot else [])
        for consumer in (one.consumers if one.group == group else [])
        if consumer.alive and consumer.about and consumer.about.host == here
    ]
    if not candidates:
        raise NotNow(f"no consumer of {group} runs on this machine ({here})")
    about = max(candidates, key=_busy).about
    assert about is not None
    return about.host, about.pid


def _busy(consumer: Consumer) -> tuple[int, float]:
    return consumer.in_flight, consumer.about.per_s if consumer.about else 0.0


def _acts_already(offer: Offer, group: str) -> str:
    for running in store.running(client(), [group] if group else []):
        if running.fault.kind == offer.kind:
            said, by = in_words(offer, group, running.fault.value), running.fault.by or "somebody"
            return f"{said} acts already, begun by {by}, for {running.left_s:.0f} s more"
    return f"{in_words(offer, group, None)} acts already"


def _offer(kind: str) -> Offer:
    try:
        return OFFERS[kind]
    except KeyError:
        raise NotSo(f"no fault is called {kind!r}; there are: {', '.join(OFFERS)}") from None


def _group(offer: Offer, group: str) -> str:
    if not offer.usual_group:
        return ""
    if group not in subscriptions():
        raise NotSo(f"no group is called {group!r}; there are: {', '.join(sorted(subscriptions()))}")
    return group


def _strength(offer: Offer, text: str) -> float:
    if offer.strength is None:
        return 0.0
    number = _number(text, offer.strength.label, offer.strength.least, offer.strength.most)
    return number * offer.strength.of_one


def _number(text: str, what: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise NotSo(f"{what}: {text!r} is no number") from None
    if not least <= number <= most:  # nor is NaN
        raise NotSo(f"{what}: {number:g} is not between {least:g} and {most:g}")
    return number
