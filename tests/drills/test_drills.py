"""Every fault drill at a small count; `make drills` runs them at full count, `--only NAME --scale 0.3` as here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.drills.faults import DRILLS
from tests.drills.harness import House
from tests.drills.result import perform

SCALE = float(os.environ.get("DRILL_SCALE", "0.3"))


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    try:
        house.start()
        yield house
    finally:
        house.close()


@pytest.mark.drill
def test_nothing_is_lost_or_doubled_in_any_weather(house: House) -> None:
    """One house for all drills, since each start costs seconds: each drill has sales of its own, and the audit looks at
    everything since the house was opened. Rest takes Celery's sweeps, up to 15 s; it is waited for once, at the end.
    """
    stocks = [stock for drill in DRILLS.values() for stock in drill.stocks(SCALE)]
    house.open(shoppers=max(drill.buyers for drill in DRILLS.values()), stocks=stocks)
    sales = iter(house.sales)
    *_, last = DRILLS
    void = 0
    for name, drill in DRILLS.items():
        own = [next(sales) for _ in drill.stocks(SCALE)]
        row = perform(drill, house, own, full=SCALE > 1, at_rest=name == last)
        assert row["ok"], f"{name}, seed {row['seed']}: {row['error']}\n{house.last_words()}"
        void += sum(seen.get("void", 0) for seen in row["reached"])
        assert row["audit"]["counts"]["declared_lost"] == void, (
            "the audit names each order that buyers were told is void"
        )
        print(f"{name}: {row['seconds']} s")
