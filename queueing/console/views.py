"""The operator's page of numbers. `queueing/admin.py` puts it behind the admin's door: staff only."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from queueing.conf import subscriptions
from queueing.console import present, scaling, selectors
from queueing.console.consumers import COLUMNS, crews
from queueing.console.levels import LIMITS
from queueing.console.load_runs import kept_runs
from queueing.console.services import Outcome
from queueing.console.stream import event_stream

OPERATE = "queueing.operate"


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    reading = selectors.read_queue()
    return page(
        request,
        "queue.html",
        "Queue",
        tiles=present.tiles(reading),
        outbox=present.outbox(reading),
        columns=present.COLUMNS,
        rows=present.rows(reading),
        crews=crews(reading.snapshot),
        steps=scaling.latest(),
        runs=kept_runs(),
        may_operate=request.user.has_perm(OPERATE),
        limits=LIMITS["lag"],
        consumer_columns=COLUMNS,
        groups=sorted(subscriptions()),
        banner=present.banner(reading),
        stale=reading.stale,
        age_s=round(reading.age_s, 2),
    )


@require_safe
def sample(request: HttpRequest) -> HttpResponse:
    """The same numbers for the page's script, where it can't have a stream."""
    return HttpResponse(_numbers(), content_type="application/json")


@require_safe
def stream(request: HttpRequest) -> HttpResponse:
    """The same numbers each second."""
    return event_stream(request, _numbers)


def _numbers() -> bytes:
    return msgspec.json.encode(present.live(selectors.read_queue()))


def tell(request: HttpRequest, outcome: Outcome) -> None:
    """What became of dead letters, on the next page."""
    say = messages.error if outcome.broken_off else messages.success if outcome.moved else messages.warning
    say(request, f"{outcome}.")


def page(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> HttpResponse:
    everything = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"queueing/console/{template}", everything, status=status)
