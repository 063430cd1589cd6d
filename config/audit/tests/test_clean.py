"""A world where nothing went wrong is judged so."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import redis

from config.audit.evidence import open_session
from config.audit.tests.histories import promise
from config.audit.tests.scene import Scene
from config.audit.tests.world import World
from config.audit.verdict import Verdict

pytestmark = pytest.mark.django_db


def test_a_clean_world_breaks_no_rule(audit: Callable[..., Verdict]) -> None:
    verdict = audit()
    assert "\n".join(verdict.as_text()).endswith("0 of 12 rules broken"), "\n".join(verdict.as_text())
    assert verdict.on_its_way == {}
    assert all(finding.checked > 0 for finding in verdict.findings)


def test_counts_tell_what_became_of_every_wish(audit: Callable[..., Verdict]) -> None:
    # Ada asked twice with one key; Ivy never heard back but has her lamp; Hal and Gus were refused once each.
    assert audit().counts == {
        "attempt": 10, "ok": 7, "fail": 2, "info": 1, "lost": 0, "declared_lost": 0, "duplicated": 0,
        "unexpected": 0, "recovered": 1,
        "admitted": 8, "unresolved": 0, "orders": 8,
    }  # fmt: skip


def test_one_sale_can_be_judged_alone(world: World, audit: Callable[..., Verdict]) -> None:
    verdict = audit(sale_id=world.lamp.pk)
    assert verdict.broken == 0
    assert (verdict.counts["admitted"], verdict.counts["attempt"]) == (1, 2)


def test_what_went_with_rediss_data_is_declared_lost_when_the_run_says_so(
    world: World, client: redis.Redis, audit: Callable[..., Verdict]
) -> None:
    with open_session() as pg:
        scene = Scene(world, pg, client, copy.deepcopy(world.history))
        lost = promise(scene)
    verdict = audit(history=scene.history, faults=["redis_data_lost"])
    assert verdict.broken == 0, "\n".join(verdict.as_text())
    assert (verdict.counts["declared_lost"], verdict.counts["lost"]) == (1, 0)
    assert verdict.declared == (f"order {lost} of user {world.users['jon'].pk} in sale {world.kettles.pk}, epoch 1",)
