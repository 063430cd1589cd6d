"""What a run of shoppers is given: a JSON file named by LOADTEST_PLAN, because Locust passes nothing on by itself."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "LOADTEST_PLAN"
ALL_INSIDE = "all inside"  # the line by which the shoppers say that the sale may be scheduled


@dataclass(frozen=True, slots=True)
class Plan:
    """pays, declines_first: shares of those who got a unit; the rest walks away. The same seed makes the same
    decisions.

    history: where shoppers write what they are told. sale_file: a file that will hold the sale's id once it is
    scheduled, which is when all have logged in. log_ins_at_once: a log-in costs the shop 150 ms of a core on purpose
    (scrypt), so a crowd that logs in all at once measures nothing but that. give_up_s: how long one follows an order.
    source: the address to speak from (loadtests/edge.py).
    """

    usernames: list[str]
    password: str
    history: str
    sale_file: str
    log_ins_at_once: int = 4
    seed: int = 1
    pays: float = 0.90
    declines_first: float = 0.05
    give_up_s: float = 60.0
    show_progress: bool = True
    source: str | None = None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def given(cls) -> Plan:
        """The plan this process was started with."""
        return cls(**json.loads(Path(os.environ[VARIABLE]).read_text()))
