"""The waiting room: who may order when."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import gate, keys, room
from inventory.gate import Terms
from inventory.room import place_of
from queueing.brokers.lua import load

ANNA, BORIS, CLEO = 101, 102, 103
HOUR_MS = 3_600_000
SEED = (17, 4_294_967_295, 0, 2_654_435_761, 99, 123_456_789)
seeds = st.tuples(*[st.integers(0, 2**32 - 1)] * 6)


def buy(user=ANNA, key="first-try"):
    return gate.admit_sync(sale_id=7, user_id=user, idempotency_key=key, quantity=1)


def join(user=ANNA):
    return room.join_sync(sale_id=7, user_id=user)


def line():
    found = room.read_line(7)
    assert found is not None
    return found


def pass_seconds(valkey, seconds):
    """As if so much time had gone by: what the room remembers is that much older."""
    remembered = valkey.hgetall(keys.room(7))
    for name in [name for name in remembered if name[0] == "s" and name[1:].isdigit()]:
        valkey.hdel(keys.room(7), name)
        second, serving = remembered[name].split(":")
        older = int(second) - seconds
        valkey.hset(keys.room(7), f"s{older % 128}", f"{older}:{serving}")
    if "at" in remembered:
        valkey.hincrby(keys.room(7), "at", -1000 * seconds)


def start_now(valkey, now_ms, **terms):
    """The sale's start is this moment, to the second."""
    everything = {"price_cents": 1999, "ends_at_ms": now_ms + HOUR_MS, "per_user_limit": 5, "room": "on"} | terms
    gate.update_gate(sale_id=7, terms=Terms(starts_at_ms=now_ms - 1, **everything))


