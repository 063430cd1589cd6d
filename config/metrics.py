"""`GET /metrics` for Prometheus: never for the public.

Whoever shows METRICS_TOKEN may read, and so may the addresses of METRICS_ALLOW, judged by the socket alone. A request
that came through a proxy is nobody's neighbour: it carries the proxy's address, and must show the token.
"""

from __future__ import annotations

import ipaddress
from hmac import compare_digest

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from config.room.faults_metric import FaultsCollector
from config.room.prometheus import BooksCollector
from config.traffic.prometheus import TrafficCollector
from queueing.console.prometheus import QueueCollector

# The queue's state is the same whichever process is asked, so nothing is counted in this one.
registry = CollectorRegistry(auto_describe=False)
registry.register(QueueCollector())
registry.register(BooksCollector())
registry.register(TrafficCollector())
registry.register(FaultsCollector())

PROXIED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")  # any of them: somebody stands in between


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """
    Raises:
        Http404: for everybody else there is no such page.
    """
    if not _may_read(request):
        raise Http404
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme == "Bearer":
        return compare_digest(shown.encode(), settings.METRICS_TOKEN.encode())
    if any(header in request.headers for header in PROXIED):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in network for network in settings.METRICS_ALLOW)
