"""All dead letters that match a filter: what it would come to, and the run that moves them in the background."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from queueing.console import runs
from queueing.console.choosing import settled
from queueing.console.filter import Filter
from queueing.console.link import client
from queueing.console.present_runs import RunFacts, facts_of
from queueing.console.views import OPERATE, page
from queueing.letter_run import LetterRun


@require_POST
def matching(request: HttpRequest) -> HttpResponse:
    """A dry run. What dies after it was asked for is not among them."""
    _check_operator(request)
    wanted, action = Filter(request.POST), request.POST.get("action", "")
    if not wanted.is_valid():
        return HttpResponseBadRequest("Not a filter of dead letters.", content_type="text/plain")
    if action not in LetterRun.Action.values:
        return HttpResponseBadRequest("Neither replay nor purge.", content_type="text/plain")
    back = f"{reverse('admin:queueing_queue_dead')}?{wanted.query}".rstrip("?")
    if action == LetterRun.Action.PURGE and not wanted.cleaned_data["group"]:
        messages.warning(request, "Purge of which group? Choose one first; nothing was changed.")
        return redirect(back)
    try:
        choice = settled(wanted.choice(), client())
    except RedisError:
        messages.error(request, "Redis does not answer, so nothing was changed. Look again.")
        return redirect(back)
    run = runs.propose(user=request.user, action=action, choice=choice)
    if run.state == LetterRun.State.DONE:
        messages.warning(request, "No dead letter matches, so nothing was changed.")
        return redirect(back)
    return _back_to(run)


@require_safe
def run(request: HttpRequest, run_id: UUID) -> HttpResponse:
    return _run_page(request, get_object_or_404(LetterRun.objects.select_related("user"), pk=run_id))


@require_safe
def run_state(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The same numbers for the page's script."""
    facts = _facts(get_object_or_404(LetterRun.objects.select_related("user"), pk=run_id))
    return HttpResponse(msgspec.json.encode(facts), content_type="application/json")


@require_POST
def begin(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """What can't be undone wants the number typed; a click too many does not purge."""
    _check_operator(request)
    found = get_object_or_404(LetterRun.objects.select_related("user"), pk=run_id)
    wanted = "yes" if found.action == LetterRun.Action.REPLAY else str(found.total)
    if request.POST.get("confirmed") != wanted:
        return _run_page(request, found, again=True)
    if not runs.begin(run=found, user=request.user, also_quarantined=request.POST.get("quarantined") == "yes"):
        messages.warning(request, "It has begun before, or was stopped; nothing was changed.")
    return _back_to(found)


@require_POST
def stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    _check_operator(request)
    found = get_object_or_404(LetterRun, pk=run_id)
    if runs.stop(run=found, user=request.user):
        messages.success(request, "Stopped. What was moved stays moved, the rest is as it was.")
    else:
        messages.warning(request, "It had ended before.")
    return _back_to(found)


def _run_page(request: HttpRequest, found: LetterRun, **context: Any) -> HttpResponse:
    facts = _facts(found)
    return page(
        request,
        "run.html",
        facts.title,
        run=found,
        facts=facts,
        action=found.action,
        may_operate=request.user.has_perm(OPERATE),
        **context,
    )


def _facts(found: LetterRun) -> RunFacts:
    return facts_of(found, now=timezone.now())


def _back_to(found: LetterRun) -> HttpResponse:
    return redirect("admin:queueing_queue_run", found.pk)


def _check_operator(request: HttpRequest) -> None:
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied("this needs the permission queueing.operate")
