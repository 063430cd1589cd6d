"""The operator's room of sales in Debian's Chromium, with a shopper's page open beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from config.room import sale_cells, watching
from inventory import keys
from queueing.testing import drain
from shop import demo, services
from shop.models import Sale, User
from tests.conftest import DESK, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sale(empty_redis: None) -> Sale:
    watching.watch.cache_clear()
    demo.welcome_shoppers()
    now = timezone.now()
    sale = services.schedule_sale(
        product=demo.product("ember-kettle"), price_cents=4900, stock=500, per_user_limit=2,
        starts_at=now - timedelta(minutes=1), ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    drain()
    return sale


def cell(page: Page, key: str) -> object:
    return page.locator(f'[data-tile="{key}"] [data-text]')


def test_a_pause_is_read_by_an_open_page_and_the_resume_wakes_it(come, admin_user: User, sale: Sale) -> None:
    shopper = come(sale.get_absolute_url(), User.objects.get(username="ada"))
    button = shopper.locator("button[data-buy]")
    expect(button).to_have_text("Buy now")
    page = come(f"/admin/room/sales/{sale.pk}/", admin_user)
    expect(cell(page, "state")).to_have_text("Open")

    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Paused. It is on its way to the gate.")).to_be_visible()
    expect(cell(page, "changes")).to_have_text("On the way")
    drain()

    # Nobody reloads: the operator's cells and the shopper's page learn it by themselves.
    expect(cell(page, "changes")).to_have_text("At the gate")
    expect(cell(page, "state")).to_have_text("Paused")
    expect(button).to_have_text("Paused")
    expect(button).to_be_disabled()
    expect(shopper.get_by_text("This sale is paused.").first).to_be_visible()
    keep(shopper, "sale-paused")

    hostile = "Back at noon <img src=x onerror=alert(1)> {{ 7 }}"
    page.get_by_label("One line for everybody").fill(hostile)
    page.get_by_role("button", name="Show it").click()
    page.get_by_role("button", name="Resume").click()
    drain()

    expect(shopper.locator("[data-notice]")).to_have_text(hostile)
    expect(button).to_be_enabled()
    expect(button).to_have_text("Buy now")
    expect(shopper.locator("[data-say]")).to_have_text("The sale goes on.")
    button.click()
    shopper.wait_for_url("**/orders/*")


def test_conservation_goes_red_and_green_again(come, admin_user: User, sale: Sale, monkeypatch) -> None:
    monkeypatch.setattr(sale_cells, "PATIENCE_S", 0.0)  # config/room/tests show that it is amber for five seconds
    page = come(f"/admin/room/sales/{sale.pk}/", admin_user)
    verdict = page.locator('[data-tile="verdict"]')
    expect(verdict).to_contain_text("Every unit is in exactly one place.")
    page.get_by_label("Units", exact=True).fill("25")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(cell(page, "changes")).to_have_text("On the way")
    drain()
    expect(cell(page, "given")).to_have_text("525 units")
    expect(cell(page, "remaining")).to_have_text("525 units")

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.hincrby(keys.gate(sale.pk), "stock", -3)
        expect(verdict).to_have_attribute("data-level", "red")
        expect(verdict).to_contain_text("3 units missing")
        keep(page, "room-sale-broken")
        client.hincrby(keys.gate(sale.pk), "stock", 3)
    expect(verdict).to_contain_text("Every unit is in exactly one place.")


@pytest.mark.parametrize(("device", "viewport", "scheme"), [("desk", DESK, "light"), ("phone", PHONE, "dark")])
def test_the_rooms_pages_fit_and_are_named(come, admin_user: User, sale: Sale, device, viewport, scheme) -> None:
    page = come("/admin/room/sales/", admin_user, viewport=viewport, color_scheme=scheme)
    assert fits(page)
    expect(page.get_by_role("link", name="Ember kettle")).to_be_visible()
    keep(page, f"room-sales-{device}-{scheme}")
    for name, path in [("sale", ""), ("previews", "preview/"), ("preview-paused", "preview/line-paused/")]:
        page.goto(f"/admin/room/sales/{sale.pk}/{path}")
        assert fits(page), path
        keep(page, f"room-{name}-{device}-{scheme}")