class TestThePlace:
    @given(before=st.integers(1, 3000), seed=seeds)
    @settings(max_examples=30, deadline=None)
    def test_everybody_who_came_before_the_start_has_a_place_of_its_own(self, before, seed):
        assert sorted(place_of(n, before=before, seed=seed) for n in range(before)) == list(range(before))

    @given(number=st.integers(0, 2_000_000), before=st.integers(0, 1_000_000), seed=seeds)
    @settings(max_examples=200, deadline=None)
    def test_who_came_later_stands_where_the_number_says(self, number, before, seed):
        place = place_of(number, before=before, seed=seed)
        assert (place == number) if number >= before else (0 <= place < before)

    def test_redis_computes_the_same(self, valkey, tmp_path):
        script = tmp_path / "place.lua"
        here = Path(room.__file__).parent / "lua" / "line.lua"
        script.write_text(
            f"{here.read_text()}\nreturn place_of(tonumber(ARGV[1]), tonumber(ARGV[2]), seed_of(ARGV[3]))"
        )
        text = load(script)
        for before in (1, 2, 3, 4, 5, 16, 17, 1000, 65_537, 1_000_000):
            for number in {0, before // 3, before - 1, before}:
                said = valkey.eval(text, 0, number, before, ",".join(map(str, SEED)))
                assert said == place_of(number, before=before, seed=SEED)

    def test_no_number_is_better_than_another(self):
        """Who came first of 64 gets each eighth of the line about as often, over 4,000 draws."""
        import random

        dice = random.Random(20261120)
        drawn = Counter(
            place_of(0, before=64, seed=[dice.getrandbits(32) for _ in range(6)]) // 8 for _ in range(4_000)
        )
        assert len(drawn) == 8
        assert all(350 < count < 650 for count in drawn.values()), drawn


class TestBeforeTheStart:
    def test_they_wait_together_and_nobody_knows_the_draw(self, open_sale):
        open_sale(starts=HOUR_MS, room="on")

        assert [join(user).number for user in (ANNA, BORIS, ANNA)] == [0, 1, 0]
        assert line() == room.Line("on", 0, 2, 0, 1_000, 60, ())
        assert buy().outcome == "not_started"

    def test_the_start_shuffles_them_and_the_rest_queues_behind(self, valkey, open_sale, now_ms):
        open_sale(starts=HOUR_MS, room="on", turns_per_s=1)
        for user in range(1, 51):
            join(user)

        start_now(valkey, now_ms, turns_per_s=1)
        late = join(ANNA)

        drawn = line()
        assert (drawn.before, drawn.joined, late.number, len(drawn.seed)) == (50, 51, 50, 6)
        places = [place_of(n, before=50, seed=drawn.seed) for n in range(50)]
        assert sorted(places) == list(range(50))
        assert places != list(range(50))
        pass_seconds(valkey, 1)
        # The gate judges by the same places: whoever has a turn may order, the others are told how far it is.
        outcomes = {place: buy(user) for user, place in zip(range(1, 51), places, strict=True)}
        assert outcomes[0].outcome == "admitted"
        assert outcomes[49].outcome == "wait"
        assert 44 <= outcomes[49].number <= 49

    def test_a_sale_that_is_moved_to_later_gathers_everybody_again(self, valkey, open_sale, now_ms):
        open_sale(starts=HOUR_MS, room="on")
        join(ANNA)
        start_now(valkey, now_ms)
        join(BORIS)
        assert line().before == 1

        gate.update_gate(
            sale_id=7,
            terms=Terms(price_cents=1999, starts_at_ms=now_ms + HOUR_MS, ends_at_ms=now_ms + 2 * HOUR_MS,
                        per_user_limit=5, room="on"),
        )  # fmt: skip

        assert (line().before, line().serving, line().joined, line().seed) == (0, 0, 2, ())


class TestTurns:
    def test_they_come_at_the_rate_and_not_in_a_lump_for_those_who_are_not_here(self, valkey, open_sale):
        open_sale(room="on", turns_per_s=2, stock=100)
        for user in range(1, 11):
            join(user)
        first = line().serving

        pass_seconds(valkey, 2)
        then = line().serving
        pass_seconds(valkey, 100)

        assert first <= 3
        assert 4 <= then - first <= 5
        assert line().serving <= 10 + 2, "a second's turns at most are saved for who has not come yet"

    def test_without_a_place_nobody_orders(self, open_sale):
        open_sale(room="on")

        assert buy().outcome == "not_in_line"

    def test_a_turn_is_good_for_more_than_one_order_and_a_retry_needs_none(self, valkey, open_sale):
        open_sale(room="on", turn_s=5)
        join()
        first = buy()

        pass_seconds(valkey, 60)
        line()

        assert first.outcome == "admitted"
        assert buy() == first
        assert buy(key="second-one").outcome == "admitted"
        assert valkey.hget(keys.line(7), str(ANNA)) == "c0"

    def test_a_turn_that_nobody_used_lapses_and_is_given_on(self, valkey, open_sale):
        open_sale(room="on", turns_per_s=4, turn_s=5)
        for user in range(1, 101):
            join(user)
        pass_seconds(valkey, 1)
        granted = line().serving  # at least four turns, of which the first is used
        assert buy(1).outcome == "admitted"
        pass_seconds(valkey, 6)

        after = line().serving

        by_the_rate = 6 * 4
        assert granted + by_the_rate + (granted - 1) <= after <= granted + by_the_rate + (granted - 1) + 4
        assert buy(2).outcome == "turn_lapsed"
        assert buy(1, "another-one").outcome == "admitted"

    def test_who_lapsed_may_queue_again_at_the_end(self, valkey, open_sale):
        open_sale(room="on", turns_per_s=5, turn_s=5)
        number = join().number
        line()
        pass_seconds(valkey, 6)
        line()
        assert buy().outcome == "turn_lapsed"

        again = join()

        assert (number, again.word) == (0, "joined")
        assert again.number > number
        pass_seconds(valkey, 1)
        assert buy().outcome == "admitted"

    def test_a_place_never_gets_worse(self, valkey, open_sale):
        open_sale(room="on", turns_per_s=3, turn_s=5)
        for user in range(1, 31):
            join(user)
        ahead = []
        for _ in range(12):
            pass_seconds(valkey, 1)
            assert join(30).number == 29
            ahead.append(29 - line().serving)
        assert ahead == sorted(ahead, reverse=True)
        assert ahead[-1] < 0

    def test_who_leaves_frees_the_place(self, valkey, open_sale):
        open_sale(room="on", turns_per_s=1)
        join(ANNA)

        assert room.leave_sync(sale_id=7, user_id=ANNA).word == "left"
        assert room.leave_sync(sale_id=7, user_id=ANNA).word == "not_in_line"
        assert buy(ANNA).outcome == "not_in_line"

    def test_drill_19_who_leaves_frees_the_slot_and_a_join_that_comes_again_changes_nobodys_place(
        self, valkey, open_sale
    ):
        """The turns of those who left are given on when they lapse: the last one's comes earlier than by the rate."""
        open_sale(room="on", turns_per_s=4, turn_s=5)
        for user in range(1, 61):
            join(user)
        for user in range(2, 32):
            assert room.leave_sync(sale_id=7, user_id=user).word == "left"
        ahead = []
        while not ahead or ahead[-1] >= 0:
            assert len(ahead) < 12, "by the rate alone it takes fifteen seconds"
            pass_seconds(valkey, 1)
            for _ in range(3):  # a reload, and the same join delivered again by a proxy
                assert join(60).number == 59
            ahead.append(59 - line().serving)

        assert ahead == sorted(ahead, reverse=True), "never worse"
        assert line().joined == 60, "whoever comes again draws no second number"
        assert buy(60).outcome == "admitted"
        assert join(2).number == 60, "who left and comes back stands at the end"

    def test_a_refused_order_leaves_the_turn_unused(self, valkey, open_sale):
        open_sale(room="on", stock=1)
        join(ANNA)
        join(BORIS)
        assert buy(ANNA).outcome == "admitted"
        before = valkey.hget(keys.line(7), str(BORIS))

        assert buy(BORIS).outcome == "sold_out"

        assert valkey.hget(keys.line(7), str(BORIS)) == before


class TestTheSwitch:
    def test_it_works_while_the_sale_runs(self, valkey, open_sale, now_ms):
        open_sale(stock=100)
        assert join().word == "no_room"
        assert room.read_line(7) is None
        assert buy(ANNA).outcome == "admitted"

        start_now(valkey, now_ms, room="on")
        assert buy(BORIS).outcome == "not_in_line"
        assert join(BORIS).word == "joined"
        assert buy(BORIS).outcome == "admitted"

        start_now(valkey, now_ms, room="closed")
        assert join(CLEO).word == "room_closed"
        assert buy(CLEO).outcome == "room_closed"
        assert buy(BORIS, "second-one").outcome == "admitted", "who is inside may finish"
        assert line().mode == "closed"

        start_now(valkey, now_ms, room="off")
        assert buy(CLEO).outcome == "admitted"

    def test_a_closed_room_grants_nothing_also_not_afterwards(self, valkey, open_sale, now_ms):
        open_sale(room="on", turns_per_s=1)
        for user in range(1, 41):
            join(user)
        granted = line().serving
        start_now(valkey, now_ms, room="closed", turns_per_s=1)
        for _ in range(3):
            pass_seconds(valkey, 10)
            assert line().serving == granted

        start_now(valkey, now_ms, room="on", turns_per_s=1)

        assert line().serving <= granted + 1

    def test_nobody_joins_what_is_not_there_or_over(self, open_sale):
        assert join().word == "missing"
        open_sale(starts=-2 * HOUR_MS, ends=-HOUR_MS, room="on")
        assert join().word == "ended"

    def test_a_room_that_does_not_exist_is_refused(self, open_sale):
        with pytest.raises(gate.GateUnavailable, match="no such room"):
            open_sale(room="ajar")


def test_a_wrong_type_is_found_before_anything_is_written(valkey, open_sale):
    open_sale(room="on")
    join()
    valkey.set(keys.claims(7), "not a zset")
    before = valkey.hgetall(keys.gate(7)), valkey.hgetall(keys.line(7))

    with pytest.raises(gate.GateUnavailable):
        buy()

    assert (valkey.hgetall(keys.gate(7)), valkey.hgetall(keys.line(7))) == before
    assert valkey.xlen(keys.log(7)) == 0
