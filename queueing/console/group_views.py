"""One consumer group on the operator's pages: pause it, let it go on, or put it somewhere else in a topic."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_POST, require_safe
from redis.exceptions import RedisError

from queueing.broker import BEGINNING, END, Position
from queueing.console import present, selectors, words
from queueing.console.acting import AWAY, back, check_operator, subscription_called
from queueing.console.consumers import COLUMNS as CONSUMER_COLUMNS
from queueing.console.consumers import crews
from queueing.console.logbook import write_down
from queueing.console.moving import NotRebuildable, pause_group, reset_group
from queueing.console.partitions import COLUMNS as PARTITION_COLUMNS
from queueing.console.partitions import partitions
from queueing.console.views import OPERATE, page
from queueing.errors import BrokerUnavailable
from queueing.subscription import Subscription


class ResetForm(forms.Form):
    """Where a group should be put."""

    topic = forms.ChoiceField()
    to = forms.ChoiceField(
        label="Put it",
        choices=[("time", "at a time"), (BEGINNING, "at the beginning of what is kept"), (END, "at the end")],
    )
    moment = forms.DateTimeField(
        label="Time (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S"),
        input_formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"],
    )
    reprocess = forms.BooleanField(label="Handle again what was handled", required=False)

    def __init__(self, subscription: Subscription, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["topic"].choices = [(name, name) for name in subscription.topics]  # type: ignore[attr-defined]
        if not subscription.rebuildable:
            del self.fields["reprocess"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("to") == "time" and not cleaned.get("moment"):
            self.add_error("moment", "Which time?")
        return cleaned

    @property
    def position(self) -> Position:
        if self.cleaned_data["to"] != "time":
            return str(self.cleaned_data["to"])
        return int(self.cleaned_data["moment"].replace(tzinfo=UTC).timestamp() * 1000)


@require_safe
def group(request: HttpRequest) -> HttpResponse:
    subscription = subscription_called(request.GET.get("group", ""))
    return _group_page(request, subscription, ResetForm(subscription))


@require_POST
def pause(request: HttpRequest) -> HttpResponseBase:
    check_operator(request)
    name = subscription_called(request.POST.get("group", "")).group
    paused = request.POST.get("action") == "pause"
    try:
        pause_group(group=name, paused=paused)
    except BrokerUnavailable:
        messages.error(request, AWAY)
        return back(request, name)
    write_down(request.user, name, f"{'Paused' if paused else 'Resumed'} {name}")
    what = "pauses: its consumers finish what they hold and read nothing" if paused else "reads again"
    messages.success(request, f"{name} {what}.")
    return back(request, name)


@require_POST
def reset(request: HttpRequest) -> HttpResponseBase:
    """Says first what it would come to; the second time, with the group's name typed, it moves."""
    check_operator(request)
    subscription = subscription_called(request.POST.get("group", ""))
    form = ResetForm(subscription, request.POST)
    if not form.is_valid():
        return _group_page(request, subscription, form)
    agreed = request.POST.get("confirmed", "") == subscription.group
    what = {
        "group": subscription.group,
        "topic": form.cleaned_data["topic"],
        "to": form.position,
        "reprocess": form.cleaned_data.get("reprocess", False),
    }
    try:
        moves = reset_group(**what, dry_run=not agreed)
    except BrokerUnavailable:
        messages.error(request, AWAY)
        return back(request, subscription.group)
    except (ValueError, NotRebuildable) as error:
        form.add_error(None, str(error))
        return _group_page(request, subscription, form)
    before, after = sum(move.lag_before for move in moves), sum(move.lag for move in moves)
    if not agreed:
        told = {"before": before, "behind": words.count(before), "after": words.count(after)}
        return _group_page(request, subscription, form, moves=moves, **told)
    done = f"{subscription.group} in {what['topic']}: lag {before:,} before, {after:,} now"
    write_down(request.user, subscription.group, f"Put {done}, at {what['to']}, reprocess {what['reprocess']}")
    messages.success(request, f"Put {done}.")
    return back(request, subscription.group)


def _group_page(request: HttpRequest, subscription: Subscription, form: ResetForm, **context: Any) -> HttpResponse:
    reading = selectors.read_queue()
    rows = [row for row in present.rows(reading) if row.of.key.split(".of")[0].split("/")[0] == subscription.group]
    found = (
        next((of for of in reading.snapshot.groups if of.group == subscription.group), None)
        if reading.snapshot
        else None
    )
    try:
        by_partition = partitions(found) if found and reading.unknown_since is None else None
    except RedisError:
        by_partition = None
    return page(
        request,
        "group.html",
        f"Group {subscription.group}",
        subscription=subscription,
        rows=rows,
        columns=present.COLUMNS,
        paused=bool(found and found.paused),
        partitions=by_partition,
        partition_columns=PARTITION_COLUMNS,
        crews=[crew for crew in crews(reading.snapshot) if crew.group == subscription.group],
        consumer_columns=CONSUMER_COLUMNS,
        stale=reading.stale,
        form=form,
        banner=present.banner(reading),
        may_operate=request.user.has_perm(OPERATE),
        **context,
    )
