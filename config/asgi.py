"""What granian serves: `granian --interface asginl config.asgi:application`."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from config.body import cut_bodies
from config.client_address import see_through_proxies
from config.limits import Bucket, keep_limits

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = cut_bodies(get_asgi_application(), after=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
application = see_through_proxies(application, trusted=settings.TRUSTED_PROXIES)
if settings.GATEWAY != "nginx":
    application = keep_limits(
        application,
        everything=Bucket(rate=settings.GATEWAY_RATE, burst=settings.GATEWAY_BURST),
        orders=Bucket(rate=settings.ORDERS_RATE, burst=settings.ORDERS_BURST),
    )
