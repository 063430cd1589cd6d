"""The room's page of a sale: what it shows, what it does, and what it refuses in words."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from config.room import watching
from config.room.tests.conftest import Operator
from inventory import gate
from queueing.testing import drain
from shop import steering
from shop.models import Sale, StockAddition, User

pytestmark = pytest.mark.django_db

SCRIPT = "</script><script>alert('kettle')</script>"


def tile(page: str, key: str) -> tuple[str, str, str]:
    """Level, text and word of one cell."""
    _, _, rest = page.partition(f'data-tile="{key}"')
    assert rest, f"no cell {key}"
    parts = [r'data-level="(\w*)"', r"data-text>\s*([^<]*?)\s*<", r"data-word>\s*([^<]*?)\s*<"]
    level, text, word = (re.search(part, rest)[1] for part in parts)
    return level, text, word


def test_a_change_is_told_first_and_then_at_the_gate(operator: Operator, sale: Sale) -> None:
    """Given a sale at its gate, when it is paused, the page says that the gate has not heard of it until it has."""
    drain()
    assert tile(operator.page(), "changes")[1] == "At the gate"

    operator.act("pause")

    page = operator.page()
    assert tile(page, "changes") == ("amber", "On the way", "not there yet")
    assert "told: change 2, at the gate: change 1" in page
    assert tile(page, "state")[1] == "Open"

    drain()

    page = operator.page()
    assert tile(page, "changes")[1] == "At the gate"
    assert tile(page, "state") == ("amber", "Paused", "nobody is admitted")


def test_added_units_are_on_their_way_and_then_remaining(operator: Operator, sale: Sale) -> None:
    drain()
    operator.act("add_stock", quantity="5")
    assert "5 units on their way" in operator.page()

    drain()

    page = operator.page()
    assert (tile(page, "given")[1], tile(page, "remaining")[1]) == ("55 units", "55 units")
    assert "50 at first + 5 added" in page
    assert "Every unit is in exactly one place." in page


def test_a_double_click_adds_stock_once_and_the_next_page_may_add_again(operator: Operator, sale: Sale) -> None:
    def form() -> dict[str, str]:
        return {"quantity": "5", "addition": re.search(r'name="addition" value="([^"]+)"', operator.page())[1]}

    clicked = form()
    answers = [operator.act("add_stock", **clicked) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 422]
    assert "This form was sent twice: its 5 units are added, once." in answers[1].content.decode()
    assert [entry.change_message for entry in LogEntry.objects.all()] == ["Added 5 units."]

    assert operator.act("add_stock", **form()).status_code == 302
    assert [addition.quantity for addition in StockAddition.objects.filter(sale=sale)] == [5, 5]


@pytest.mark.parametrize(
    ("action", "form", "row"),
    [
        ("pause", {}, "Paused."),
        ("close", {"sure": "yes"}, "Closed now."),
        ("add_stock", {"quantity": "1200"}, "Added 1,200 units."),
        ("room", {"mode": "on", "turns_per_s": "250"}, "Waiting room on, 250 turns a second."),
        ("notice", {"text": f" Back at noon {SCRIPT}"}, f"Notice: Back at noon {SCRIPT}."),
        ("notice", {"text": ""}, "Notice taken away."),
    ],
)
def test_every_action_leaves_one_row_of_who_and_what(operator: Operator, sale: Sale, action, form, row) -> None:
    answer = operator.act(action, **form)

    assert answer.status_code == 302
    [entry] = LogEntry.objects.all()
    assert (entry.user_id, entry.change_message, entry.object_id) == (operator.user.pk, row, str(sale.pk))


@pytest.mark.parametrize(
    ("action", "form", "words"),
    [
        ("open", {}, "open already"),
        ("resume", {}, "not paused"),
        ("close", {}, "Tick the box"),
        ("add_stock", {}, "required"),
        ("add_stock", {"quantity": "0"}, "greater than or equal to 1"),
        ("add_stock", {"quantity": "-5"}, "greater than or equal to 1"),
        ("add_stock", {"quantity": "1000000000"}, "less than or equal to 1000000"),
        ("add_stock", {"quantity": "9" * 400}, "less than or equal to 1000000|whole number"),
        ("add_stock", {"quantity": "five"}, "whole number"),
        ("add_stock", {"quantity": "1\x00"}, "whole number"),
        ("room", {"mode": "ajar", "turns_per_s": "5"}, "ajar is not one of"),
        ("room", {"mode": "on", "turns_per_s": "0"}, "greater than or equal to 1"),
        ("room", {"mode": "on", "turns_per_s": "1e9"}, "whole number"),
        ("notice", {"text": "a\x00b"}, "Null characters"),
        ("notice", {"text": "x" * 201}, "at most 200"),
        ("notice", {"text": "one\u2028two"}, "U\\+2028"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_leaves_no_row(
    operator: Operator, sale, action, form, words
) -> None:
    answer = operator.act(action, **form)

    assert answer.status_code == 422
    assert re.search(rf'role="alert">Not done: [^<]*({words})', answer.content.decode())
    assert not LogEntry.objects.exists()
    assert Sale.objects.get(pk=sale.pk).revision == 1


def test_closing_twice_and_pausing_what_is_over_are_refused_in_words(operator: Operator, sale: Sale) -> None:
    assert operator.act("close", sure="yes").status_code == 302

    assert "This sale is over already." in operator.act("close", sure="yes").content.decode()
    assert "This sale is over, and nothing opens it again." in operator.act("pause").content.decode()
    assert LogEntry.objects.count() == 1


def test_an_unknown_action_and_a_sale_that_is_not_there(operator: Operator, sale: Sale) -> None:
    assert operator.act("burn").status_code == 400
    assert operator.browser.post("/admin/room/sales/999999/act/", {"action": "pause"}).status_code == 404
    assert operator.browser.get(f"/admin/room/sales/{10**30}/").status_code == 404


def test_five_megabytes_are_too_much(operator: Operator, sale: Sale) -> None:
    assert operator.act("notice", text="x" * 5_000_000).status_code == 413
    assert Sale.objects.get(pk=sale.pk).notice == ""


def test_opening_now_and_then_it_is_open_at_the_gate(operator: Operator, sale: Sale) -> None:
    Sale.objects.filter(pk=sale.pk).update(starts_at=timezone.now() + timedelta(minutes=30))
    assert "Open now" in operator.page()

    operator.act("open")
    drain()

    state = gate.read_state(sale.pk)
    assert state is not None
    assert state.state == "open"


def test_who_may_only_look_sees_no_lever(sale: Sale) -> None:
    browser = Client()
    browser.force_login(User.objects.create_user("rita", is_staff=True))

    page = browser.get(f"/admin/room/sales/{sale.pk}/").content.decode()

    assert "You may look." in page
    assert f"/admin/room/sales/{sale.pk}/act/" not in page
    assert browser.post(f"/admin/room/sales/{sale.pk}/act/", {"action": "pause"}).status_code == 403


def test_a_hostile_notice_and_title_are_text(operator: Operator, sale: Sale) -> None:
    sale.product.title = SCRIPT
    sale.product.save()
    steering.set_notice(sale=sale, text=f"{SCRIPT} {{{{ sale }}}} \"'")

    for path in (f"/admin/room/sales/{sale.pk}/", "/admin/room/sales/", f"/sales/{sale.pk}"):
        page = operator.browser.get(path).content.decode()
        assert SCRIPT not in page, path
        assert "alert(&#x27;kettle&#x27;)" in page, path


def test_a_lost_unit_is_red_only_when_it_stays_lost(operator: Operator, sale: Sale, monkeypatch) -> None:
    drain()
    clock = [1_000.0]
    watch = watching.Watch(sale.pk, clock=lambda: clock[0])
    monkeypatch.setattr(watching, "watch", lambda _: watch)
    monkeypatch.setattr("config.room.sales.watch", lambda _: watch)
    operator.valkey.hincrby(f"gate:{{orders.placed:{sale.pk}}}", "stock", -3)

    assert tile(operator.page(), "verdict")[0] == "amber"
    clock[0] += 4.9
    assert tile(operator.page(), "verdict")[0] == "amber"
    clock[0] += 0.1
    page = operator.page()
    assert tile(page, "verdict")[0] == "red"
    assert "3 units missing. Run manage.py audit." in page

    operator.valkey.hincrby(f"gate:{{orders.placed:{sale.pk}}}", "stock", 3)
    assert "Every unit is in exactly one place." in operator.page()


def test_the_sample_has_the_cells_of_the_page(operator: Operator, sale: Sale) -> None:
    drain()
    page = operator.page()

    told = operator.browser.get(f"/admin/room/sales/{sale.pk}/sample/").json()

    assert set(told["cells"]) == set(re.findall(r'data-tile="(\w+)"', page))
    assert told["cells"]["remaining"]["text"] == "50 units"
    assert told["banner"] == ""


def test_without_redis_the_page_says_so_and_the_levers_still_work(operator: Operator, sale: Sale, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"

    page = operator.page()

    assert "Redis does not answer." in page
    assert operator.act("pause").status_code == 302
    assert Sale.objects.get(pk=sale.pk).paused


def test_looking_many_times_costs_one_look(sale: Sale, monkeypatch) -> None:
    looks = []
    real = watching.books.look
    monkeypatch.setattr(watching.books, "look", lambda ids: looks.append(ids) or real(ids))
    watch = watching.Watch(sale.pk, clock=lambda: 7.0)

    for _ in range(20):
        watch.sight()

    assert looks == [[sale.pk]]


def test_the_permission_is_the_shops(sale: Sale) -> None:
    browser, user = Client(), User.objects.create_user("olga", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_sale"))
    browser.force_login(user)

    assert browser.post(f"/admin/room/sales/{sale.pk}/act/", {"action": "add_stock", "quantity": 2}).status_code == 302
    assert StockAddition.objects.get().quantity == 2
