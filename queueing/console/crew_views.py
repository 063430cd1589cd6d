"""How many consumers a group has: one more, one fewer, one of them drained, or as many as its lag asks for again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST
from redis.exceptions import RedisError

from queueing.autoscaler import asking
from queueing.console.acting import AWAY, back, check_operator, subscription_called
from queueing.console.logbook import write_down
from queueing.console.plain import visible
from queueing.console.views import page

HELD_S = 600.0
NOBODY = " No autoscaler is running that would follow."


@require_POST
def scale(request: HttpRequest) -> HttpResponseBase:
    """act: more, fewer, release or "drain:<consumer>". A last consumer is taken away only when that is confirmed."""
    check_operator(request)
    group = subscription_called(request.POST.get("group", "")).group
    act, _, consumer = request.POST.get("act", "").partition(":")
    try:
        if act == "drain":
            done = _drain(group, consumer)
        elif act == "release":
            done = _release(group)
        elif act in ("more", "fewer"):
            number = asking.read(group).desired + (1 if act == "more" else -1)
            if number == 0 and request.POST.get("confirmed") != group:
                return page(request, "stop.html", f"Stop {group}?", group=group, came_from=request.POST.get("from", ""))
            done = _hold(request, group, number)
        else:
            return page(request, "stop.html", "Which action?", status=400)
    except RedisError:
        messages.error(request, AWAY)
        return back(request, group)
    except ValueError as error:
        messages.error(request, f"{error}.")
        return back(request, group)
    if done:
        write_down(request.user, group, done)
        messages.success(request, f"{done}." + _followed(group))
    else:
        messages.warning(request, "That was so already.")
    return back(request, group)


def _followed(group: str) -> str:
    """What to add when nobody would see to it; nothing is known while Redis is away, and it was done all the same."""
    try:
        return "" if asking.read(group).reason else NOBODY
    except RedisError:
        return ""


def _hold(request: HttpRequest, group: str, number: int) -> str:
    asking.hold(group, number, HELD_S, f"{request.user.get_username()}, by hand")
    return f"Held {group} at {number} consumer{'' if number == 1 else 's'} for {HELD_S / 60:.0f} minutes"


def _release(group: str) -> str:
    return f"Let the lag of {group} decide again" if asking.release(group) else ""


def _drain(group: str, consumer: str) -> str:
    if not asking.drain(group, consumer):
        return ""
    return visible(f"Asked {consumer} of {group} to finish its batch and leave")
