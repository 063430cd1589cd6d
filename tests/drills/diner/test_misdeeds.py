"""Handlers that raise, hang, quit, crash or are killed: retried, buried with the reason, their siblings unaffected."""

from __future__ import annotations

import pytest

from tests.drills.diner.crew import FULL, Crew

pytestmark = pytest.mark.drill

ENDED = "its process ended while handling it, 2 times: past the deadline of 0.6 s, killed, or crashed"
REASONS = {
    "raise": "ValueError: the plate is broken",
    "hang": ENDED,
    "hang in C, with the interpreter's lock": ENDED,
    "hang in PostgreSQL": "OperationalError: canceling statement due to statement timeout",
    "sys.exit": "HandlerExited: the handler called sys.exit(3)",
    "os._exit": ENDED,
    "be killed": ENDED,
    "segfault": ENDED,
}


# Both modes share what is around a handler; `make drills` does every deed in both.
CASES = [("competing", deed) for deed in REASONS] + [
    ("ordered", deed) for deed in REASONS if FULL or deed in ("hang in C, with the interpreter's lock", "be killed")
]


@pytest.mark.parametrize(("mode", "deed"), CASES)
def test_a_message_whose_handler(crew: Crew, deed: str, mode: str) -> None:
    siblings = crew.order(5)
    bad = crew.order(deed=deed)
    siblings += crew.order(5)
    waiters = [crew.hire(keep=True, mode=mode) for _ in range(2)]

    crew.wait_for_rest(dead=1)

    crew.each_was_served_once(but=bad)
    [letter] = crew.letters()
    assert REASONS[deed] in letter.reason
    assert f'"number":{bad[0]}' in letter.body.replace(" ", "")
    said = "".join(waiter.said() for waiter in waiters)
    ended = sum(len(waiter.ends) for waiter in waiters)
    hung = said.count("group 'waiters', deadline 0.6 s, ")
    assert (ended > 0) == (REASONS[deed] == ENDED)
    assert hung == (ended if deed in ("hang", "hang in C, with the interpreter's lock") else 0)
    crew.the_audit_finds_nothing()
