"""What the charts draw: the last minutes, the last hour or a past load run, of a group, a partition or everything."""

from __future__ import annotations

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from queueing.console import scaling
from queueing.console.history import LAST_S, History, read_partition, shared_history
from queueing.console.knowing import places
from queueing.console.load_runs import recall
from queueing.models import LoadRun
from queueing.series import KEPT_S

RANGES = {"": LAST_S, "minutes": LAST_S, "hour": KEPT_S}


class Drawing(msgspec.Struct, frozen=True):
    """steps: where the number of consumers was changed. partitions: group → "topic/partition" each, of a live chart."""

    history: History
    steps: list[scaling.Step]
    partitions: dict[str, list[str]]


@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """?last=minutes or hour, or ?run=7; with &place=group/topic/partition that one alone."""
    try:
        drawing = _run(request.GET["run"]) if request.GET.get("run") else _live(request)
    except RedisError:
        return HttpResponse(b"{}", content_type="application/json", status=503)
    return HttpResponse(msgspec.json.encode(drawing), content_type="application/json")


def _live(request: HttpRequest) -> Drawing:
    last_s = RANGES.get(request.GET.get("last", ""))
    if last_s is None:
        raise Http404("minutes or hour")
    where = places()
    if place := request.GET.get("place"):
        found = next((one for one in where if f"{one[2]}/{one[0]}/{one[1]}" == place), None)
        if found is None:
            raise Http404("no such partition")
        read = read_partition(group=found[2], topic=found[0], partition=found[1], last_s=last_s)
    else:
        read = shared_history(last_s=last_s)
    partitions: dict[str, list[str]] = {}
    for topic, partition, group in where:
        partitions.setdefault(group, []).append(f"{topic}/{partition}")
    return Drawing(read, scaling.since(read.first_s), partitions)


def _run(number: str) -> Drawing:
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise Http404("no such run")
    run = get_object_or_404(LoadRun, pk=int(number))
    return Drawing(recall(run), scaling.between(run.began, run.ended), {})
