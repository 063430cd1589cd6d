"""The operator's page in Debian's Chromium: numbers that move by themselves, and text that stays text."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from queueing.about import About
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.history import Remembered
from queueing.console.reading import Reader
from queueing.health import relay_beat
from queueing.models import ScaleEvent
from queueing.tests.console import GROUP, NASTY, bury, placed, read
from shop.models import User
from tests.conftest import DESK, MUCH_LATER_MS, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUEUE = "/admin/queueing/queue/"
DEAD = f"{QUEUE}dead/"


@pytest.fixture
def broker(empty_redis: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisStreamsBroker]:
    monkeypatch.setattr(selectors, "_reader", Reader())
    monkeypatch.setattr("queueing.console.history._remembered", Remembered())
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def operator(come: Callable[..., Page], admin_user: User) -> Callable[..., Page]:
    """Open a page of an operator who has logged in."""
    return partial(come, QUEUE, admin_user)


def tile(page: Page, key: str) -> object:
    return page.locator(f'[data-tile="{key}"] [data-text]')


def busy(broker: RedisStreamsBroker) -> None:
    """A queue in the middle of its work: some done, some in hand, some dead, somebody at it."""
    bury(broker, [placed("7", body=json.dumps({"note": NASTY}).encode()) for _ in range(3)], reason=f"Boom: {NASTY}")
    broker.produce([placed(str(number % 3)) for number in range(1500)])
    for group in ("orders", "notifications"):
        about = About(host="shop-1", pid=412, handled=48_213, per_s=986.4, memory_bytes=61_000_000)
        broker.beat(group, f"{group}-shop-1-412-a1b2c3", about)
    broker.ack(GROUP, "ada", read(broker, 200)[:150])
    relay_beat(broker)


def test_the_numbers_move_by_themselves(operator: Callable[..., Page], broker: RedisStreamsBroker) -> None:
    page = operator()
    expect(tile(page, "orders.lag")).to_have_text("0")

    broker.produce([placed() for _ in range(1500)])

    expect(tile(page, "orders.lag")).to_have_text("1,500", timeout=MUCH_LATER_MS)
    expect(page.locator('[data-tile="orders.lag"] [data-word]')).to_have_text("high")
    expect(page.locator('[data-tile="produced"] [data-note]')).to_contain_text("over the last")
    broker.ack(GROUP, "ada", read(broker, 1500))
    expect(tile(page, "orders.lag")).to_have_text("0", timeout=MUCH_LATER_MS)
    expect(page.locator("[data-summary]")).to_contain_text("lag of all groups", timeout=MUCH_LATER_MS)
    assert page.locator("[data-plot] canvas").count() == 2


def test_the_charts_share_a_cursor_that_keys_move_and_say_what_they_show(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    broker.produce([placed(str(number % 3)) for number in range(1200)])
    hostile = f"lag 12,345 is above 10,000 {NASTY}"
    ScaleEvent.objects.create(
        id=uuid.uuid4(), at=timezone.now(), group=GROUP, direction="up", lag=12_345, slope_per_s=800, acked_per_s=990,
        produced_per_s=1_790, cap=None, desired=2, actual=1, reason=hostile, supervisor="shop-1",
    )  # fmt: skip
    page = operator(reduced_motion="reduce")
    summary = page.locator("[data-summary]")
    expect(summary).to_contain_text("consumers changed once", timeout=MUCH_LATER_MS)

    page.get_by_role("img", name="Produced and consumed").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")

    for plot in ("rates", "lag"):
        line = page.locator(f'[data-plot="{plot}"] .u-cursor-x')
        assert float(line.evaluate("line => new DOMMatrix(getComputedStyle(line).transform).m41")) > 0, plot
    moments = page.locator("[data-moment]").all_text_contents()
    assert moments[0] == moments[1]
    page.locator("[data-group]").select_option(GROUP)
    page.locator("[data-partition]").select_option("orders.placed/1")
    expect(summary).to_contain_text("lag of orders, orders.placed/1 between 0 and 400", timeout=MUCH_LATER_MS)
    page.locator("[data-range]").select_option("the last hour")
    expect(summary).to_contain_text("The last 35", timeout=MUCH_LATER_MS)
    assert "<script>" in page.locator("[data-timeline]").inner_text()
    assert page.evaluate("window.hacked") is None


def test_consumers_are_held_let_go_and_drained_without_a_mouse(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    hostile = f"ada{NASTY}"
    broker.beat(GROUP, hostile, About(host=NASTY, pid=412, handled=9, per_s=1.5, memory_bytes=61_000_000))
    page = operator()
    more = page.get_by_role("button", name="One consumer more in orders")
    page.set_viewport_size(PHONE)
    box = more.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"], "a phone shows it without scrolling sideways"
    page.set_viewport_size(DESK)
    more.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("Held orders at 2 consumers for 10 minutes.")).to_be_visible()
    page.get_by_role("button", name="Let the lag decide in orders").click()
    expect(page.get_by_text("Let the lag of orders decide again.")).to_be_visible()
    broker.beat(GROUP, "lin")
    expect(page.locator('[data-consumer="lin"]')).to_contain_text("alive", timeout=MUCH_LATER_MS)
    page.get_by_role("button", name="Drain lin").click()
    expect(page.get_by_text("Asked lin of orders to finish its batch and leave.")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_pausing_stops_the_numbers_and_going_on_catches_up(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    page = operator()
    pause = page.get_by_role("button", name="Hold still")
    pause.focus()
    page.keyboard.press("Enter")
    go_on = page.get_by_role("button", name="Go on")
    expect(go_on).to_have_attribute("aria-pressed", "true")

    broker.produce([placed()])
    # Its samples stop, so the age passes the limit and the numbers turn grey: nothing pretends to be of now.
    expect(page.locator(".console[data-stale]")).to_be_visible(timeout=MUCH_LATER_MS)
    expect(tile(page, "orders.lag")).to_have_text("0")
    keep(page, "console-stale")

    go_on.click()
    expect(tile(page, "orders.lag")).to_have_text("1", timeout=MUCH_LATER_MS)
    expect(page.locator(".console:not([data-stale])")).to_be_visible()


def test_the_chart_begins_with_what_happened_before_the_page_was_opened(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    busy(broker)

    page = operator()

    # The first poll alone would know of one moment only.
    expect(page.locator("[data-summary]")).to_contain_text("The last 2", timeout=MUCH_LATER_MS)
    expect(page.locator("[data-summary]")).to_contain_text("between 0 and")
    expect(page.locator("[data-crews]")).to_contain_text("412 on shop-1")


def test_a_session_that_ended_is_told(operator: Callable[..., Page], broker: RedisStreamsBroker) -> None:
    page = operator()
    page.context.clear_cookies()

    expect(page.get_by_role("status")).to_contain_text("not logged in any more", timeout=MUCH_LATER_MS)


def test_what_a_message_says_never_runs(operator: Callable[..., Page], broker: RedisStreamsBroker) -> None:
    busy(broker)
    page = operator()
    page.goto(DEAD)
    page.get_by_role("link", name="orders.OrderPlaced").first.click()

    expect(page.locator("pre").first).to_contain_text("<script>window.hacked=1</script>")
    keep(page, "console-letter")
    page.get_by_role("button", name="Replay this one").click()
    expect(page.get_by_role("heading", name="Replay 1 dead letter?")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_replaying_the_selected_ones(operator: Callable[..., Page], broker: RedisStreamsBroker) -> None:
    bury(broker, [placed() for _ in range(3)])
    page = operator()
    page.goto(DEAD)
    page.get_by_label("Select all on this page").check()
    page.get_by_label("Select orders.OrderPlaced").first.uncheck()
    page.get_by_role("button", name="Replay selected").click()
    keep(page, "console-confirm")
    page.get_by_role("button", name="Replay 2").click()

    expect(page.get_by_text("Replayed 2 of 2 dead letters.")).to_be_visible()
    expect(page.locator('input[name="letter"]')).to_have_count(1)


def test_without_javascript_it_is_a_snapshot(operator: Callable[..., Page], broker: RedisStreamsBroker) -> None:
    busy(broker)
    page = operator(scripts=False)

    expect(tile(page, "orders.lag")).to_have_text("1,350")
    expect(page.locator("noscript")).to_be_visible()
    expect(page.get_by_role("button", name="Hold still")).to_be_hidden()
    keep(page, "console-without-javascript")


def test_it_fits_and_can_be_read_on_a_desk_and_on_a_phone_by_day_and_by_night(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    page = operator()
    busy(broker)
    expect(tile(page, "orders.lag")).to_have_text("1,350", timeout=MUCH_LATER_MS)
    for step in range(3):  # something to draw
        broker.produce([placed(str(number % 3)) for number in range(300 * step)])
        broker.ack(GROUP, "ada", read(broker, 500))
        with page.expect_response("**/sample/"):
            pass
    for path, name in ((QUEUE, "console"), (DEAD, "console-dead")):
        if path != QUEUE:
            page.goto(path)
        for device, viewport in (("desk", DESK), ("phone", PHONE)):
            for scheme in ("light", "dark"):
                page.set_viewport_size(viewport)
                page.evaluate("theme => Alpine.$data(document.documentElement).switchTheme(theme)", scheme)
                expect(page.locator("html.dark")).to_have_count(int(scheme == "dark"))
                keep(page, f"{name}-{device}-{scheme}")
                assert fits(page), (name, device)
