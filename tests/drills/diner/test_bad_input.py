"""Bodies that no handler can read: buried with the reason, at once, and their siblings are served."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from queueing.message import Message
from tests.drills.diner.crew import Crew
from tests.drills.diner.events import Ordered

pytestmark = pytest.mark.drill
FIVE_MB = 5_000_000


@pytest.mark.parametrize("mode", ["competing", "ordered"])
def test_what_cannot_be_read_is_buried_and_what_is_only_large_is_served(crew: Crew, mode: str) -> None:
    crew.order(5)
    good = Message.of(Ordered(table="3", number=5))
    crew.broker.produce(
        [
            replace(good, id=Message.of(Ordered(table="", number=0)).id, **change)
            for change in (
                {"body": b"\xff\xfe no JSON"},
                {"body": b"["},
                {"body": b'{"table": 3, "number": "five"}'},
                {"body": b"[" * FIVE_MB},
                {"version": 2},
                {"name": "Ordered"},  # no event is called like that
                {"name": "diner.TableWiped"},  # another group's business
                {"body": Ordered(table="x" * FIVE_MB, number=5).encode()},
            )
        ]
    )
    crew.ordered = 6
    crew.order(5)

    crew.hire(mode=mode, lease_s=10)  # five megabytes take their time on a busy machine
    crew.wait_for(lambda: (crew.total()["done"], crew.total()["dead"], crew.total()["lag"]) == (12, 6, 0), "12 done")

    crew.each_was_served_once()
    reasons = sorted(letter.reason for letter in crew.letters())
    assert [reason.partition(":")[0] for reason in reasons] == ["MalformedMessage"] * 4 + ["UnknownEvent"] * 2
    assert all(letter.attempts == 1 for letter in crew.letters())
    assert max(map(len, reasons)) <= 2000
    assert crew.audit().broken == 0
