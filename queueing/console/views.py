"""The operator's pages. `queueing/admin.py` puts each behind the admin's door: staff only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from queueing.conf import subscriptions
from queueing.console import present, selectors
from queueing.console.letters import Address, DeadLetter
from queueing.console.services import replay_dead_letters

OPERATE = "queueing.operate"


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    reading = selectors.read_queue()
    return _page(
        request,
        "queue.html",
        "Queue",
        tiles=present.tiles(reading),
        outbox=present.outbox(reading),
        columns=present.COLUMNS,
        rows=present.rows(reading),
        consumers=present.consumers(reading),
        groups=sorted(subscriptions()),
        banner=present.banner(reading),
        stale=reading.stale,
        age_s=round(reading.age_s, 2),
    )


@require_safe
def sample(request: HttpRequest) -> HttpResponse:
    """The same numbers for the page's script."""
    body = msgspec.json.encode(present.live(selectors.read_queue()))
    return HttpResponse(body, content_type="application/json")


@require_safe
def dead(request: HttpRequest) -> HttpResponse:
    group = request.GET.get("group", "")
    reading = selectors.read_queue()
    counts = {of.group: of.dead for of in reading.snapshot.groups} if reading.snapshot else {}
    letters: Sequence[DeadLetter] = []
    banner = ""
    try:
        letters = selectors.dead_letters(group=group)
    except RedisError:
        banner = present.banner(reading) or "Redis does not answer. What is dead is not known right now."
    return _page(
        request,
        "dead.html",
        "Dead letters",
        letters=letters,
        group=group,
        groups=[(name, counts.get(name)) for name in sorted(subscriptions())],
        total=counts.get(group) if group else sum(counts.values()),
        banner=banner,
        may_operate=request.user.has_perm(OPERATE),
    )


@require_safe
def letter(request: HttpRequest) -> HttpResponse:
    try:
        address = Address.parse(request.GET.get("letter", ""))
    except ValueError:
        return HttpResponseBadRequest("Not the name of a dead letter.", content_type="text/plain")
    found, banner = None, ""
    try:
        found = selectors.find_dead_letter(address)
    except RedisError:
        banner = "Redis does not answer. Whether this message is dead is not known right now."
    return _page(
        request,
        "letter.html",
        "Dead letter",
        status=200 if found or banner else 404,
        letter=found,
        banner=banner,
        may_operate=request.user.has_perm(OPERATE),
    )


@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    """Asks first, with the number; then does it. The log has who, when, what and how many."""
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied("replaying needs the permission queueing.operate")
    try:
        addresses = list(dict.fromkeys(Address.parse(token) for token in request.POST.getlist("letter")))
    except ValueError:
        return HttpResponseBadRequest("Not the names of dead letters.", content_type="text/plain")
    if not addresses:
        messages.warning(request, "Nothing was selected, so nothing was replayed.")
        return redirect("admin:queueing_queue_dead")
    if request.POST.get("confirmed") != "yes":
        return _page(request, "confirm.html", "Replay", addresses=addresses)
    outcome = replay_dead_letters(user=request.user, addresses=addresses)
    tell = messages.error if outcome.broken_off else messages.success if outcome.moved else messages.warning
    tell(request, f"{outcome}.")
    return redirect("admin:queueing_queue_dead")


def _page(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> HttpResponse:
    everything = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"queueing/console/{template}", everything, status=status)
