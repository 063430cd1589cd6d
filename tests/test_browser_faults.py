"""The fault room in a real browser: one click, a countdown, a backlog that grows; seen by everybody who looks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from queueing import keys
from queueing.about import About
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.reading import Reader
from queueing.faults import store
from queueing.faults.fault import Fault, Kind
from queueing.tests.console import NASTY, placed
from tests.conftest import DESK, MUCH_LATER_MS, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ROOM = "/admin/room/faults/"


@pytest.fixture
def broker(empty_redis: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisStreamsBroker]:
    monkeypatch.setattr(selectors, "_reader", Reader())
    broker = make_broker()
    broker.beat("orders", "ada", About(host="shop-1", pid=412, handled=0, per_s=0.0, memory_bytes=61_000_000))
    yield broker
    broker.redis.close()


@pytest.fixture
def room(open_page: Callable[..., Page], admin_user: object) -> Callable[..., Page]:
    """Open the fault room as an operator who has logged in."""

    def open_it(**options: object) -> Page:
        page = open_page(**options)
        page.goto(ROOM)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill("password")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"**{ROOM}")
        return page

    return open_it


def card(page: Page, kind: str) -> object:
    return page.locator(f'[data-kind="{kind}"]')


def test_one_click_begins_a_fault_that_everybody_sees_and_another_ends_it_if_it_does_not_end_by_itself(
    room: Callable[..., Page], open_page: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    mine = room(viewport=DESK)
    theirs = open_page(viewport=PHONE, storage_state=mine.context.storage_state())
    theirs.goto(ROOM)
    broker.produce([placed(str(number)) for number in range(1_500)])

    card(mine, "sms").get_by_role("button", name="Begin").click()

    said = "Refused SMS, refuses 20 % of SMS"
    for page in (mine, theirs):
        expect(card(page, "sms").locator("[data-said]")).to_have_text(said, timeout=MUCH_LATER_MS)
        expect(card(page, "sms").locator("[data-left]")).to_have_text(re.compile(r"^\d\d s$"), timeout=MUCH_LATER_MS)
        expect(page.locator('tr[data-group="orders"] [data-lag]')).to_have_text("1,500 high")
        expect(page.locator('tr[data-group="orders"] path.edge')).to_have_attribute("d", re.compile("^M"))
        assert fits(page)
        keep(page, f"faults-{page.viewport_size['width']}")  # type: ignore[index]

    card(theirs, "sms").get_by_role("button", name="End now").click()

    expect(theirs.get_by_text("Refused SMS: ended.")).to_be_visible()
    for page in (mine, theirs):
        expect(card(page, "sms").locator("li")).to_have_count(0, timeout=MUCH_LATER_MS)
    assert store.running(broker.redis, []) == []

    dark = open_page(color_scheme="dark", storage_state=mine.context.storage_state())
    dark.goto(ROOM)
    store.begin(broker.redis, Fault(kind=Kind.PACE, group="orders", value=1_000, by=NASTY), seconds=60)
    expect(card(dark, "pace").locator("[data-by]")).to_contain_text("<script>")
    keep(dark, "faults-dark")
    broker.redis.pexpire(keys.fault(Kind.PACE, "orders"), 1)  # its time is over
    expect(card(dark, "pace").locator("li")).to_have_count(0)
    assert dark.evaluate("window.hacked") is None
