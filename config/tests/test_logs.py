"""How much is said while a server is away."""

from __future__ import annotations

import logging
from types import SimpleNamespace

from config.logs import OutageOncePerSecond


def record(status: int | None = None, path: str = "/api/sales/7/orders") -> logging.LogRecord:
    made = logging.LogRecord("django.request", logging.ERROR, "", 0, "Service Unavailable", (), None)
    if status is not None:
        made.status_code, made.request = status, SimpleNamespace(path=path)
    return made


def test_an_outage_is_told_once_a_second_however_many_ask():
    now = 100.0
    outage = OutageOncePerSecond(clock=lambda: now)

    told = []
    for _ in range(35):
        told.append(outage.filter(record(503)))
        now += 0.1

    assert sum(told) == 4
    assert told[0]


def test_bugs_are_all_told():
    outage = OutageOncePerSecond(clock=lambda: 100.0)

    assert all(outage.filter(record(500)) for _ in range(10))
    assert all(outage.filter(record()) for _ in range(10))


def test_a_health_check_that_fails_is_not_told_and_silences_nothing():
    outage = OutageOncePerSecond(clock=lambda: 100.0)

    assert not outage.filter(record(503, "/healthz"))
    assert outage.filter(record(503))
