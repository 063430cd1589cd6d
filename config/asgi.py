"""What granian serves: `granian --interface asginl config.asgi:application`.

From the outside in: who asks, how many may, the few addresses that are answered at once, and Django.
"""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from config.body import cut_bodies
from config.client_address import see_through_proxies
from config.limits import Limit, keep_limits

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django = get_asgi_application()

from config.lane import fast_lane  # noqa: E402  it imports models, which are there now
from config.traffic import flushing  # noqa: E402
from queueing.console.stream import streams  # noqa: E402
from queueing.consumer import calm_the_collector  # noqa: E402

application = fast_lane(cut_bodies(streams(django), after=settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
application = see_through_proxies(application, trusted=settings.TRUSTED_PROXIES)
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    from config.tracing import trace_requests

    application = trace_requests(application)
if settings.GATEWAY != "nginx":
    application = keep_limits(
        application, everything=Limit(*settings.GATEWAY_LIMIT), orders=Limit(*settings.ORDERS_LIMIT)
    )
flushing.start(settings.GATEWAY_STATUS)
# A crowd's requests are objects that live until they are answered; the collector looked through all of them, again and
# again, for an eighth of the hot second.
calm_the_collector(every=20_000)
