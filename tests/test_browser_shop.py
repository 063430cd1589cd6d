"""The shop in Debian's Chromium: what only a browser with JavaScript can show."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from queueing.testing import drain
from shop import demo, services
from shop.models import Sale
from tests.conftest import DESK, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(empty_redis: None) -> dict[str, Sale]:
    """The demo shop with its gates open: title → sale."""
    demo.welcome_shoppers()
    sales = demo.stock_the_shelves(now=timezone.now())
    drain()
    return {sale.product.title: sale for sale in sales}


def log_in(page: Page, name: str = "ada") -> None:
    page.goto("/login")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(demo.SHOPPERS_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()


def test_home_shows_what_runs_with_its_stock(open_page, shop):
    page = open_page()
    page.goto("/")

    kettle = page.locator("article", has_text="Ember kettle")
    expect(kettle).to_contain_text("500 of 500 left")
    before = kettle.get_by_role("timer").inner_text()
    expect(kettle.get_by_role("timer")).not_to_have_text(before)
    for picture in page.locator("article img").all():
        assert picture.evaluate("image => image.naturalWidth") > 0
    keep(page, "home")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "viewport"), [("desk", DESK), ("phone", PHONE)])
def test_every_page_fits_and_can_be_read(open_page, shop, device, viewport, scheme):
    page = open_page(viewport=viewport, color_scheme=scheme)
    sale = shop["Nightjar lamp"]
    for name, path in [
        ("home", "/"),
        ("sale", sale.get_absolute_url()),
        ("register", "/register"),
        ("404", "/nowhere"),
    ]:
        page.goto(path)
        assert fits(page), path
        assert _contrast(page) >= 4.5, path
        keep(page, f"{name}-{device}-{scheme}")
    log_in(page)
    page.goto(sale.get_absolute_url())
    assert fits(page)
    keep(page, f"sale-logged-in-{device}-{scheme}")


def test_the_countdown_reaching_zero_wakes_the_button(open_page, shop):
    page = open_page()
    log_in(page)
    starts_at = timezone.now() + timedelta(seconds=8)
    sale = services.schedule_sale(
        product=demo.product("errand-bicycle"),
        price_cents=49900,
        stock=3,
        per_user_limit=1,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=5),
    )
    drain()
    page.goto(sale.get_absolute_url())

    button = page.locator("button[data-buy]")
    expect(button).to_be_disabled()
    expect(button).to_have_text("Not open yet")
    keep(page, "sale-upcoming")

    expect(button).to_be_enabled()
    assert timezone.now() >= starts_at
    expect(button).to_have_text("Buy now")
    expect(page.locator("[data-say]")).to_have_text("The sale is open.")


def test_a_wrong_clock_on_the_device_does_not_matter(open_page, shop):
    """A laptop an hour ahead would show a countdown of nothing, and one an hour behind would miss the start."""
    sale = shop["Fieldnote camera"]  # starts in three minutes
    page = open_page()
    page.clock.install(time=timezone.now() + timedelta(hours=1))
    page.clock.resume()
    with page.expect_response(lambda answer: "/api/sales/" in answer.url):
        page.goto(sale.get_absolute_url())

    expect(page.locator("[data-when=upcoming] [role=timer]")).to_have_text(_about(sale))


def test_selling_out_reaches_the_page_that_is_open(open_page, shop):
    lamp = shop["Nightjar lamp"]
    page = open_page()
    log_in(page)
    page.goto(lamp.get_absolute_url())
    expect(page.locator("button[data-buy]")).to_be_enabled()

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.hset(f"gate:{{orders.placed:{lamp.pk}}}", "stock", 0)

    expect(page.locator("button[data-buy]")).to_have_text("Sold out")
    expect(page.locator("button[data-buy]")).to_be_disabled()
    expect(page.locator(".stock-bar")).to_contain_text("Sold out")
    keep(page, "sale-sold-out")


def test_buying_and_following_the_order(open_page, shop):
    page = open_page()
    log_in(page)
    page.goto(shop["Ember kettle"].get_absolute_url())
    page.locator("button[data-buy]").click()
    page.wait_for_url("**/orders/*")

    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")
    keep(page, "order-queued")

    drain()
    expect(page.get_by_role("heading", level=1)).to_have_text("It is kept for you")
    pay = page.get_by_role("button", name="Pay €49.00")
    pay.wait_for()
    keep(page, "order-confirmed")

    # The page asks every 1.5 s; while nothing changes, the keyboard stays where it is.
    pay.focus()
    for _ in range(2):
        with page.expect_response(lambda answer: answer.url.endswith("/live")):
            pass
    expect(pay).to_be_focused()

    page.get_by_role("button", name="Cancel the order").click()
    drain()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled")
    assert page.locator("#order[hx-get]").count() == 0
    keep(page, "order-cancelled")
    page.goto("/orders/")
    keep(page, "orders")


def test_without_javascript_one_can_browse_and_buy(open_page, shop):
    page = open_page(scripts=False)
    log_in(page)
    page.goto("/")
    page.get_by_role("link", name="Ember kettle").click()
    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url("**/orders/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in the queue")

    drain()
    # <noscript> holds a refresh; nobody presses anything.
    expect(page.get_by_role("heading", level=1)).to_have_text("It is kept for you")


def test_without_javascript_an_early_press_is_told_so(open_page, shop):
    page = open_page(scripts=False)
    log_in(page)
    page.goto(shop["Fieldnote camera"].get_absolute_url())
    page.get_by_role("button", name="Buy now").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Not open yet")
    keep(page, "refused-not-started")


def _about(sale: Sale) -> object:
    """The texts a right countdown may show while this test looks."""
    import re

    from config.templatetags.sluice import spell

    left = int((sale.starts_at - timezone.now()).total_seconds())
    return re.compile("|".join(spell(seconds) for seconds in range(max(0, left - 30), left + 2)))


def _contrast(page: Page) -> float:
    """The lowest contrast ratio (WCAG) between a text and the colour behind it on this page."""
    return float(
        page.evaluate(
            """() => {
              const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
              const rgba = (colour) => {
                canvas.clearRect(0, 0, 1, 1);
                canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data];
              };
              const over = (top, bottom) => {
                const share = top[3] / 255;
                return [0, 1, 2].map((i) => top[i] * share + bottom[i] * (1 - share)).concat(255);
              };
              const behind = (element) => {
                const colour = element ? rgba(getComputedStyle(element).backgroundColor) : [255, 255, 255, 255];
                return colour[3] === 255 ? colour : over(colour, behind(element.parentElement));
              };
              const light = (colour) => colour.slice(0, 3).map((value) => value / 255)
                .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
                .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
              let lowest = 21;
              const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
              while (walk.nextNode()) {
                const parent = walk.currentNode.parentElement;
                if (!walk.currentNode.textContent.trim() || !parent.checkVisibility()) continue;
                if (parent.closest(":disabled, noscript, .unseen, .skip, script")) continue;
                const back = behind(parent);
                const [a, b] = [light(over(rgba(getComputedStyle(parent).color), back)), light(back)];
                const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                lowest = Math.min(lowest, ratio);
              }
              return lowest;
            }"""
        )
    )
