"""Dead letters as CSV: what a spreadsheet would run is text, whoever wrote it, and any number of them streams."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
import redis
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import export_views
from queueing.console.choosing import Choice, chosen
from queueing.console.export import BEGINS_A_FORMULA, COLUMNS, chunks, harmless
from queueing.tests.console import GROUP, NASTY, bury, many_dead, person, placed

EXPORT = "/admin/queueing/queue/dead/export/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(client: redis.Redis) -> Iterator[RedisStreamsBroker]:
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def reader(django_user_model: type) -> Client:
    return person(django_user_model, "reader", is_staff=True)


def taken(browser: Client, **filter_: str) -> list[dict[str, str]]:
    answer = browser.get(EXPORT, filter_)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="dead-letters-')

    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    text = async_to_sync(read)().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("sign", BEGINS_A_FORMULA)
def test_no_cell_begins_a_formula(sign: str) -> None:
    assert harmless(f'{sign}HYPERLINK("http://evil.test")') == f"""'{sign}HYPERLINK("http://evil.test")"""
    assert harmless("7-1=6") == "7-1=6"


def test_what_matches_is_taken_away_whole_and_harmless(reader: Client, broker: RedisStreamsBroker) -> None:
    formula = '=cmd|"/c calc"!A1'
    bury(
        broker,
        [placed("7", body=b'{"order_id":"o-1","note":"a,\\"b\\"\xc3\xa9"}')],
        reason=formula,
        traceback="@SUM(1)",
    )
    bury(broker, [placed("-8", name=f"+orders.{NASTY}")], reason="OvenCold,\n12°", traceback="\r\n=1+1")

    second, first = taken(reader)
    [one] = taken(reader, reason="oven")

    assert set(first) == set(COLUMNS)
    assert first["reason"] == f"'{formula}"
    assert first["traceback"] == "'@SUM(1)"
    assert first["payload"] == '{"order_id":"o-1","note":"a,\\"b\\"é"}'
    assert (first["group"], first["key"], first["attempts"], first["quarantined"]) == (GROUP, "7", "1", "no")
    assert first["buried_at"].endswith("+00:00")
    assert second == one
    assert second["key"] == "'-8"
    assert second["event"].startswith("'+orders.<script>")
    assert second["reason"] == "OvenCold,\n12°"
    assert second["traceback"] == "\\u000d\n=1+1"
    for cell in (*first.values(), *second.values()):
        assert not cell.startswith(BEGINS_A_FORMULA)
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == [
        "Exported 2 dead letters as CSV",
        "Exported 1 dead letter as CSV",
    ]


def test_a_cell_has_no_more_than_a_spreadsheet_takes(reader: Client, broker: RedisStreamsBroker) -> None:
    bury(broker, [placed(body=b'"' + b"a" * 5_000_000 + b'"')])

    [letter] = taken(reader)

    assert len(letter["payload"]) < 32_767
    assert letter["payload"].endswith("… cut")


def test_many_are_held_a_page_at_a_time(broker: RedisStreamsBroker) -> None:
    many_dead(broker.redis, 3_000, body=b'{"flood":"' + b"a" * 10_000 + b'"}')
    tracemalloc.start()
    try:
        size = sum(len(text) for text, _ in chunks(chosen(Choice(), broker.redis)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size > 30_000_000
    assert peak < 15_000_000


def test_a_file_that_is_not_whole_says_so(
    reader: Client, broker: RedisStreamsBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_away(*_: object) -> Iterator[tuple[bytes, int]]:
        yield b"head\r\n", 0
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(export_views, "chunks", goes_away)

    [row] = taken(reader)

    assert row == {"head": "broken off: Redis does not answer any more, so this is not all"}
    assert LogEntry.objects.get().change_message.endswith("then Redis stopped answering")
