"""`manage.py top`: the operator's page on a terminal."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis
from django.core.management import call_command
from django.core.management.base import CommandError
from rich.console import Console

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader, Reading
from queueing.message import new_id
from queueing.models import ScaleEvent
from queueing.terminal.frame import Frame
from queueing.terminal.sparkline import sparkline
from queueing.terminal.view import View, look
from queueing.tests.console import GROUP, bury, placed, read

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


def top(*words: str) -> str:
    said = io.StringIO()
    call_command("top", *words, stdout=said)
    return said.getvalue()


def drawn(view: View, *, width: int = 80, no_color: bool = False) -> str:
    said = io.StringIO()
    Console(file=said, width=width, height=40, force_terminal=True, no_color=no_color).print(Frame(view))
    return said.getvalue()


def row(frame: str, group: str) -> list[str]:
    return next(line for line in frame.splitlines() if line.startswith(group)).split()


def test_one_frame_says_what_the_page_says(broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(1500)])
    broker.ack(GROUP, "ada", read(broker, 300))
    bury(broker, [placed()])
    broker.beat(GROUP, "ada")

    frame = top("--once")

    snapshot = selectors.read_queue().snapshot
    assert snapshot is not None
    orders = next(group for group in snapshot.groups if group.group == GROUP)
    name, lag, *_, dead, alive, drain = row(frame, "orders")
    assert (name, lag, dead, alive) == (GROUP, f"{orders.lag:,}!", f"{orders.dead}!", "1")
    assert re.fullmatch(r"\d+|\d+\.\d|never!!", drain.removesuffix("s"))
    assert "Dead letters  1 to look at" in frame
    assert re.search(rf"now {snapshot.total.lag:,}, most {snapshot.total.lag:,}$", frame, re.MULTILINE)


def test_a_frame_that_nobody_watches_has_no_escape_codes_and_fits_eighty_columns(broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(12_000)])

    frame = top("--once")

    assert "\x1b" not in frame
    assert "12,000!!" in frame, "very high, in words and signs and not by colour alone"
    assert "very high" in frame
    assert max(map(len, frame.splitlines())) <= 80


def test_colours_are_for_terminals_that_want_them(broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(12_000)])
    view = look()

    assert "\x1b[1;31m" in drawn(view)
    assert not re.search(r"\x1b\[[\d;]*3\d", drawn(view, no_color=True))
    assert "very high" in drawn(view, no_color=True)
    assert all(len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= 40 for line in drawn(view, width=40).splitlines())


def test_json_is_the_sample_itself(broker: RedisStreamsBroker) -> None:
    broker.produce([placed() for _ in range(7)])

    deadline = time.monotonic() + 5  # rates are of whole seconds
    while (sample := json.loads(top("--json")))["rates"]["orders"]["produced"] == 0:
        assert time.monotonic() < deadline

    assert sample["snapshot"]["total"]["lag"] == sum(group["lag"] for group in sample["snapshot"]["groups"]) > 0
    assert sample["stale"] is False
    assert sample["lag_last_60_s"][-1] == sample["snapshot"]["total"]["lag"]


def test_the_last_decisions_of_the_autoscaler_stand_below_with_their_reasons(client: redis.Redis) -> None:
    for minute, reason in enumerate(
        ["lag 12,000 is above 10,000", "the group is at its cap\x1b[2J of 1,000 a second" * 3]
    ):
        ScaleEvent.objects.create(
            id=new_id(), at=datetime(2026, 11, 20, 12, minute, tzinfo=UTC), group="orders", direction="up", lag=12_000,
            slope_per_s=1, acked_per_s=1, produced_per_s=2, desired=2, actual=1, reason=reason, supervisor="a",
        )  # fmt: skip

    frame, sample = top("--once"), json.loads(top("--json"))

    newest, before = frame.splitlines()[-2:]
    assert newest.startswith("12:01:00 UTC  orders to 2 consumers: the group is at its cap\\u001b[2J")
    assert before == "12:00:00 UTC  orders to 2 consumers: lag 12,000 is above 10,000"
    assert max(map(len, frame.splitlines())) <= 80
    assert [event["reason"] for event in sample["scaling"]][1] == "lag 12,000 is above 10,000"


def test_where_nobody_can_watch_it_says_what_to_ask_for() -> None:
    with pytest.raises(CommandError, match="--once or --json"):
        top()


def test_a_redis_that_is_away_is_said_with_its_time(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    def refuse() -> object:
        raise redis.ConnectionError("connection refused")

    reader = Reader(take=refuse)  # type: ignore[arg-type]
    monkeypatch.setattr(selectors, "_reader", reader)

    with pytest.raises(CommandError, match="connection refused"):
        top("--once")
    assert re.search(r"Redis does not answer. Nothing is known .* since \d\d \w+ \d{4}", drawn(look(), width=120))


def test_names_and_numbers_cannot_steer_the_terminal() -> None:
    reading = Reading(None, {}, 0.0, None, "\x1b[2J")

    assert "\x1b[2J" not in drawn(View(reading, []))


@pytest.mark.parametrize(
    ("values", "width", "bars"),
    [
        ([], 10, ""),
        ([0, 0], 10, "▁▁"),
        ([0, 1, 50, 100], 10, "▁▂▅█"),
        ([1, 9, 0, 0, 0, 2], 3, "█▁▃"),
        ([5], 0, ""),
    ],
)
def test_a_row_of_bars(values: list[int], width: int, bars: str) -> None:
    assert sparkline(values, width) == bars
