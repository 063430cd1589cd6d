"""The funnel's numbers: of the web, the queue and the orders' history, second by second."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest
import redis
from django.db import OperationalError
from django.test import Client
from redis.exceptions import ConnectionError as Away

from config.room import flow, funnel_shown, sale_now
from config.room.flow import Flow, Since, Window
from config.room.layers import LAYERS
from config.room.sale_now import SaleNow
from config.traffic import keys
from config.traffic.flushing import LOST
from config.traffic.reading import UNKNOWN, Moment
from config.traffic.second import Second
from orders.histogram import bucket_of
from orders.models import Transition
from orders.steps import Steps
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.tests.console import placed
from shop.models import Product, Sale, User

pytestmark = pytest.mark.django_db
PAGE = "/admin/room/funnel/"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def broker(settings, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(funnel_shown, "_flow", Flow(clock=clock))
    monkeypatch.setattr(funnel_shown, "_since", Since())
    monkeypatch.setattr(funnel_shown, "_sale", SaleNow())
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        found = make_broker()
        found.tick = lambda: setattr(clock, "now", clock.now + 1)
        yield found
        client.flushdb()


@pytest.fixture
def grace(client: Client) -> Client:
    client.force_login(User.objects.create_user("grace", password="hopper", is_staff=True))
    return client


def second(broker: RedisStreamsBroker, ago_s: int, counts: dict, took_us: tuple = (), gateway: str = "") -> None:
    """As a web process would have written it, so many seconds before the last settled one."""
    at_s = broker.redis.time()[0] - flow.SETTLED_S - ago_s
    took = Counter(map(bucket_of, took_us))
    broker.redis.hset(keys.minute(at_s), f"{at_s}:shop-1", msgspec.msgpack.encode(Second(counts, took, took)))
    if gateway:
        broker.redis.hset(keys.minute(at_s), f"{at_s}:shop-1:gateway", gateway)


def rows(client: Client) -> dict[str, dict]:
    return {row["key"]: row for row in told(client)["rows"]}


def told(client: Client) -> dict:
    return json.loads(client.get(f"{PAGE}live/").content)


def step(status: str, ago_s: float, times: int = 1) -> None:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    Transition.objects.bulk_create(
        Transition(order_id=uuid4(), from_status="", to_status=status, cause="a test", at=at) for _ in range(times)
    )


CROWD = {
    "passed": 5_000,
    "answer:admitted": 900,
    "answer:sold_out": 3_000,
    "answer:over_limit": 90,
    "answer:bad_pass": 10,
}


def test_from_the_crowd_that_came_to_what_was_shipped(broker: RedisStreamsBroker, grace: Client) -> None:
    # nginx took 100,000 and 20 of its own for its cache, of which it answered 9,020, and the web 5,000.
    second(broker, 4, CROWD, took_us=(3_000,) * 98 + (80_000, 200_000), gateway="100020 9020 20")
    broker.produce([placed(str(number % 2)) for number in range(7)])
    step("created", 10, 5)
    step("confirmed", 9, 5)
    step("paid", 8, 3)
    step("shipped", 7, 2)
    broker.redis.time()

    found = wait_for(broker, grace, lambda rows: rows["queued"]["minutes"] == "7")

    numbers = {key: row["minutes"] for key, row in found.items()}
    assert numbers == {
        "offered": "100,000",
        "cached": "9,000",
        "shed": "86,000",
        "passed": "5,000",
        "asked": "4,000",
        "refused": "100",
        "sold_out": "3,000",
        "queued": "7",
        "created": "5",
        "paid": "3",
        "shipped": "2",
    }
    assert found["shed"]["share"] == "86 % of offered"
    assert found["asked"]["share"] == "80 % of let through"
    assert found["paid"]["share"] == "43 % of queued"
    assert (found["shed"]["bar"], found["queued"]["bar"]) == (86, 0.01)
    shown = told(grace)
    assert {reason["label"]: reason["minutes"] for reason in shown["reasons"]} == {
        "Over limit": "90", "Bad pass": "10", "Admitted before: the same key, the same order": "893"
    }  # fmt: skip
    assert shown["latencies"][0]["cells"] == ["3.00 ms", "3.00 ms", "80.1 ms", "200 ms"]
    assert shown["banner"] == ""


def wait_for(broker, client: Client, wanted) -> dict[str, dict]:
    """Look until the present second has settled."""
    deadline = time.monotonic() + 8
    while not wanted(found := rows(client)):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
        broker.tick()
    return found


def test_with_no_traffic_the_layers_say_zero_and_their_limits(
    broker: RedisStreamsBroker, grace: Client, settings
) -> None:
    settings.GATEWAY_LIMIT, settings.ORDERS_LIMIT = (10_000, 1_000, 1_024), (5_000, 250, 256)

    found = rows(grace)

    assert {row["now"] for row in found.values()} == {"0/s"}
    assert {row["minutes"] for row in found.values()} == {"0"}
    assert found["passed"]["limit"] == "10,000/s, 1,000 more at once, 1,024 under way"
    assert found["asked"]["limit"].startswith("5,000/s")
    assert found["queued"]["limit"] == "200,000 waiting"
    assert found["created"]["limit"] == found["paid"]["limit"] == found["shipped"]["limit"] == "1,000/s"
    page = grace.get(PAGE).content.decode()
    assert "Every answer made an order, or nobody asked." in page
    assert all(layer.label in page for layer in LAYERS)


def test_a_cap_that_an_operator_sets_is_the_limit_at_once(broker: RedisStreamsBroker, grace: Client) -> None:
    broker.set_rate("orders", 250, topic="orders.placed")
    assert rows(grace)["created"]["limit"] == "250/s"

    broker.set_rate("orders", None, topic="orders.placed")
    assert rows(grace)["created"]["limit"] == "none"


def test_without_nginx_the_web_says_what_it_shed(broker: RedisStreamsBroker, grace: Client) -> None:
    second(broker, 1, {"passed": 100, "shed": 900})

    found = rows(grace)

    assert (found["offered"]["minutes"], found["shed"]["minutes"], found["cached"]["minutes"]) == ("1,000", "900", "0")
    assert found["shed"]["now"] == "300/s", "the mean of three seconds"
    assert max(found["shed"]["line"]) == 300


def test_a_second_that_was_told_late_is_still_counted(broker: RedisStreamsBroker, grace: Client) -> None:
    """Redis was away from that process for a minute: 30 looks later at most."""
    second(broker, 100, {"passed": 1})
    assert rows(grace)["passed"]["minutes"] == "1"
    second(broker, 70, {"passed": 40, LOST: 3})

    for _ in range(flow.EVERY):
        broker.tick()
        found = rows(grace)

    assert found["passed"]["minutes"] == "41"
    assert told(grace)["banner"] == "3 seconds of counts were dropped while Redis was away."


def test_a_gateway_that_cannot_tell_is_said(broker: RedisStreamsBroker, grace: Client) -> None:
    second(broker, 1, {"passed": 10}, gateway=f"100 {UNKNOWN} {UNKNOWN}")

    assert rows(grace)["shed"]["minutes"] == "90"
    assert "that counts as shed" in told(grace)["banner"]


def test_redis_away_and_back_the_page_says_since_when_it_does_not_know(
    broker: RedisStreamsBroker, grace: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    second(broker, 3, {"passed": 10})
    assert rows(grace)["passed"]["minutes"] == "10"

    def gone():
        raise Away("gone")

    with monkeypatch.context() as away:
        away.setattr(flow, "client", gone)
        broker.tick()
        shown = told(grace)
        assert shown["stale"]
        assert "Redis does not answer since" in shown["banner"]
        assert {row["key"]: row["minutes"] for row in shown["rows"]}["passed"] == "10", "as of then"
        assert grace.get(PAGE).status_code == 200
    broker.tick()

    assert told(grace)["banner"] == ""


def test_postgresql_away_only_what_it_knows_is_unknown(
    broker: RedisStreamsBroker, grace: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    second(broker, 3, {"passed": 10})

    def gone(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(Steps, "read", gone)
    found = rows(grace)

    assert (found["passed"]["minutes"], found["paid"]["minutes"], found["paid"]["now"]) == ("10", "—", "—")
    assert "PostgreSQL does not answer" in told(grace)["banner"]


def test_totals_are_of_the_sale_that_began_last(broker: RedisStreamsBroker, grace: Client) -> None:
    kettle = Product.objects.create(
        title="Copper kettle <b>", slug="kettle", blurb="Hot.", picture="pictures/kettle.svg"
    )
    now = datetime.now(UTC)
    for minutes in (40, -60):  # one that runs, one to come
        Sale.objects.create(
            product=kettle,
            price_cents=1,
            stock=5,
            starts_at=now - timedelta(minutes=minutes),
            ends_at=now + timedelta(minutes=99),
        )
    for ago_s, passed in ((45 * 60, 1), (39 * 60, 10), (20, 100)):
        second(broker, ago_s, {"passed": passed})

    found, shown = rows(grace)["passed"], told(grace)

    assert (found["minutes"], found["sale"]) == ("100", "110")
    assert shown["sale"].startswith("since Copper kettle <b> began, ")
    assert "Copper kettle &lt;b&gt;" in grace.get(PAGE).content.decode()


def test_without_a_sale_totals_are_of_the_last_hour(broker: RedisStreamsBroker, grace: Client) -> None:
    second(broker, 50 * 60, {"passed": 7})

    assert rows(grace)["passed"]["sale"] == "7"
    assert told(grace)["sale"] == "of the last hour"


def test_a_running_sum_is_the_sum_of_its_seconds() -> None:
    """However the window moves on, and although late seconds are rewritten."""
    seconds = {at: Moment(Counter({"passed": at})) for at in range(10_000, 13_000)}
    running = Since()

    for last_s in (10_100, 10_101, 10_400, 10_900, 11_500):
        window = Window(last_s=last_s, seconds={at: moment for at, moment in seconds.items() if at <= last_s})
        assert running.counted(window, 10_050)["passed"] == sum(range(10_050, last_s + 1))
    assert running.counted(window, 11_400)["passed"] == sum(range(11_400, 11_501))


class TestSteps:
    def test_the_first_look_goes_back_and_the_next_ones_read_what_is_new(self) -> None:
        clock = Clock()
        steps = Steps(clock=clock)
        step("created", 4_000, 3)
        step("created", 200, 2)
        step("paid", 3)
        now_s = int(time.time())

        def total(**span) -> dict[str, int]:
            found: Counter[str] = Counter()
            for statuses in steps.read(now_s=now_s, **span).values():
                found.update(statuses)
            return dict(found)

        assert total(last_s=3_600) == {"created": 2, "paid": 1}
        assert total(last_s=100) == {"paid": 1}
        clock.now += 30
        step("shipped", 1)
        assert total(last_s=5) == {"shipped": 1, "paid": 1}

    def test_nothing_ever_happened(self) -> None:
        assert Steps().read(now_s=int(time.time()), last_s=3_600) == {}


def test_a_sale_that_postgresql_does_not_tell_is_the_one_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    sale = SaleNow(clock=clock)
    sale._found, sale._asked_at = (5_000, "Kettle"), 0.0

    def gone(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(sale_now.Sale.objects, "filter", gone)
    assert sale.read(5_090).text == "since Kettle began, 1 min 30 s ago"
    assert sale.read(50_000).text == "of the last hour; Kettle began before"
