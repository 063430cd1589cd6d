"""Redis loses its data in the middle of a sale: refused within a second, rebuilt, and what had no row is void.

The fault is declared in the buyers' history, so that the audit lists each such order instead of calling it lost.
"""

from __future__ import annotations

import shutil
import signal

import redis

from tests.drills import proof
from tests.drills.buyer import Told
from tests.drills.crowd import Crowd
from tests.drills.harness import House, until
from tests.drills.rounds import Round, Seen, met, settle

AT_RISK = 5  # orders that buyers are promised and that have no row when the data goes


def redis_emptied(given: Round) -> Seen:
    """FLUSHALL, while group orders stands still with orders in its hands."""
    house = given.house
    with given.crowd(pay=0.4, cancel=0.1, over_s=3.0) as crowd:
        crowd.when("admitted", given.stock // 3)
        frozen = house.hit("orders", signal.SIGSTOP)
        _promise_more(crowd)
        _declare(house)
        with redis.Redis.from_url(house.environment["REDIS_URL"]) as client:
            client.flushall()
        frozen.send_signal(signal.SIGCONT)
    return _made_good(given, crowd.told)


def older_file_restored(given: Round) -> Seen:
    """The append-only file of a moment ago is put back: every counter in it is sound, and lower than it was."""
    house, live, old = given.house, given.house.folder / "valkey", given.house.folder / "valkey.old"
    with given.crowd(pay=0.4, cancel=0.1, over_s=3.0) as crowd:
        crowd.when("admitted", given.stock // 4)
        shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(live, old)
        crowd.when("admitted", given.stock // 3)
        frozen = house.hit("orders", signal.SIGSTOP)
        _promise_more(crowd)
        with house.held("valkey"):
            house.wait_until_ended(house.hit("valkey", signal.SIGKILL))
            _declare(house)
            shutil.rmtree(live)
            old.rename(live)
        frozen.send_signal(signal.SIGCONT)
    return _made_good(given, crowd.told)


def rebuilt_under_load(given: Round) -> Seen:
    """A sound gate rebuilt by hand, three times while everybody buys: nothing is void, for all is worked off."""
    with given.crowd(pay=0.4, cancel=0.1, over_s=3.0) as crowd:
        for part in (1, 2, 3):
            crowd.when("admitted", given.stock * part // 4)
            given.house.run("manage.py", "rebuild", "--sale", str(given.sale))
    settle(given, crowd.told)
    assert not crowd.told.voids, f"{crowd.told.voids} are void"
    return met(crowd.told)


def _promise_more(crowd: Crowd) -> None:
    crowd.when("admitted", crowd.told.done["admitted"] + AT_RISK)


def _declare(house: House) -> None:
    house.history.write("fault", "info", code="redis_data_lost")


def _made_good(given: Round, told: Told) -> Seen:
    """Whoever has no order in the end was told by its page that it is void; everybody else's came true."""
    house = given.house
    house.wait_until_well()

    def undecided() -> list[str]:
        rows = proof.orders(house, given.sale)
        found = []
        for order in list(told.orders.values()):
            order_id = order["order_id"]
            if order_id in rows or order_id in told.voids:
                continue
            if house.status(order) == "void":
                told.is_void(order_id)
            else:
                found.append(order_id)
        return found

    until(lambda: not undecided(), lambda: f"neither placed nor void: {undecided()}\n{house.last_words()}")
    settle(given, told)
    assert told.voids, "nothing was at risk: the drill proves nothing"
    return {"void": len(told.voids), **met(told)}
