from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from queueing.models import OutboxMessage
from shop import services, steering
from shop.models import Sale, SaleState, StockAddition
from shop.services import Room
from shop.tests.test_services import last_sale_scheduled


def told_since(mark: int) -> int:
    return OutboxMessage.objects.count() - mark


def test_a_pause_and_what_ends_it_are_told_with_rising_revisions(make_sale):
    sale = make_sale()
    first = last_sale_scheduled().revision

    steering.pause(sale=sale, now=timezone.now())
    paused = last_sale_scheduled()
    steering.resume(sale=sale, now=timezone.now())
    resumed = last_sale_scheduled()

    assert (paused.paused, resumed.paused) == (True, False)
    assert first < paused.revision < resumed.revision == Sale.objects.get().revision
    assert paused.price_cents == 4900, "a pause tells the whole terms"


def test_opening_now_moves_the_start_and_nothing_else(make_sale):
    sale = make_sale(starts_in=timedelta(hours=2))
    now = timezone.now()

    steering.open_now(sale=sale, now=now)

    opened = Sale.objects.get()
    assert opened.state_at(now) == SaleState.OPEN
    assert (opened.starts_at, opened.ends_at) == (now, sale.ends_at)
    assert last_sale_scheduled().starts_at_ms == round(now.timestamp() * 1000)


def test_closing_now_ends_it_in_this_instant(make_sale):
    sale = make_sale()
    now = timezone.now()

    steering.close_now(sale=sale, now=now)

    assert Sale.objects.get().state_at(now) == SaleState.ENDED
    assert last_sale_scheduled().ends_at_ms == round(now.timestamp() * 1000)


PAST, FUTURE = timedelta(hours=-3), timedelta(hours=3)
ROOM = Room("on", 500, 60)


@pytest.mark.parametrize(
    ("facts", "act", "complaint"),
    [
        ({}, lambda sale, now: steering.open_now(sale=sale, now=now), "open already"),
        ({"starts_in": PAST}, lambda sale, now: steering.open_now(sale=sale, now=now), "is over"),
        ({"starts_in": PAST}, lambda sale, now: steering.close_now(sale=sale, now=now), "over already"),
        ({"starts_in": FUTURE}, lambda sale, now: steering.close_now(sale=sale, now=now), "not opened yet"),
        ({"starts_in": PAST}, lambda sale, now: steering.pause(sale=sale, now=now), "is over"),
        ({}, lambda sale, now: steering.resume(sale=sale, now=now), "not paused"),
        ({"starts_in": PAST}, lambda sale, now: steering.set_room(sale=sale, room=ROOM, now=now), "is over"),
        ({}, lambda sale, now: steering.set_room(sale=sale, room=Room("ajar", 500, 60), now=now), "ajar"),
        ({}, lambda sale, now: steering.set_room(sale=sale, room=Room("on", 0, 60), now=now), "equal to 1"),
        ({}, lambda sale, now: steering.set_room(sale=sale, room=Room("on", 10**9, 60), now=now), "100000"),
        ({}, lambda sale, now: steering.set_room(sale=sale, room=Room("on", 500, 600), now=now), "120"),
        ({}, lambda sale, now: steering.set_notice(sale=sale, text="x" * 201), "at most 200"),
        ({}, lambda sale, now: steering.set_notice(sale=sale, text="a\x00b"), "Null|U\\+0000"),
        ({}, lambda sale, now: steering.set_notice(sale=sale, text="two\nlines"), "U\\+000A"),
        ({}, lambda sale, now: steering.set_notice(sale=sale, text="two\u2028lines"), "U\\+2028"),
        ({}, lambda sale, now: steering.set_notice(sale=sale, text="\u202egnihton"), "U\\+202E"),
        ({}, lambda sale, now: services.add_stock(sale=sale, quantity=10**9), "10000000|1,000,000,000"),
        ({"starts_in": PAST}, lambda sale, now: services.add_stock(sale=sale, quantity=1), "is over"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words_and_nothing_is_told(make_sale, facts, act, complaint):
    sale = make_sale(**facts)
    mark = OutboxMessage.objects.count()

    with pytest.raises(ValidationError, match=complaint):
        act(sale, timezone.now())

    assert told_since(mark) == 0
    assert Sale.objects.get().revision == sale.revision
    assert not StockAddition.objects.exists()


def test_pausing_twice_is_told_once(make_sale):
    sale = make_sale()
    steering.pause(sale=sale, now=timezone.now())
    mark = OutboxMessage.objects.count()

    with pytest.raises(ValidationError, match="paused already"):
        steering.pause(sale=sale, now=timezone.now())

    assert told_since(mark) == 0


def test_a_notice_may_be_put_on_a_sale_that_is_over_and_taken_away(make_sale):
    sale = make_sale(starts_in=PAST)

    steering.set_notice(sale=sale, text="Thank you 👩\u200d🚀 all")
    assert last_sale_scheduled().notice == "Thank you 👩\u200d🚀 all"
    steering.set_notice(sale=sale, text="")
    assert last_sale_scheduled().notice == ""


def test_the_whole_never_grows_over_what_the_ledger_counts(make_sale, monkeypatch):
    monkeypatch.setattr(services, "MOST_EVER", 60)
    sale = make_sale(stock=50)
    services.add_stock(sale=sale, quantity=10)

    with pytest.raises(ValidationError, match="given 60"):
        services.add_stock(sale=sale, quantity=1)


def test_the_admins_form_keeps_the_pause_and_the_notice(make_sale):
    sale = make_sale()
    steering.set_notice(sale=sale, text="Back at noon")
    steering.pause(sale=sale, now=timezone.now())

    services.reschedule_sale(
        sale=sale, price_cents=500, per_user_limit=2, starts_at=sale.starts_at, ends_at=sale.ends_at
    )

    event = last_sale_scheduled()
    assert (event.paused, event.notice, event.price_cents) == (True, "Back at noon", 500)
