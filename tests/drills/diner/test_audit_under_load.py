"""Rule 6 on a live topic: no false alarm while messages come, fail, are claimed and trimmed; and sabotage is seen."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import redis
from django.conf import settings

from queueing import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.topic import Topic
from tests.drills.diner.crew import FULL, SCALE, Crew, Mother, accounting
from tests.drills.diner.events import GROUP
from tests.drills.harness import BASE

pytestmark = pytest.mark.drill
AUDITS = 10 * SCALE if FULL else 4
PLACE = ("dishes", "0", GROUP)


@pytest.fixture
def live(crew: Crew, mother: Mother) -> Iterator[Crew]:
    """Orders come and old ones are trimmed; of three waiters one dies between commit and ack, time and again."""
    pace = {"takes_s": 0.02, "batch": 20, "attempts": 3}
    for doom in ({}, {}, {"keep": True, "SLUICE_CRASH_AT": "consume.committed#5"}):
        crew.hire(**pace, **doom)
    topics = {"dishes": Topic("dishes", partitions=4, retention_messages=200)}
    guests = Crew(mother, RedisStreamsBroker(topics, url=settings.REDIS_URL))
    closing = threading.Event()

    def come() -> None:
        turn = 0
        while not closing.wait(0.02):
            turn += 1
            guests.order(20)
            if turn % 10 == 0:
                guests.order(deed="raise")
            if turn % 100 == 0:  # every two seconds, the relay does it every ten
                guests.broker.trim("dishes", [GROUP])
        guests.broker.redis.close()

    thread = threading.Thread(target=come)
    thread.start()
    try:
        crew.wait_for(lambda: crew.total()["acked"] > 100, "work is going on")
        yield crew
    finally:
        closing.set()
        thread.join()


def test_rule_6_gives_no_false_alarm_under_load(live: Crew) -> None:
    seen: list[int] = []
    unsettled = 0
    for _ in range(AUDITS):
        verdict = live.audit()
        assert verdict.broken == 0, "\n".join(verdict.as_text())
        unsettled += any("dishes/" in what for what in verdict.on_its_way)
        seen.append(live.total()["appended"])

    assert accounting(verdict).checked > 0
    assert unsettled > 0, "there was something half-way"
    assert seen == sorted(set(seen)), "messages kept coming between the audits"
    live.wait_for(lambda: live.total()["dead"] > 0 and live.redelivered() > 0, "failures and deaths are part of it")
    assert live.audit().broken == 0
    assert _audit_command(live)["broken"] == 0


def _shift(client: redis.Redis, key: str, field: str) -> Callable[[], object]:
    client.hincrby(key, field, 1)
    return lambda: client.hincrby(key, field, -1)


def _acknowledge_past_the_script(client: redis.Redis) -> Callable[[], object]:
    """As an operator with redis-cli does, who wants to get rid of something that hangs. It can't be undone."""
    log = keys.log(*PLACE[:2])
    while not (pending := client.xpending_range(log, GROUP, "-", "+", 1)) or not client.xack(
        log, GROUP, pending[0]["message_id"]
    ):
        pass
    return lambda: None


SABOTAGES: dict[str, Callable[[redis.Redis], Callable[[], object]]] = {
    "acknowledged by the counter": lambda client: _shift(client, keys.counters(*PLACE), "acked"),
    "done + ": lambda client: _shift(client, keys.counters(*PLACE), "done"),
    "appended by the counter": lambda client: _shift(client, keys.meta(*PLACE[:2]), "appended"),
    "in the log + ": lambda client: _shift(client, keys.meta(*PLACE[:2]), "trimmed"),
    "dishes/0, waiters: ": _acknowledge_past_the_script,
}


def test_rule_6_finds_sabotage_under_load(live: Crew) -> None:
    for named, sabotage in SABOTAGES.items():
        undo = sabotage(live.broker.redis)
        verdict = live.audit()
        undo()
        report = "\n".join(verdict.as_text())
        assert [finding.rule.number for finding in verdict.findings if not finding.ok] == [6], report
        assert any(named in offender for offender in accounting(verdict).offenders), report


def _audit_command(crew: Crew) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "manage.py", "audit", "--json"], cwd=BASE, env=crew.environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return dict(json.loads(done.stdout))
