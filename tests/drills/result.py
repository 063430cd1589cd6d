"""One drill from its sales to the audit, and what came of it as a row of reports/drills.json."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tests.drills import proof
from tests.drills.harness import House
from tests.drills.rounds import Drill, Round

SEED = 2026


def perform(
    drill: Drill, house: House, sales: Sequence[int], *, seed: int = SEED, full: bool, at_rest: bool
) -> dict[str, Any]:
    """One round per sale, then the audit. count: buyers. A row whose `ok` is false has the reason in `error`.

    full: every combination in each round, and no clock is helped along. at_rest: the audit waits for rest.
    """
    began = time.monotonic()
    row: dict[str, Any] = {"name": drill.name, "seed": seed}
    rounds: list[dict[str, Any]] = []
    try:
        for number, sale in enumerate(sales):
            luck = f"{drill.name}-{seed}-{number}"
            rounds.append(drill.run(Round(house, sale, drill.stock, drill.buyers, luck, thorough=full)))
        audit = proof.audit(house, at_rest=at_rest, patient=full)
        row["audit"] = {name: audit[name] for name in ("broken", "counts", "at_rest")}
        broken = [f"{rule['name']}: {rule['offenders']}" for rule in audit["rules"] if not rule["ok"]]
        row["error"] = "; ".join(broken)
    except Exception as problem:  # whatever it was, the other drills are still wanted
        row["error"] = f"{type(problem).__name__}: {problem}"
    return {
        **row,
        "count": sum(seen["buyers"] for seen in rounds),
        "seconds": round(time.monotonic() - began, 1),
        "reached": rounds,
        "ok": not row["error"],
    }
