"""What granian serves: `granian --interface asginl config.asgi:application`."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from config.body import cut_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = cut_bodies(get_asgi_application(), after=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
