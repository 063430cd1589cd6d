"""Settings for a worker whose provider is as slow as SLOW_PHONE_S says. A module of its own: workers import it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from config.settings import *  # noqa: F403
from notifications.provider import Outgoing, Receipt

NOTIFICATIONS = {"PROVIDER": "config.tests.slow_provider.SlowPhone"}


class SlowPhone:
    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[Receipt]:
        from notifications.demo_phone import DemoPhone

        time.sleep(float(os.environ["SLOW_PHONE_S"]))
        return DemoPhone().send_batch(messages)
