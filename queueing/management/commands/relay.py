"""`manage.py relay`: tell what was committed. Wakes on NOTIFY, and looks each second in case one was missed."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils.module_loading import import_string

from queueing.autoscaler.timeline import carry
from queueing.conf import make_broker, subscriptions
from queueing.db import away_is_not_failure, limit_session
from queueing.errors import BrokerUnavailable, StoreUnavailable
from queueing.health import relay_beat
from queueing.outbox import CHANNEL
from queueing.relay import Relay
from queueing.upkeep import Upkeep

logger = logging.getLogger("queueing.relay")

POLL_S = 1.0
COLLECT_S = 0.02  # a burst of commits rings once


class Command(BaseCommand):
    help = "Move outbox rows to their topics, and keep logs and timeline in order, until SIGTERM or Ctrl-C."
    requires_system_checks = ["queueing"]
    stopping = False

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Advisory locks live as long as the session, so it must not be ended for idling; a statement may still hang.
        limit_session(lease_s=30)
        broker = make_broker()
        relay, upkeep = Relay(broker), Upkeep(broker, subscriptions())
        duties = [import_string(path) for path in settings.QUEUEING.get("UPKEEP", ())]
        duties_due = 0.0
        self.stdout.write("relay is listening")
        while not self.stopping:
            try:
                relay.own_lanes()
                if time.monotonic() >= duties_due:
                    for duty in duties:
                        duty()
                    carry(broker.redis)
                    duties_due = time.monotonic() + POLL_S
                relay_beat(broker)
                upkeep.turn()
                while relay.step() and not self.stopping and time.monotonic() < duties_due:
                    pass
                self._wait_for_commit()
            except (BrokerUnavailable, StoreUnavailable) as error:
                logger.warning("%s; trying again", error)
                connection.close()
                relay.forget_lanes()
                time.sleep(POLL_S)
        self.stdout.write("relay has stopped")

    def _wait_for_commit(self) -> None:
        # notifies() is psycopg's own; without the wrapper its errors would be nobody's.
        with away_is_not_failure(), connection.wrap_database_errors:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            if any(True for _ in connection.connection.notifies(timeout=POLL_S, stop_after=1)):
                time.sleep(COLLECT_S)

    def _stop(self, *_: Any) -> None:
        self.stopping = True
