"""Every fault drill at a small count; `make drills` runs them at full count."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.drills.faults import DRILLS
from tests.drills.harness import House
from tests.drills.result import perform

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drills")]
SCALE = float(os.environ.get("DRILL_SCALE", "1"))
LAST = list(DRILLS)[-1]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """One for all drills: each has sales of its own, and the audit looks at everything since the house was opened."""
    house = House()
    try:
        house.start()
        stocks = [stock for drill in DRILLS.values() for stock in drill.stocks(SCALE)]
        house.open(shoppers=max(drill.buyers for drill in DRILLS.values()), stocks=stocks)
        yield house
    finally:
        house.close()


@pytest.mark.parametrize("name", DRILLS)
def test_nothing_is_lost_or_doubled(house: House, name: str) -> None:
    """Rest takes Celery's sweeps, up to 15 s; the last drill waits for it, for all of them."""
    sales = iter(house.sales)
    own = {drill.name: [next(sales) for _ in drill.stocks(SCALE)] for drill in DRILLS.values()}

    row = perform(DRILLS[name], house, own[name], full=SCALE > 1, at_rest=name == LAST)

    assert row["ok"], f"seed {row['seed']}: {row['error']}\n{house.last_words()}"
