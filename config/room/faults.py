"""The fault room: stop, slow, refuse, freeze and cap, for a while, and watch what becomes of it.

Only where settings.FAULT_ROOM says so; elsewhere its addresses do not exist.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from redis.exceptions import RedisError

from config.room import faults_made as made
from config.room.door import View, acts, looks
from config.room.faults_offered import DURATIONS_S, OFFERS, USUAL_S
from config.room.faults_seen import COLUMNS, as_json, seen
from config.room.page import page
from queueing.conf import subscriptions
from queueing.console.stream import event_stream
from queueing.console.views import OPERATE

AWAY = "Redis does not answer, so nobody knows whether that was done. Look again."


def where_there_is_one(view: View) -> View:
    @wraps(view)
    def only_there(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.FAULT_ROOM:
            raise Http404("there is no fault room: settings.FAULT_ROOM")
        return view(request, *args, **kwargs)

    return only_there


@where_there_is_one
@looks
def show(request: HttpRequest) -> HttpResponse:
    return _page(request)


@where_there_is_one
@looks
def live(request: HttpRequest) -> HttpResponse:
    return HttpResponse(as_json(), content_type="application/json")


@where_there_is_one
@looks
def stream(request: HttpRequest) -> HttpResponse:
    return event_stream(request, as_json)


@where_there_is_one
@acts
def begin(request: HttpRequest) -> HttpResponse:
    post = request.POST
    return _do(
        request,
        made.begin,
        done="Began: {}.",
        kind=post.get("kind", ""),
        group=post.get("group", ""),
        strength=post.get("strength", ""),
        seconds=post.get("seconds", ""),
    )


@where_there_is_one
@acts
def end(request: HttpRequest) -> HttpResponse:
    post = request.POST
    return _do(
        request,
        made.end,
        done="{}: ended.",
        kind=post.get("kind", ""),
        group=post.get("group", ""),
        id_=post.get("id", ""),
    )


def _do(request: HttpRequest, what: Any, *, done: str, kind: str, **how: str) -> HttpResponse:
    try:
        messages.success(request, done.format(what(user=request.user, kind=kind, **how)))
    except made.NotSo as wrong:
        messages.error(request, f"Nothing was done: {wrong}.")  # not the banner, which the next live sample renews
        return _page(request, status=400)
    except made.NotNow as wrong:
        messages.warning(request, f"Nothing was done: {wrong}.")
    except RedisError:
        messages.error(request, AWAY)
    return redirect(f"{reverse('room:faults')}#{kind}")


def _page(request: HttpRequest, *, status: int = 200) -> HttpResponse:
    now = seen()
    return page(
        request,
        "faults.html",
        "Fault room",
        status=status,
        banner=now.banner,
        now=now,
        columns=COLUMNS,
        cards=[
            (offer, [acting for acting in now.acting or [] if acting.kind == offer.kind]) for offer in OFFERS.values()
        ],
        groups=sorted(subscriptions()),
        durations=DURATIONS_S,
        usual_s=USUAL_S,
        may_act=request.user.has_perm(OPERATE),
    )
