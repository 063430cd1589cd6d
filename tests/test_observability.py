"""Grafana's board, Prometheus's rules and its example say nothing that /metrics doesn't."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from django.conf import settings
from django.test import Client
from django.urls import resolve

from config.alerts.rules import RULES, Rule
from queueing.about import About
from queueing.autoscaler.limits import DOWN, UP
from queueing.conf import make_broker
from queueing.console import selectors
from queueing.console.levels import LIMITS
from queueing.console.reading import Reader
from queueing.testing import drain
from tests.test_purchase_journey import sale  # noqa: F401  a fixture

ROOT = Path(__file__).resolve().parents[1]
BOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/sluice.json").read_text())
ALERTS: dict[str, Any] = {
    rule["alert"]: rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
EXAMPLE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
ONLY_PROMETHEUS = {"QueueUnknown"}  # nobody in the house is there to say so
WORDS = {
    *("sum", "max", "min", "rate", "delta", "absent", "histogram_quantile", "label_values"),
    *("by", "on", "and", "or", "unless", "clamp_min"),
}
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
ASKED = [target["expr"] for panel in PANELS for target in panel["targets"]]
QUERIES = [*ASKED, *(rule["expr"] for rule in ALERTS.values())]


def documented() -> dict[str, set[str]]:
    """Name → its labels. A histogram's buckets are lines of it with one label more."""
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    found = {name: set(re.findall(r"\w+", labels)) for name, labels in rows}
    buckets = {f"{name.removesuffix('_bucket')}_bucket": {*labels, "le"} for name, labels in found.items()}
    return {**buckets, **found}


def names_in(query: str) -> set[str]:
    return set(re.findall(r"\bsluice_\w+", query))


@pytest.mark.parametrize("query", sorted(set(QUERIES)))
def test_every_query_is_well_formed_and_asks_for_what_is_documented(query: str) -> None:
    known = documented()
    bare = re.sub(r'"[^"]*"', '""', query)
    labels = {word for inside in re.findall(r"\{([^}]*)\}", bare) for word in re.findall(r"(\w+)\s*[=!]", inside)}
    grouped = {word for inside in re.findall(r"\b(?:by|on) \(([^)]*)\)", bare) for word in re.findall(r"\w+", inside)}
    words = set(re.findall(r"\b[a-z_]\w*", re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on) \([^)]*\)", "", bare)))

    assert names_in(query)
    assert names_in(query) <= set(known)
    for name in names_in(query):
        assert labels | grouped <= known[name], f"{name} has no such label"
        if name.endswith(("_total", "_bucket")):
            assert re.search(rf"rate\({name}(\{{[^}}]*\}})?\[\d+[sm]\]\)", bare), f"{name} only grows: ask for its rate"
    assert words - names_in(query) <= WORDS
    depth = 0
    for char in bare:
        depth += (char in "([{") - (char in ")]}")
        assert depth >= 0
    assert depth == 0
    assert all(re.fullmatch(r"\d+[smh]", span) for span in re.findall(r"\[([^\]]*)\]", bare))


@pytest.fixture
def told(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The names in the real output, with a sale and a consumer to tell of."""
    monkeypatch.setattr(selectors, "_reader", Reader(fresh_s=0))
    make_broker().beat("orders", "ada", About(host="a", pid=1, handled=0, per_s=0, memory_bytes=1))
    yield {
        re.split(r"[{ ]", line)[0] for line in client.get("/metrics").content.decode().splitlines() if line[0] != "#"
    }
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.flushdb()


@pytest.mark.django_db(transaction=True)
def test_every_name_is_in_the_real_output(sale: object, told: set[str]) -> None:  # noqa: F811
    drain()

    assert set.union(*map(names_in, QUERIES)) <= told


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_of_the_house_is_prometheuss_with_its_limit_and_its_patience(rule: Rule) -> None:
    alert = ALERTS[rule.name]

    assert f">= {rule.limit:g}\n" in alert["expr"].replace(" and", "\nand") + "\n"
    assert _seconds(alert["for"]) == rule.for_s
    assert alert["annotations"]["summary"]


def test_there_are_no_other_alerts() -> None:
    assert set(ALERTS) == {rule.name for rule in RULES} | ONLY_PROMETHEUS


def test_the_page_about_them_says_the_same() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]+) \|$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    said = {name: 0 if lasts == "at once" else _seconds(re.sub(r" (s|m)(in)?", r"\1", lasts)) for name, lasts in rows}

    assert said == {rule.name: rule.for_s for rule in RULES}


def test_the_board_draws_the_lines_of_the_operators_page() -> None:
    drawn = {
        panel["title"]: [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]
        for panel in PANELS
    }

    assert drawn["Lag"] == [DOWN, UP] == [LIMITS["lag"].amber, LIMITS["lag"].red]
    assert drawn["Oldest waiting"] == [LIMITS["oldest_age_ms"].amber / 1000, LIMITS["oldest_age_ms"].red / 1000]
    assert drawn["Dead letters"] == [LIMITS["dead"].amber, LIMITS["dead"].red]
    assert drawn["Time to drain"] == [LIMITS["drain_s"].amber, LIMITS["drain_s"].red]


def test_the_boards_panels_have_a_place_of_their_own_and_one_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    assert set(re.findall(r"\$(\w+)", " ".join(ASKED))) <= variables


def test_the_example_scrapes_the_page_that_answers() -> None:
    [job] = EXAMPLE["scrape_configs"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert resolve(job["metrics_path"]).func.__name__ == "metrics"
    assert job["authorization"]["type"] == "Bearer"
    [target] = job["static_configs"][0]["targets"]
    assert target.split(":")[0] in compose
    assert compose["web"]["environment"]["ALLOWED_HOSTS"].endswith(f",{target.split(':')[0]}")
    assert EXAMPLE["rule_files"] == ["alerts.yml"]


def _seconds(span: str) -> int:
    return int(span[:-1]) * {"s": 1, "m": 60}[span[-1]]
