"""From Redis to PostgreSQL: each event once, however often it is carried, and not for ever."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.db import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing import keys
from queueing.autoscaler import timeline
from queueing.autoscaler.records import Event
from queueing.errors import BrokerUnavailable, StoreUnavailable
from queueing.models import ScaleEvent

pytestmark = pytest.mark.django_db


def event(**more: Any) -> Event:
    known: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "at_ms": round(datetime.now(UTC).timestamp() * 1000),
        "group": "bakers",
        "direction": "up",
        "lag": 12_000,
        "slope_per_s": 900.5,
        "acked_per_s": 480.0,
        "produced_per_s": 1_380.5,
        "cap": None,
        "desired": 2,
        "actual": 1,
        "reason": "lag 12,000 is above 10,000",
        "supervisor": "lisbon-412-a1b2c3",
    }
    return Event(**(known | more))


def tell(client: redis.Redis, *events: Event) -> None:
    client.rpush(keys.SCALE_EVENTS, *map(msgspec.json.encode, events))


def test_an_event_becomes_a_row_with_all_it_says(client: redis.Redis) -> None:
    told = event(cap=1_000.0)
    tell(client, told)

    assert timeline.carry(client) == 1

    row = ScaleEvent.objects.get()
    facts = msgspec.structs.asdict(told)
    assert round(row.at.timestamp() * 1000) == facts.pop("at_ms")
    assert {name: str(getattr(row, name)) for name in facts} == {name: str(fact) for name, fact in facts.items()}
    assert client.llen(keys.SCALE_EVENTS) == 0


def test_carried_again_after_a_death_in_between_it_is_there_once(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(client, event(), event())
    with monkeypatch.context() as dying:
        dying.setattr(timeline, "_forget_old", lambda: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):  # the rows are there, and the events as well
            timeline.carry(client)

    timeline.carry(client)

    assert ScaleEvent.objects.count() == 2
    assert client.llen(keys.SCALE_EVENTS) == 0


def test_what_was_told_meanwhile_is_not_taken_for_carried(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another relay carried the same, and a third event came: it stays until it is carried, too."""
    tell(client, event())
    real = timeline._forget_old

    def meanwhile() -> None:
        real()
        client.delete(keys.SCALE_EVENTS)
        tell(client, event(group="millers"))

    monkeypatch.setattr(timeline, "_forget_old", meanwhile)
    timeline.carry(client)
    monkeypatch.setattr(timeline, "_forget_old", real)

    assert client.llen(keys.SCALE_EVENTS) == 1
    timeline.carry(client)
    assert set(ScaleEvent.objects.values_list("group", flat=True)) == {"bakers", "millers"}


def test_what_nobody_can_read_does_not_stay_for_ever(client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    client.rpush(keys.SCALE_EVENTS, b"{}", b"\xff")
    tell(client, event())

    assert timeline.carry(client) == 1
    assert client.llen(keys.SCALE_EVENTS) == 0
    assert "could not be read" in caplog.text


def test_rows_go_after_thirty_days_and_when_they_are_too_many(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "_next_forgetting", float("-inf"))
    monkeypatch.setattr(timeline, "KEPT_MOST", 3)
    now = datetime.now(UTC)
    tell(client, *(event(at_ms=round((now - timedelta(hours=n)).timestamp() * 1000), lag=n) for n in range(5)))
    tell(client, event(at_ms=round((now - timedelta(days=31)).timestamp() * 1000), lag=31))

    timeline.carry(client)

    assert sorted(ScaleEvent.objects.values_list("lag", flat=True)) == [0, 1, 2]


def test_without_postgresql_nothing_leaves_redis(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(client, event())

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(ScaleEvent.objects, "bulk_create", gone)

    with pytest.raises(StoreUnavailable):
        timeline.carry(client)
    assert client.llen(keys.SCALE_EVENTS) == 1


def test_without_redis_it_says_so() -> None:
    with redis.Redis(port=1, retry=Retry(NoBackoff(), 0)) as nobody, pytest.raises(BrokerUnavailable):
        timeline.carry(nobody)
