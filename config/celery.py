"""Celery runs what is periodic or slow beside the shop: sweeps and calls to providers. Orders never travel on it.

    celery --quiet -A config.celery worker --without-gossip --without-mingle --without-heartbeat
    celery --quiet -A config.celery beat

Everything else about the two processes is in settings.CELERY_*. One beat per house; any number of workers.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# The checks ran before any process started; here they would only pull in every page and form of the shop.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
# It warns every root, of pickled tasks. Ours are JSON, whoever runs the worker.
warnings.simplefilter("ignore", SecurityWarning)

STOP_WITHIN_S = 8.0

app = Celery("sluice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _every(seconds: float, task: str) -> dict[str, Any]:
    # A worker that was away must not find an hour of sweeps waiting: each is worth running for one period.
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


# The periodic work of every app. A task's name is what its @shared_task says.
app.conf.beat_schedule = {
    "tell /healthz that Celery works": _every(10, "house.alive"),
    # A look through every log, hourly; its rows wait well.
    "delete inbox rows of messages that can no longer come": {
        "task": "queueing.prune",
        "schedule": 3600.0,
        "options": {"expires": 60},
    },
    "go on with dead letters that an operator moves": _every(5, "queueing.sweep_letters"),
    "tell operators what is wrong": _every(15, "house.watch"),
    "send what no task sent": _every(10, "notifications.sweep"),
    "expire unpaid payments": _every(5, "payments.tasks.expire_unpaid"),
    "tell what the demo bank has not told": _every(5, "payments.tasks.deliver_bank_webhooks"),
    "ask the carrier where parcels are": _every(5, "logistics.tasks.advance_shipments"),
}


@worker_shutting_down.connect
def _end_in_time(**_kwargs: Any) -> None:
    """A stopping worker finishes the task in its hands, but not for ever.

    Celery waits without end for a thread that hangs in a provider's call. What is unfinished was never acknowledged, so
    Redis gives it to another worker after the visibility timeout, and the sweeps find its rows before that.
    """

    def leave() -> None:
        logging.getLogger(__name__).warning("a task did not end within %.0f s and is given back", STOP_WITHIN_S)
        os._exit(os.EX_TEMPFAIL)

    timer = threading.Timer(STOP_WITHIN_S, leave)
    timer.daemon = True
    timer.start()
