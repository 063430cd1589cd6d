"""One front for all of its drills, since its start costs seconds: each drill has a sale of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.drills.front.front import Front, opened

SCALE = int(os.environ.get("DRILL_SCALE", "1"))
SHOPPERS = 120 if SCALE == 1 else 2_000


@pytest.fixture(scope="session")
def the_front() -> Iterator[Front]:
    with opened(shoppers=SHOPPERS, stocks=[10] * 19) as front:
        yield front


@pytest.fixture
def front(the_front: Front) -> Iterator[Front]:
    """At full count each drill ends with the audit; at a small one the last does, for all of them."""
    yield the_front
    if SCALE > 1:
        the_front.the_audit_finds_nothing()
