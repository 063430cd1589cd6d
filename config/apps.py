from django.apps import AppConfig


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
