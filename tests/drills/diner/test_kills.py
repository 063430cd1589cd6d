"""SIGKILL between commit and acknowledgement, a thousand times at full count."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.drills.diner.crew import FULL, SCALE, Crew

pytestmark = pytest.mark.drill
KILLS = 100 * SCALE if FULL else 20
DOOMED = 3


def test_drill_09_killed_after_the_commit_before_the_ack_another_claims_and_the_inbox_drops(
    crew: Crew, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    crew.hire(attempts=10_000, batch=2)
    doom = {"SLUICE_CRASH_AT": "consume.committed", "SLUICE_CRASH_NOTE": note}
    doomed = [crew.hire(keep=True, attempts=10_000, batch=2, **doom) for _ in range(DOOMED)]

    def killed() -> int:
        if crew.total()["lag"] < 10 * DOOMED:
            crew.order(10 * DOOMED)
        return len(set(note.read_text().splitlines())) if note.exists() else 0

    crew.wait_for(lambda: killed() >= KILLS, f"{KILLS} killed", within_s=60 + KILLS)
    for waiter in doomed:
        crew.dismiss(waiter)
    crew.wait_for_rest(within_s=120)

    assert {status for waiter in doomed for status in waiter.ends} == {-signal.SIGKILL}
    assert crew.redelivered() > 0
    crew.each_was_served_once()
    crew.the_audit_finds_nothing()
    print(f"{killed()} killed, {crew.redelivered()} redelivered, {crew.ordered} served once")
