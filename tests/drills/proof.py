"""What a house has really done: PostgreSQL's rows, and the audit over everything with all its buyers were told."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import psycopg

from tests.drills.harness import BASE, House

REST_WITHIN_S = 150.0
CLAIM_S = 60  # how long a message stays claimed by a sender that died


def orders(house: House, sale: int) -> dict[str, str]:
    """Order → status, as PostgreSQL has it; empty while it does not answer."""
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(house.database_url) as session:
        return dict(session.execute("SELECT id::text, status FROM orders_order WHERE sale_id = %s", [sale]).fetchall())
    return {}


def audit(house: House, *, at_rest: bool, patient: bool) -> dict[str, Any]:
    """`manage.py audit` over everything since the house was opened.

    at_rest: wait for rest, and judge what must be true then. patient: let claims of dead senders run their minute.
    """
    command = [sys.executable, "manage.py", "audit", "--json", "--history", str(house.history_path)]
    process = subprocess.Popen(
        [*command, "--wait", str(REST_WITHIN_S if at_rest else 0)],
        cwd=BASE, env=house.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and at_rest and not patient:
        _hurry(house)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
    said, complaints = process.communicate()
    assert process.returncode < 100, f"the audit could not judge: {complaints[-2000:]}"
    return dict(json.loads(said))


def _hurry(house: House) -> None:
    """Make a minute pass for messages whose sender went silent; everything else keeps its own time."""
    with psycopg.connect(house.database_url, autocommit=True, connect_timeout=5) as session:
        session.execute(
            "UPDATE notifications_notification SET claimed_at = claimed_at - make_interval(secs => %s)"
            " WHERE status = 'sending' AND claimed_at < clock_timestamp() - interval '3 s'",
            [CLAIM_S],
        )
