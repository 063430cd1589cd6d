"""The checker, checked: each sabotage turns exactly its own rules red, and the audit names what was touched.

Where one act breaks several rules, it does so in truth: an order that vanished is lost (3) and leaves its steps (8).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import redis

from config.audit.evidence import open_session
from config.audit.rules import RULES
from config.audit.tests.histories import HISTORIES
from config.audit.tests.rows import ROWS
from config.audit.tests.sabotage import Sabotage
from config.audit.tests.scene import Scene
from config.audit.tests.streams import REDIS
from config.audit.tests.world import World
from config.audit.verdict import Verdict

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("sabotage", "rules"), [*ROWS, *REDIS, *HISTORIES])
def test_sabotage_is_caught(
    world: World, client: redis.Redis, audit: Callable[..., Verdict], sabotage: Sabotage, rules: set[int]
) -> None:
    with open_session() as pg:
        scene = Scene(world, pg, client, copy.deepcopy(world.history))
        try:
            named = sabotage(scene)
            pg.commit()
            verdict = audit(history=scene.history)
        finally:
            pg.rollback()
            world.restore(client)
            scene.restore_constraints()
    report = "\n".join(verdict.as_text())
    assert {finding.rule.number for finding in verdict.findings if not finding.ok} == rules, report
    assert any(named in offender for finding in verdict.findings for offender in finding.offenders), report


def test_every_rule_has_a_sabotage_of_its_own() -> None:
    alone = [rules for _, rules in (case.values for case in [*ROWS, *REDIS, *HISTORIES]) if len(rules) == 1]
    assert {rule.number for rule in RULES} == set.union(*alone)
