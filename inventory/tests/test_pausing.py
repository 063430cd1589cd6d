"""A sale that is paused: refused in its own words, remembered, and gone on with where it stood."""

from __future__ import annotations

import pytest

from inventory import gate, keys, room, selectors
from inventory.gate import Terms
from inventory.link import GateBroken
from inventory.tests.test_room import pass_seconds

ANNA, BORIS, CLEO = 101, 102, 103
HOUR_MS = 3_600_000


@pytest.fixture
def change(now_ms):
    """Tell the gate of sale 7 other terms."""

    def tell(**terms):
        everything = {"price_cents": 1999, "per_user_limit": 5, "starts_at_ms": now_ms - HOUR_MS}
        gate.update_gate(sale_id=7, terms=Terms(**everything | {"ends_at_ms": now_ms + HOUR_MS} | terms))

    return tell


def buy(user=ANNA, key="first-try", quantity=1):
    return gate.admit_sync(sale_id=7, user_id=user, idempotency_key=key, quantity=quantity)


def test_who_was_admitted_before_the_pause_is_told_the_same_during_it(open_sale, change):
    open_sale()
    before = buy()

    change(paused=True)

    assert buy().body == before.body
    assert buy(quantity=2).outcome == "conflict"
    assert buy(BORIS).outcome == "paused"


def test_a_resumed_sale_goes_on_with_the_same_key_and_the_same_stock(open_sale, change):
    open_sale(stock=3)
    buy()
    change(paused=True)
    assert buy(BORIS, "boris-waits").outcome == "paused"

    change()

    assert buy(BORIS, "boris-waits").outcome == "admitted"
    assert gate.read_state(7).stock == 1


def test_everybody_is_told_that_it_is_paused_and_that_it_is_not_over(open_sale, change):
    open_sale(stock=3)

    change(paused=True, notice="Back at noon <b>sharp</b>")

    said = selectors.public_view(7, gate.read_state(7))
    assert (said["state"], said["stock"], said["notice"]) == ("paused", 3, "Back at noon <b>sharp</b>")
    assert said["poll_after_ms"] == selectors.POLL_OPEN_MS


def test_a_pause_before_the_start_or_after_the_end_is_not_shown(open_sale, change, now_ms):
    open_sale()
    change(paused=True, starts_at_ms=now_ms + 5_000)
    assert gate.read_state(7).state == "upcoming"

    change(paused=True, ends_at_ms=now_ms - 1)
    assert gate.read_state(7).state == "ended"


def test_an_older_change_that_comes_late_undoes_nothing(open_sale, change):
    open_sale()
    change(paused=True, notice="new", revision=9)

    change(notice="old", revision=8)

    state = gate.read_state(7)
    assert (state.paused, state.notice, state.revision) == (True, "new", 9)


def test_the_same_change_told_again_is_taken_again(open_sale, change):
    open_sale()
    for _ in range(2):
        change(paused=True, revision=9)

    assert (gate.read_state(7).paused, gate.read_state(7).revision) == (True, 9)


@pytest.mark.parametrize("notice", ["", "x" * 200, "<script>alert(1)</script> {{ 7 }} ' \"", "明日 12:00 \U0001f4a1"])
def test_a_notice_is_kept_as_it_is(open_sale, change, notice):
    open_sale()
    change(notice=notice)

    assert gate.read_state(7).notice == notice


def test_a_wrong_type_of_the_line_is_found_before_the_terms_change(valkey, open_sale, change):
    open_sale(room="on")
    valkey.set(keys.room(7), "not a hash")

    with pytest.raises(GateBroken):
        change(paused=True, room="on")

    assert gate.read_state(7).paused is False


class TestTheLine:
    def test_it_stands_still_and_grants_nothing_afterwards_for_the_time(self, valkey, open_sale, change):
        everything = {"room": "on", "turns_per_s": 1, "turn_s": 60}
        open_sale(**everything)
        for user in range(20):
            room.join_sync(sale_id=7, user_id=user)
        standing = room.read_line(7).serving
        change(paused=True, **everything)
        pass_seconds(valkey, 10)

        assert room.read_line(7).serving == standing

        change(**everything)
        assert room.read_line(7).serving <= standing + 1

    def test_nobodys_turn_runs_out_meanwhile(self, valkey, open_sale, change):
        everything = {"room": "on", "turns_per_s": 100, "turn_s": 5}
        open_sale(**everything)
        room.join_sync(sale_id=7, user_id=ANNA)
        assert room.read_line(7).serving >= 1
        change(paused=True, **everything)
        held_before = int(valkey.hget(keys.room(7), "held") or 0)

        valkey.hincrby(keys.room(7), "at", -20_000)  # the last look was twenty seconds ago
        change(**everything)

        assert int(valkey.hget(keys.room(7), "held")) - held_before >= 20_000
        assert room.look_sync(sale_id=7, user_id=ANNA).word == "joined"
        assert buy().outcome == "admitted"

    def test_whoever_comes_during_the_pause_queues_behind(self, open_sale, change):
        open_sale(room="on")
        room.join_sync(sale_id=7, user_id=ANNA)
        change(paused=True, room="on")

        assert room.join_sync(sale_id=7, user_id=CLEO) == room.Joined("joined", 1)
        assert buy(CLEO).outcome == "paused"

    def test_a_changed_rate_does_not_reach_into_the_past(self, valkey, open_sale, change):
        open_sale(room="on", turns_per_s=1)
        for user in range(50):
            room.join_sync(sale_id=7, user_id=user)
        valkey.hincrby(keys.room(7), "at", -3_000)  # nobody looked for three seconds

        change(room="on", turns_per_s=1_000)

        assert int(valkey.hget(keys.room(7), "served_m")) < 10_000
