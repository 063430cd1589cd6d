"""Dead letters in Debian's Chromium: whatever a message says stays text on every page where it shows, and small."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.console import runs, selectors
from queueing.console.logbook import write_down
from queueing.console.reading import Reader
from queueing.letter_run import LetterRun
from queueing.tasks import sweep_letters
from queueing.tests.console import GROUP, LETTERS, NASTY, bury, many_dead, placed, token
from shop import services
from shop.models import Product, Sale, User
from tests.conftest import DESK, PHONE, fits, keep

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUEUE = "/admin/queueing/queue/"
DEAD = f"{QUEUE}dead/"
HOSTILE = f"{NASTY}<svg onload=window.hacked=1>\u202bRTL\u2067 \x00 \u2029 ${{hacked=1}} javascript:alert(1) '><b>&lt;"
SMALL = 400_000  # bytes of a page, whatever is in the letters


@pytest.fixture
def broker(empty_redis: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisStreamsBroker]:
    monkeypatch.setattr(selectors, "_reader", Reader())
    broker = make_broker()
    yield broker
    broker.redis.close()


@pytest.fixture
def operator(come: Callable[..., Page], admin_user: User) -> Callable[..., Page]:
    return partial(come, DEAD, admin_user)


def hostile_house(broker: RedisStreamsBroker) -> list[str]:
    """The same hostile text wherever a message, an error, a partition's name or a consumer says something. Pages that
    show it."""
    body = json.dumps({"note": HOSTILE, "flood": "a" * 5_000_000}, ensure_ascii=False).encode()
    hostile = placed(f"k-{HOSTILE}", body=body, name=f"orders.{HOSTILE}")
    [letter] = bury(broker, [hostile], reason=f"Boom: {HOSTILE}", traceback=f"Traceback: {HOSTILE * 20}")
    bury(broker, [placed("7", body=HOSTILE.encode())], reason=HOSTILE, quarantine=True)
    broker.beat(GROUP, f"consumer-{HOSTILE}")
    admin = User.objects.get(username="admin")
    write_down(admin, HOSTILE, f"Paused {HOSTILE}")
    run = runs.propose(user=admin, action="replay", choice=runs.Choice(group=GROUP, text="<script>"))
    assert run.total == 2
    one = f"{DEAD}letter/?letter={_quoted(token(letter))}"
    found = f"{DEAD}?text={_quoted('<script>window')}&reason={_quoted(NASTY[:100])}"
    return [QUEUE, DEAD, found, one, f"{DEAD}run/{run.pk}/", "/admin/admin/logentry/", "/admin/"]


def hostile_sale() -> Sale:
    product = services.save_product(
        product=Product(slug="ember-kettle", title=NASTY[:70], blurb=NASTY, picture="pictures/kettle.svg")
    )
    now = timezone.now()
    facts = {"price_cents": 4900, "stock": 50, "per_user_limit": 1}
    return services.schedule_sale(product=product, starts_at=now, ends_at=now + timedelta(hours=1), **facts)


def inert(page: Page, path: str) -> str:
    """What is read on this page, of which nothing ran and nothing became a tag."""
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200, path
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]
    assert len(answer.body()) < SMALL, path
    assert page.evaluate("window.hacked") is None, path
    assert page.locator("svg[onload], img[onerror], script:not([src]):not([type])").count() == 0, path
    return page.locator("body").inner_text()


def _quoted(text: str) -> str:
    return quote(text, safe="")


def test_hostile_text_is_text_on_every_page_that_shows_it_and_no_page_is_large(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    """The fixture fails the test for any script error and any breach of the content security policy."""
    pages, sale = hostile_house(broker), hostile_sale()
    page = operator()
    for path in pages:
        text = inert(page, path)
        assert "<script>" in text, path
        assert not set(text) & set("\u2028\u2029\u202e\u202b\u2067\x00\x1b"), path
    for path in ("/admin/room/funnel/", "/admin/room/faults/", "/admin/room/sales/", f"/admin/room/sales/{sale.pk}/"):
        text = inert(page, path)
        assert "<script>" in text or "sales" not in path, path

    page.goto(DEAD)
    expect(page.locator("td.reason").first).to_contain_text("{{ 7|add:'7' }}{% load x %}\\u2028\\u202e\\u001b[31m")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Replay selected").click()
    expect(page.get_by_role("heading", name="Replay 2 dead letters?")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_the_policy_stops_a_script_that_a_template_let_through(chromium: Browser, live_server: Any) -> None:
    """If a page of the admin ever forgets to escape: what is injected into it does not run."""
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    page.goto("/admin/login/")
    broken = page.evaluate(
        """() => new Promise((resolve) => {
             document.addEventListener("securitypolicyviolation", (breach) => resolve(breach.effectiveDirective));
             const inline = document.createElement("script");
             inline.textContent = "window.hacked = 1";
             document.body.append(inline);
           })"""
    )

    assert broken.startswith("script-src")
    assert page.evaluate("window.hacked") is None
    context.close()


def test_all_that_match_are_replayed_in_the_background_and_the_page_shows_how_far(
    operator: Callable[..., Page], broker: RedisStreamsBroker
) -> None:
    many_dead(broker.redis, 250)
    page = operator()
    page.get_by_label("Search").fill("ovencold")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("100 match so far")).to_be_visible()
    page.get_by_role("link", name="Older →").click()
    expect(page.locator('input[name="letter"]')).to_have_count(100)
    keep(page, "letters-page-two")
    page.get_by_role("button", name="Replay all that match").click()
    expect(page.get_by_role("heading", name="Replay 250 dead letters?")).to_be_visible()
    keep(page, "letters-run-asking")
    page.get_by_role("button", name="Replay 250").click()
    expect(page.get_by_role("progressbar")).to_be_visible()

    run = LetterRun.objects.get()
    runs.work(run.pk, for_s=0)  # a turn of a worker that is in no hurry
    expect(page.locator("[data-run-said]")).to_contain_text("Replayed 100 of 250 dead letters so far")
    assert page.get_by_role("progressbar").evaluate("bar => bar.value") == 100
    for device, viewport in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(viewport)
        keep(page, f"letters-run-{device}")
        assert fits(page), device

    page.context.pages[0].goto("about:blank")  # closing it changes nothing
    sweep_letters()
    page.goto(f"{DEAD}run/{run.pk}/")
    expect(page.get_by_text("Replayed 250 of 250 dead letters.")).to_be_visible()
    assert broker.redis.zcard(keys.retry(*LETTERS)) == 250
