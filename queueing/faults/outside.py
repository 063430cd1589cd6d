"""For providers: the fault that concerns one, as this process knows it. Threads share what was last seen."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from queueing.console.link import client
from queueing.faults.fault import Kind
from queueing.faults.weather import Weather


def weather(kind: Kind) -> Weather | None:
    """None where there is fair weather always: no fault room."""
    if not settings.FAULT_ROOM:
        return None
    found = _weather(kind)
    found.look()
    return found


@cache
def _weather(kind: Kind) -> Weather:
    return Weather(client(), (kind,))
