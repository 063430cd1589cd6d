"""All dead letters that match a filter, given back or forgotten at once: counted first, and by reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST
from redis.exceptions import RedisError

from queueing.console.choosing import Choice, chosen, settled
from queueing.console.found import Found
from queueing.console.link import client
from queueing.console.plain import visible
from queueing.console.services import Outcome, purge_dead_letters, replay_dead_letters
from queueing.console.views import OPERATE, page, tell

# This process sells, too, while it moves them. The command line takes any number.
MOST = 10_000
NAMED = ("group", "event", "key", "reason")


class Filter(forms.Form):
    """Which dead letters are meant; what is left empty is any."""

    group = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    event = forms.CharField(required=False, max_length=200)
    key = forms.CharField(required=False, max_length=200)
    reason = forms.CharField(required=False, max_length=200, label="Reason contains")
    before_ms = forms.IntegerField(required=False, min_value=0, max_value=10**15, widget=forms.HiddenInput)

    @property
    def named(self) -> dict[str, str]:
        """What was said of them."""
        return {name: visible(value) for name in NAMED if (value := self.cleaned_data[name])}

    @property
    def narrows(self) -> bool:
        """More than the group."""
        return bool(self.named.keys() - {"group"})

    @property
    def query(self) -> str:
        return urlencode({name: value for name in NAMED if (value := self.cleaned_data[name])})

    def choice(self, *, limit: int) -> Choice:
        return Choice(**self.cleaned_data, limit=limit)


@require_POST
def matching(request: HttpRequest) -> HttpResponse:
    """Asks first, with the number and the reasons; what dies after it was asked is not among them."""
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied("this needs the permission queueing.operate")
    wanted, action = Filter(request.POST), request.POST.get("action", "")
    if not wanted.is_valid():
        return HttpResponseBadRequest("Not a filter of dead letters.", content_type="text/plain")
    if action not in ("replay", "purge"):
        return HttpResponseBadRequest("Neither replay nor purge.", content_type="text/plain")
    if action == "purge" and not wanted.cleaned_data["group"]:
        messages.warning(request, "Purge of which group? Choose one first; nothing was changed.")
        return _back(wanted)
    try:
        choice = settled(wanted.choice(limit=MOST), client())
        found = Found.of(chosen(choice, client()))
    except RedisError:
        messages.error(request, "Redis does not answer, so nothing was changed. Look again.")
        return _back(wanted)
    if not found.matched:
        messages.warning(request, "No dead letter matches, so nothing was changed.")
        return _back(wanted)
    if request.POST.get("confirmed") != ("yes" if action == "replay" else str(found.matched)):
        pinned = Filter({**wanted.cleaned_data, "before_ms": choice.before_ms})
        return _ask(request, action, pinned, found)
    tell(request, _do(request, action, choice, found))
    return _back(wanted)


def _ask(request: HttpRequest, action: str, wanted: Filter, found: Found) -> HttpResponse:
    assert wanted.is_valid()
    return page(
        request,
        "matching.html",
        action.capitalize(),
        action=action,
        found=found,
        most=MOST,
        cut=found.matched == MOST,
        filter=wanted,
        again="confirmed" in request.POST,
    )


def _do(request: HttpRequest, action: str, choice: Choice, found: Found) -> Outcome:
    what: dict[str, Any] = {
        "user": request.user,
        "letters": chosen(choice, client()),
        "asked": found.matched,
        "about": f"dead letters: {choice}",
    }
    if action == "purge":
        return purge_dead_letters(**what)
    return replay_dead_letters(**what, quarantined=request.POST.get("quarantined") == "yes")


def _back(wanted: Filter) -> HttpResponse:
    return redirect(f"{reverse('admin:queueing_queue_dead')}?{wanted.query}".rstrip("?"))
