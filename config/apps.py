from django.apps import AppConfig
from django.conf import settings


class HouseConfig(AppConfig):
    """The house itself: pages' frame, the audit, the demo data. Knows every app; no app knows it."""

    name = "config"
    label = "house"
    verbose_name = "Sluice"

    def ready(self) -> None:
        from config import (
            celery,  # noqa: F401  (@shared_task binds to this app, in every process)
            roles,
        )

        roles.connect()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            from config import tracing

            tracing.start(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
