"""A wrong QUEUEING setting is one line of `manage.py check`, before anything runs on it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from queueing import conf

LISTENER = """
from orders.events import OrderPaid
from queueing.subscription import Subscription

SUBSCRIPTION = Subscription(group={group!r}, handlers={{OrderPaid: print}})
"""


@pytest.fixture(autouse=True)
def _no_group_is_remembered() -> Iterator[None]:
    conf.subscriptions.cache_clear()
    yield
    conf.subscriptions.cache_clear()
    sys.modules.pop("bakery", None)
    sys.modules.pop("bakery.handlers", None)


@pytest.mark.parametrize(
    ("handlers", "changed", "why"),
    [
        ("", {}, "bakery/handlers.py does not end with SUBSCRIPTION = Subscription(…)"),
        (LISTENER.format(group="orders"), {}, "consumer group 'orders' is claimed by two apps; bakery is the second"),
        (LISTENER.format(group="bakers"), {"TOPICS": {}}, "subscribes to 'orders.events', which QUEUEING['TOPICS']"),
        (
            LISTENER.format(group="bakers"),
            {"TOPICS": {"x": {"partition": 4}}},
            "keyword argument 'partition'",
        ),
        (LISTENER.format(group="bakers"), {"APPS": ["bakry"]}, "No module named 'bakry'"),
        (
            LISTENER.format(group="bakers"),
            {"TOPICS": {"x": {"gate_group": "cooks", "capacity": 1}}},
            "topic 'x' is gated by 'cooks', which nobody subscribes as",
        ),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    handlers: str,
    changed: dict[str, object],
    why: str,
    settings: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bakery").mkdir()
    (tmp_path / "bakery" / "handlers.py").write_text(handlers)
    monkeypatch.syspath_prepend(tmp_path)
    settings.QUEUEING = {**settings.QUEUEING, "APPS": ["orders", "bakery"], **changed}

    with pytest.raises(SystemCheckError, match=re.escape(why)):
        call_command("check")
    with pytest.raises(SystemCheckError, match=re.escape(why)):
        call_command("consume", "bakers", skip_checks=False)
