"""Whoever rebuilds dies at each step; whoever comes next goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from config.recovery.tests.shop import Shop
from config.recovery.turn import turn
from inventory.models import Rebuild
from queueing.crashpoint import CRASH_POINTS
from queueing.testing import drain

POINTS = [point for point in CRASH_POINTS if point.startswith("rebuild.")]


def rebuild(note: Path, point: str) -> subprocess.CompletedProcess[str]:
    """`manage.py rebuild` on this test's servers, to be killed at a point."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"])
    return subprocess.run(
        [sys.executable, "manage.py", "rebuild"],
        env={
            **os.environ,
            "DATABASE_URL": url.geturl(),
            "SLUICE_CRASH_AT": point,
            "SLUICE_CRASH_NOTE": str(note),
        },
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_the_next_one_finishes(shop: Shop, tmp_path: Path, point: str) -> None:
    kept = shop.buy("ada", quantity=2)
    drain()
    lost = shop.buy("bob")
    shop.client.flushdb()

    died = rebuild(tmp_path / "crashed", point)

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert (tmp_path / "crashed").read_text().startswith(f"{point} ")
    while not turn().is_well:
        pass
    drain()
    # Where it may have been open and gone again, orders may have been admitted in its epoch: that one is over, too.
    epoch = 3 if point == "rebuild.opening" else 2
    assert shop.gate is not None
    assert (shop.gate.stock, shop.gate.epoch, shop.gate.is_open) == (8, epoch, True)
    assert (shop.status(kept), shop.status(lost)) == ("confirmed", "void")
    assert not Rebuild.objects.filter(opened_at=None).exists()
    assert shop.buy("cleo").receipt.epoch == epoch
    assert turn(thorough=True).lost == {}


def test_emptied_again_while_the_gate_may_have_been_open_begins_one_more_epoch(shop: Shop, tmp_path: Path) -> None:
    """Orders may have been admitted in the epoch that was opened and not yet said to be."""
    shop.client.flushdb()
    assert rebuild(tmp_path / "crashed", "rebuild.opened").returncode == -signal.SIGKILL
    told = shop.buy("ada")
    shop.client.flushdb()

    while not turn().is_well:
        pass

    assert shop.gate is not None
    assert (shop.gate.stock, shop.gate.epoch) == (10, 3)
    assert shop.status(told) == "void"
