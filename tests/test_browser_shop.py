"""The shop in Debian's Chromium: what only a browser with JavaScript can show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from inventory import room
from queueing.testing import drain
from shop import demo, services
from shop.models import Sale, User
from tests.conftest import DESK, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(empty_redis: None) -> dict[str, Sale]:
    """The demo shop with its gates open: title → sale."""
    demo.welcome_shoppers()
    sales = demo.stock_the_shelves(now=timezone.now())
    drain()
    return {sale.product.title: sale for sale in sales}


def ada() -> User:
    return User.objects.get(username="ada")


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
    page = open_page(who=ada())
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
    with page.expect_response(lambda answer: answer.url.endswith("/pass")) as earned:
        page.goto(sale.get_absolute_url())

    assert earned.value.status == 201
    assert timezone.now() < starts_at, "the human check is over before the start"
    button = page.locator("button[data-buy]")
    expect(button).to_be_disabled()
    expect(button).to_have_text("Not open yet")
    keep(page, "sale-upcoming")

    expect(button).to_be_enabled()
    assert timezone.now() >= starts_at
    expect(button).to_have_text("Buy now")
    expect(page.locator("[data-say]")).to_have_text("The sale is open.")

    with page.expect_response(lambda answer: answer.url.endswith("/orders")) as bought:
        button.click()
    assert bought.value.status == 202
    assert "sale-pass" in bought.value.request.headers
    page.wait_for_url("**/orders/*")


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
    page = open_page(who=ada())
    page.goto(lamp.get_absolute_url())
    expect(page.locator("button[data-buy]")).to_be_enabled()

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.hset(f"gate:{{orders.placed:{lamp.pk}}}", "stock", 0)

    expect(page.locator("button[data-buy]")).to_have_text("Sold out")
    expect(page.locator("button[data-buy]")).to_be_disabled()
    expect(page.locator(".stock-bar")).to_contain_text("Sold out")
    keep(page, "sale-sold-out")


@pytest.fixture
def crowded(shop: dict[str, Sale]) -> Callable[..., Sale]:
    """A sale with a waiting room of one turn a second, and some who joined its line already."""

    def schedule(*, opens_in_s: float, others: int) -> Sale:
        starts_at = timezone.now() + timedelta(seconds=opens_in_s)
        sale = services.schedule_sale(
            product=demo.product("errand-bicycle"),
            price_cents=49900,
            stock=30,
            per_user_limit=1,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=5),
            room=services.Room("on", turns_per_s=1, turn_s=60),
        )
        drain()
        for user in range(90_000, 90_000 + others):
            room.join_sync(sale_id=sale.pk, user_id=user)
        return sale

    return schedule


def test_waiting_in_line_until_it_is_ones_turn(open_page, crowded):
    sale = crowded(opens_in_s=-0.5, others=4)
    page = open_page(who=ada())
    page.goto(sale.get_absolute_url())
    expect(page.locator("button[data-buy]")).to_be_hidden()
    page.get_by_role("button", name="Join the line").click()

    headline = page.locator("[data-line-title]")
    expect(headline).to_contain_text("before you")
    expect(page.locator("[data-line-text]")).to_contain_text("About")
    assert fits(page)
    assert _contrast(page) >= 4.5
    keep(page, "line-waiting")
    before = headline.inner_text()
    page.reload()
    assert int(headline.inner_text().split()[0]) <= int(before.split()[0])

    expect(headline).to_have_text("It is your turn", timeout=15_000)
    expect(page.locator("[data-say]")).to_have_text("It is your turn.")
    keep(page, "line-turn")
    page.locator("button[data-buy]").click()
    page.wait_for_url("**/orders/*")


def test_the_browser_draws_the_same_place_as_the_gate(open_page, crowded):
    """What it shows is what the gate decides: line.js, line.lua and room.py are three writings of one sum."""
    sale = crowded(opens_in_s=6, others=40)
    page = open_page(who=ada(), viewport=PHONE, color_scheme="dark")
    page.goto(sale.get_absolute_url())
    page.get_by_role("button", name="Join the line").click()
    headline = page.locator("[data-line-title]")
    expect(headline).to_have_text("You are in")
    assert fits(page)
    keep(page, "line-before-the-start")
    number = int(page.locator("[data-line]").get_attribute("data-number"))

    expect(headline).not_to_have_text("You are in", timeout=15_000)

    line = room.read_line(sale.pk)
    place = room.place_of(number, before=line.before, seed=line.seed)
    shown = headline.inner_text()
    ahead = 0 if "turn" in shown else int(shown.split()[0])
    assert place + 1 - line.serving <= ahead <= max(0, place + 1)


def test_the_operator_switching_the_room_on_reaches_the_open_page(open_page, shop):
    lamp = shop["Nightjar lamp"]
    page = open_page(who=ada())
    page.goto(lamp.get_absolute_url())
    expect(page.locator("button[data-buy]")).to_be_enabled()

    services.reschedule_sale(
        sale=lamp, price_cents=lamp.price_cents, per_user_limit=1, starts_at=lamp.starts_at, ends_at=lamp.ends_at,
        room=services.Room("on", turns_per_s=50),
    )  # fmt: skip
    drain()

    expect(page.get_by_role("button", name="Join the line")).to_be_visible(timeout=15_000)


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
