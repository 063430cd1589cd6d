"""How many consumers a group has, by hand: held for a while, let go, one drained; each written down."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.test import Client

from queueing import keys
from queueing.autoscaler import asking
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader
from queueing.tests.console import GROUP, person, placed

pytestmark = pytest.mark.django_db
SCALE = "/admin/queueing/queue/group/scale/"
PAGE = "/admin/queueing/queue/group/?group=orders"


@pytest.fixture
def broker(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisStreamsBroker]:
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def ann(broker: RedisStreamsBroker, django_user_model: type) -> Client:
    return person(django_user_model, "ann", is_staff=True, is_superuser=True)


def act(browser: Client, act: str, **more: str) -> str:
    answer = browser.post(SCALE, {"group": GROUP, "act": act, **more}, follow=True)
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode()


def test_one_more_is_held_for_ten_minutes_and_let_go_again(ann: Client) -> None:
    page = act(ann, "more")

    wanted = asking.read(GROUP)
    assert (wanted.desired, wanted.held_why) == (2, "ann, by hand")
    assert "Held orders at 2 consumers for 10 minutes." in page
    assert "No autoscaler is running that would follow." in page
    assert "Let the lag of orders decide again." in act(ann, "release")
    assert asking.read(GROUP).held_until is None
    assert "That was so already." in act(ann, "release")
    said = LogEntry.objects.order_by("pk").values_list("user__username", "object_repr", "change_message")
    assert list(said) == [
        ("ann", "orders", "Held orders at 2 consumers for 10 minutes"),
        ("ann", "orders", "Let the lag of orders decide again"),
    ]


def test_the_last_consumer_is_taken_away_only_when_that_is_agreed(ann: Client) -> None:
    page = act(ann, "fewer")

    assert "Stop orders?" in page
    assert asking.read(GROUP).held_until is None
    assert "Held orders at 0 consumers" in act(ann, "fewer", confirmed=GROUP)
    assert asking.read(GROUP).desired == 0
    assert "0 to 64 may be held" in act(ann, "fewer"), "there are none to take away"


def test_one_consumer_is_asked_to_leave_and_one_that_is_not_there_is_not(
    ann: Client, broker: RedisStreamsBroker, client: redis.Redis
) -> None:
    broker.beat(GROUP, "ada")

    assert "Asked ada of orders to finish its batch and leave." in act(ann, "drain:ada")
    assert client.hexists(keys.scale(GROUP), "drain:ada")
    assert "That was so already." in act(ann, "drain:nobody")
    assert LogEntry.objects.count() == 1


def test_an_unknown_action_or_group_does_nothing(ann: Client) -> None:
    assert ann.post(SCALE, {"group": GROUP, "act": "explode"}).status_code == HTTPStatus.BAD_REQUEST
    assert ann.post(SCALE, {"group": "nobody", "act": "more"}).status_code == HTTPStatus.NOT_FOUND
    assert not LogEntry.objects.exists()


def test_without_redis_nothing_is_changed(ann: Client, settings: object) -> None:
    settings.QUEUEING = {**settings.QUEUEING, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}}  # type: ignore[attr-defined]

    assert "nothing was changed" in act(ann, "more", **{"from": "queue"})
    assert not LogEntry.objects.exists()


def test_a_group_is_shown_partition_by_partition_with_who_holds_what(ann: Client, broker: RedisStreamsBroker) -> None:
    broker.produce([placed(str(sale)) for sale in range(64) for _ in range(3)])
    hostile = "<script>window.hacked=1</script>\u2028"
    broker.read(GROUP, hostile, ["orders.placed"], 30, 0)

    page = ann.get(PAGE).content.decode()

    assert page.count("orders.placed/") >= 64
    assert "&lt;script&gt;window.hacked=1&lt;/script&gt;\\u2028" in page
    assert "<script>window" not in page
