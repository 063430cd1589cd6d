"""Dead letters on the operator's pages: look at them, give them back, forget them."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from queueing.conf import subscriptions
from queueing.console import present, selectors
from queueing.console.filter import Filter, cursor
from queueing.console.letters import Address, DeadLetter
from queueing.console.paging import Page, read_page
from queueing.console.plain import visible
from queueing.console.present_runs import latest_runs
from queueing.console.services import Outcome, purge_dead_letters, replay_dead_letters
from queueing.console.views import OPERATE, page, tell


@require_safe
def dead(request: HttpRequest) -> HttpResponse:
    wanted = Filter(request.GET)
    try:
        past = cursor(request.GET.get("past", ""))
    except ValueError:
        return HttpResponseBadRequest("Not a place among dead letters.", content_type="text/plain")
    if not wanted.is_valid():
        return HttpResponseBadRequest("Not a filter of dead letters.", content_type="text/plain")
    group = wanted.cleaned_data["group"]
    reading = selectors.read_queue()
    counts = {of.group: of for of in reading.snapshot.groups} if reading.snapshot else {}
    found, banner = Page([], "", 0, out_of_time=False), ""
    try:
        found = read_page(wanted.choice(), past=past)
    except RedisError:
        banner = present.banner(reading) or "Redis does not answer. What is dead is not known right now."
    shown = [of for name, of in counts.items() if group in ("", name)]
    return page(
        request,
        "dead.html",
        "Dead letters",
        letters=found.letters,
        found=found,
        further=f"{wanted.query}&{urlencode({'past': found.next})}".lstrip("&") if found.next else "",
        first=past is None,
        filter=wanted,
        group=group,
        groups=[(name, counts[name].dead if name in counts else None) for name in sorted(subscriptions())],
        total=sum(of.dead for of in shown),
        quarantined=sum(of.quarantined for of in shown),
        runs=latest_runs(now=timezone.now()),
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
        buried = selectors.find_dead_letter(address)
        found = DeadLetter.of(buried) if buried else None
    except RedisError:
        banner = "Redis does not answer. Whether this message is dead is not known right now."
    return page(
        request,
        "letter.html",
        "Dead letter",
        status=200 if found or banner else 404,
        letter=found,
        banner=banner,
        may_operate=request.user.has_perm(OPERATE),
    )


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Asks first, with the number; then replays or purges. The log has who, when, what and how many."""
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied("this needs the permission queueing.operate")
    action = request.POST.get("action", "")
    try:
        addresses = list(dict.fromkeys(Address.parse(token) for token in request.POST.getlist("letter")))
    except ValueError:
        return HttpResponseBadRequest("Not the names of dead letters.", content_type="text/plain")
    if action not in ("replay", "purge"):
        return HttpResponseBadRequest("Neither replay nor purge.", content_type="text/plain")
    if not addresses:
        messages.warning(request, "Nothing was selected, so nothing was changed.")
        return redirect("admin:queueing_queue_dead")
    # What can't be undone wants the number typed; a click too many does not purge.
    agreed = request.POST.get("confirmed") == ("yes" if action == "replay" else str(len(addresses)))
    if not agreed:
        again = "confirmed" in request.POST
        return page(request, "confirm.html", action.capitalize(), addresses=addresses, action=action, again=again)
    tell(request, _do(request, action, addresses))
    return redirect("admin:queueing_queue_dead")


def _do(request: HttpRequest, action: str, addresses: Sequence[Address]) -> Outcome:
    asked = len(addresses)
    groups = ", ".join(sorted({address.group for address in addresses}))
    about = visible(f"{asked} dead letter{'' if asked == 1 else 's'} of {groups}")
    letters = selectors.addressed(addresses)
    if action == "purge":
        return purge_dead_letters(user=request.user, letters=letters, asked=asked, about=about)
    quarantined = request.POST.get("quarantined") == "yes"
    return replay_dead_letters(user=request.user, letters=letters, asked=asked, about=about, quarantined=quarantined)
