"""What `manage.py audit` prints and answers."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import redis
from django.core.management import CommandError, call_command

from config.audit.tests.world import World
from inventory import keys as gate_keys

pytestmark = pytest.mark.django_db


def _run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("audit", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_sound_system_exits_with_0(world: World, tmp_path: Path) -> None:
    code, text = _run("--history", str(world.write_history(tmp_path / "history.jsonl")))
    assert code == 0
    assert text.splitlines()[0].split()[:3] == ["1", "ok", "no"]
    assert "attempt 10  ok 7  fail 2  info 1  lost 0" in text


def test_the_exit_code_counts_broken_rules_not_offenders(world: World, client: redis.Redis) -> None:
    client.delete(gate_keys.buyers(world.kettles.pk))  # rule 4, for each of its buyers
    client.hincrby(gate_keys.gate(world.kettles.pk), "stock", 1)  # rule 2
    code, text = _run()
    assert code == 2
    assert text.splitlines()[-1] == "2 of 12 rules broken"
    assert text.count("the gate counts 0 units") == 4  # ada, bob, cleo and gus still have some


def test_json_is_one_object(world: World, client: redis.Redis) -> None:
    client.hincrby(gate_keys.gate(world.kettles.pk), "stock", 1)
    code, text = _run("--json")
    report = json.loads(text)
    assert (code, report["broken"]) == (1, 1)
    rule = report["rules"][1]
    assert (rule["number"], rule["ok"], rule["checked"], len(rule["offenders"])) == (2, False, 2, 1)
    assert report["counts"]["orders"] == 8


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{not json", "line 1"),
        ('{"at": 1, "op": "place", "outcome": "maybe"}', "outcome 'maybe' is not ok, fail or info"),
        ('{"at": 1, "op": "place", "outcome": "ok", "quantity": "one"}', "line 1"),
    ],
)
def test_a_history_that_cannot_be_read_is_no_verdict(world: World, tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(CommandError, match=complaint) as refused:
        call_command("audit", "--history", str(path))
    assert refused.value.returncode == 100


def test_a_history_that_is_not_there_is_no_verdict(world: World, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("audit", "--history", str(tmp_path / "nowhere.jsonl"))
