from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from shop import steering


def test_home_puts_every_sale_on_its_shelf(client, make_sale):
    make_sale(price_cents=4900)
    make_sale(price_cents=5900, starts_in=timedelta(hours=2))
    make_sale(price_cents=6900, starts_in=timedelta(hours=-5))
    make_sale(price_cents=7900, published=False)

    page = client.get("/").content.decode()

    running, upcoming = page.index("On sale now"), page.index("Starting soon")
    past = page.index(">Over<")
    assert running < page.index("€49.00") < upcoming < page.index("€59.00") < past < page.index("€69.00")
    assert "€79.00" not in page


def test_home_without_sales_says_so(client, db):
    page = client.get("/").content.decode()

    assert "Nothing is on sale at this moment." in page
    assert "Starting soon" not in page


def test_a_sale_page_carries_what_its_countdown_needs(client, make_sale):
    sale = make_sale(starts_in=timedelta(seconds=90), per_user_limit=2)
    before = timezone.now().timestamp() * 1000

    page = client.get(f"/sales/{sale.pk}").content.decode()

    now = int(re.search(r'data-now="(\d+)"', page)[1])
    assert before <= now + 1 <= timezone.now().timestamp() * 1000 + 1
    assert f'data-starts-at="{round(sale.starts_at.timestamp() * 1000)}"' in page
    assert f'data-url="/api/sales/{sale.pk}"' in page
    assert re.search(r'role="timer"[^>]*data-edge="starts"[^>]*>01:(29|30)<', page)
    assert "up to 2 per shopper" in page
    assert 'role="status"' in page


def test_the_buy_form_has_a_new_key_each_time_it_is_shown(client, make_sale, ada):
    sale = make_sale()
    client.force_login(ada)

    keys = set()
    for _ in range(2):
        page = client.get(f"/sales/{sale.pk}").content.decode()
        keys.add(re.search(r'name="idempotency_key"\s+value="([0-9a-f-]{36})"', page)[1])

    assert len(keys) == 2
    assert f'action="/sales/{sale.pk}/buy"' in page
    assert "csrfmiddlewaretoken" in page


def test_a_visitor_is_asked_to_log_in_and_comes_back(client, make_sale):
    sale = make_sale()

    page = client.get(f"/sales/{sale.pk}").content.decode()

    assert f"/login?next=/sales/{sale.pk}" in page
    assert "idempotency_key" not in page


def test_an_ended_sale_has_nothing_to_press(client, make_sale, ada):
    sale = make_sale(starts_in=timedelta(hours=-2))
    client.force_login(ada)

    page = client.get(f"/sales/{sale.pk}").content.decode()

    assert "This sale ended" in page
    assert "/buy" not in page


@pytest.mark.parametrize(
    "path", ["/sales/0", "/sales/99999999999999999999999", "/sales/kettle", "/sales/-1", "/nowhere"]
)
def test_what_is_not_there_is_a_calm_404(client, db, path):
    answer = client.get(path)

    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/login", "/register"])
def test_pages_carry_the_security_policy_and_nothing_inline(client, db, path):
    answer = client.get(path)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy
    page = answer.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\son\w+=|\sstyle=|<style", page)


def test_the_admin_has_a_policy_in_which_nothing_inline_runs(client, db):
    admins = client.get("/admin/login/").headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in admins
    assert "unsafe-inline" not in admins.partition("style-src")[0]


def test_a_strangers_page_may_be_kept_for_a_second_and_a_shoppers_never(client, make_sale, ada):
    page = f"/sales/{make_sale().pk}"

    stranger = client.get(page)
    assert stranger["Cache-Control"].startswith("public, max-age=1,")
    assert not stranger.cookies, "what is kept must not hand everybody the same cookie"
    assert "csrfmiddlewaretoken" not in stranger.content.decode()

    client.force_login(ada)
    assert "private" in client.get(page)["Cache-Control"]
    assert "no-store" in client.get("/")["Cache-Control"]


def test_a_paused_sale_says_so_in_words_while_the_gate_is_silent(client, make_sale, ada):
    sale = make_sale()
    steering.pause(sale=sale, now=timezone.now())
    steering.set_notice(sale=sale, text="Back at noon <script>alert('noon')</script> {{ sale }}")
    client.force_login(ada)

    page = client.get(f"/sales/{sale.pk}").content.decode()

    assert 'data-gate="paused"' in page
    assert re.search(r'data-when="paused"\s*>\s*<strong>This sale is paused', page), "it is shown, not hidden"
    assert re.search(r"data-buy[^>]*disabled>Paused<", page)
    assert "Back at noon &lt;script&gt;alert(&#x27;noon&#x27;)&lt;/script&gt; {{ sale }}</p>" in page


def test_a_sale_that_is_not_paused_says_nothing_of_it(client, make_sale, ada):
    sale = make_sale()
    client.force_login(ada)

    page = client.get(f"/sales/{sale.pk}").content.decode()

    assert re.search(r'data-when="paused"\s+hidden>', page)
    assert re.search(r"data-notice\s+hidden></p>", page)
    assert ">Buy now<" in page
