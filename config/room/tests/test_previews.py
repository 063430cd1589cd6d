"""Every state a shopper can see, shown with the shop's own templates, and dead."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from config.room.preview.states import GROUPS, NOT_ORDERED, STATES
from config.room.tests.conftest import Operator
from inventory import gate
from orders.states import QUEUED, VOID, Status
from shop import steering
from shop.models import Sale

pytestmark = pytest.mark.django_db


def test_each_state_is_marked_and_dead_and_asks_for_nothing(operator: Operator, sale: Sale, monkeypatch) -> None:
    """No form with a token, no script allowed, no word with Redis, nothing of any order in the database."""

    def never(*_, **__):
        raise AssertionError("a preview asks no gate")

    monkeypatch.setattr(gate, "read_state", never)
    with CaptureQueriesContext(connection) as asked:
        for name, state in STATES.items():
            answer = operator.browser.get(f"{operator.path}preview/{name}/")
            page = answer.content.decode()
            assert answer.status_code == 200, name
            assert "<strong>Preview.</strong>" in page, name
            assert escape(state.title) in page, name
            assert "csrfmiddlewaretoken" not in page, name
            policy = answer.headers["Content-Security-Policy"]
            assert "form-action 'none'" in policy
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
    tables = set(re.findall(r'FROM "(\w+)"', " ".join(query["sql"] for query in asked)))
    assert tables <= {"shop_sale", "shop_user", "django_session"}
    assert not [query for query in asked if not query["sql"].startswith(("SELECT", "SAVEPOINT", "RELEASE"))]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("upcoming", "Starts in"),
        ("paused", r'data-when="paused"\s*>\s*<strong>This sale is paused'),
        ("sold-out", r"disabled>Sold out<"),
        ("over", "This sale ended"),
        ("visitor", "Log in to buy"),
        ("line", "Join the line"),
        ("line-waiting", "240 before you"),
        ("line-turn", "It is your turn"),
        ("line-late", "Your turn has passed"),
        ("line-closed", "Nobody is let in right now"),
        ("line-paused", "The line stands still"),
        ("refused-queue-full", "The queue is full"),
        ("order-queued", "Place 1204"),
        ("order-confirmed", "Please pay"),
        ("order-shipped", "SL-SAMPLE-0001"),
        ("order-void", "Nothing was charged"),
        ("busy", "Everybody is here at once"),
        ("away", "catching its breath"),
    ],
)
def test_a_state_says_what_a_shopper_reads_in_it(operator: Operator, name: str, words: str) -> None:
    assert re.search(words, operator.browser.get(f"{operator.path}preview/{name}/").content.decode())


def test_it_shows_the_sales_own_name_price_and_notice(operator: Operator, sale: Sale) -> None:
    steering.set_notice(sale=sale, text="Back at noon <b>sharp</b>")

    page = operator.browser.get(f"{operator.path}preview/open/").content.decode()

    assert "Ember kettle" in page
    assert "€49.00" in page
    assert "Back at noon &lt;b&gt;sharp&lt;/b&gt;" in page


def test_no_state_is_forgotten(operator: Operator) -> None:
    """Each code that a refusal's page knows, each status of an order, and the list links to all."""
    template = (settings.BASE_DIR / "orders" / "templates" / "orders" / "refused.html").read_text()
    assert set(re.findall(r'refused\.code == "(\w+)"', template)) <= set(NOT_ORDERED)
    assert {f"order-{status}" for status in (QUEUED, VOID, *Status.values)} <= set(STATES)
    assert sum(map(len, GROUPS.values())) == len(STATES), "two states share a name"
    listed = operator.browser.get(f"{operator.path}preview/").content.decode()
    assert set(re.findall(r"/preview/([\w-]+)/", listed)) == set(STATES)


def test_an_unknown_state_is_not_found(operator: Operator) -> None:
    assert operator.browser.get(f"{operator.path}preview/hacked/").status_code == 404
