"""Cutting a batch of mixed events into calls: one handler each, as few as possible, order per key kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from queueing.event import Event


@dataclass(slots=True)
class Call:
    """One handler call: events of one class, in the order they were delivered."""

    event_class: type[Event]
    events: list[Event] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)


def calls_of(events: Sequence[Event]) -> list[Call]:
    """Group events by class without letting two events of one key change places.

    An event joins the latest call of its class unless a later call already holds its key.
    """
    if len(set(map(type, events))) == 1:  # the usual case; no key can change places
        return [Call(type(events[0]), list(events))]
    calls: list[Call] = []
    for event in events:
        home = None
        for call in reversed(calls):
            if call.event_class is type(event):
                home = call
                break
            if event.key in call.keys:
                break
        if home is None:
            home = Call(type(event))
            calls.append(home)
        home.events.append(event)
        home.keys.add(event.key)
    return calls
