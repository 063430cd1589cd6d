"""The funnel in Debian's Chromium: numbers that move by themselves, on a desk and in a hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import pytest
import redis
from django.conf import settings
from playwright.sync_api import Page, expect

from config.room import funnel_shown
from config.room.flow import SETTLED_S, Flow, Since
from config.room.sale_now import SaleNow
from config.traffic import keys
from config.traffic.second import Second
from orders.histogram import bucket_of
from shop.models import User
from tests.conftest import MUCH_LATER_MS, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FUNNEL = "/admin/room/funnel/"
DRAWN = re.compile("^M.+L")


@pytest.fixture
def client(empty_redis: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(funnel_shown, "_flow", Flow())
    monkeypatch.setattr(funnel_shown, "_since", Since())
    monkeypatch.setattr(funnel_shown, "_sale", SaleNow())
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def operator(come: Callable[..., Page], admin_user: User) -> Callable[..., Page]:
    return partial(come, FUNNEL, admin_user)


def crowd(client: redis.Redis) -> None:
    """A minute that rises to a peak of 100,000 a second, as three web processes and an nginx would have told it."""
    now_s = client.time()[0]
    for ago_s in range(60):
        at_s, share = now_s - ago_s, 1 - ago_s / 60
        counts = {
            "passed": int(9_500 * share),
            "answer:sold_out": int(3_600 * share),
            "answer:admitted": int(990 * share),
        }
        counts |= {"answer:rate_limited": int(210 * share), "answer:<script>": 1}
        took = {bucket_of(int(900 + 40 * step)): 30 - step for step in range(30)}
        client.hset(keys.minute(at_s), f"{at_s}:shop-1", msgspec.msgpack.encode(Second(counts, took, took)))
        requests, answered = int(100_000 * share), int(12_000 * share)
        client.hset(keys.minute(at_s), f"{at_s}:shop-1:gateway", f"{requests} {answered} 1")


def test_the_funnel_moves_by_itself(operator: Callable[..., Page], client: redis.Redis) -> None:
    page = operator()
    passed = page.locator('[data-row="passed"]')
    expect(passed.locator("[data-now]")).to_have_text("0/s")
    expect(page.get_by_text("Every answer made an order, or nobody asked.")).to_be_visible()
    keep(page, "funnel-quiet")

    at_s = client.time()[0] - SETTLED_S
    client.hset(keys.minute(at_s), f"{at_s}:shop-1", msgspec.msgpack.encode(Second({"passed": 4321}, {}, {})))

    expect(passed.locator("[data-minutes]")).to_have_text("4,321", timeout=MUCH_LATER_MS)
    expect(passed.locator(".edge")).to_have_attribute("d", DRAWN)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_crowd_on_a_desk_and_in_a_hand(operator: Callable[..., Page], client: redis.Redis, scheme: str) -> None:
    crowd(client)
    desk = operator(color_scheme=scheme)
    expect(desk.get_by_role("row", name="Shed at the gateway")).to_contain_text("% of offered")
    expect(desk.locator('[data-row="offered"] .edge')).to_have_attribute("d", DRAWN)
    assert fits(desk)
    keep(desk, f"funnel-desk-{scheme}")

    hand = operator(viewport=PHONE, color_scheme=scheme)
    expect(hand.get_by_text("Rate limited", exact=False)).to_be_visible()
    assert fits(hand)
    keep(hand, f"funnel-phone-{scheme}")
