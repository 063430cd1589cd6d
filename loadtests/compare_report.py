"""A comparison's verdict for a terminal, and as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from loadtests import chart
from loadtests.report import audit_section, document, rows_table, table, thresholds_table, verdict_lines

WORDS = (
    ("orders sent", lambda side: side["offered"]),
    ("answered: yes", lambda side: side["admitted"]),
    ("answered: error, or not at all", lambda side: side["errors"]),
    ("half knew after, ms", lambda side: side["latency_ms"]["all"].get("0.5", 0)),
    ("99 of 100 knew after, ms", lambda side: side["latency_ms"]["all"].get("0.99", 0)),
    ("the last knew after, ms", lambda side: side["latency_ms"]["all"].get("1.0", 0)),
    ("completed by then", lambda side: side["at_once"]),
    ("completed later", lambda side: side["later"]),
    ("never", lambda side: side["never"]),
)


def lines(result: dict[str, Any]) -> Iterator[str]:
    """For a terminal."""
    yield ""
    yield "  " + ("ALL HELD" if result["ok"] else "SOMETHING DID NOT HOLD")
    yield ""
    sides = result["sides"]
    yield f"{'':<32}" + "".join(f"{name.replace(', ', ' · '):>28}" for name in sides)
    for name, of in WORDS:
        yield f"{name:<32}" + "".join(f"{of(side):>28,}" for side in sides.values())
    yield ""
    yield _in_vain(result)
    yield from verdict_lines(result)


def page(result: dict[str, Any]) -> str:
    """The whole report."""
    sides = result["sides"]
    rows = [[name, *(of(side) for side in sides.values())] for name, of in WORDS]
    body = f"""<h2>Side by side</h2>
<p>The same {result["orders"]:,} orders at the same instants, {result["rate"]:g} a second.</p>
{table(["", *sides], rows)}
<p>{escape(_in_vain(result))}</p>
<h2>How long a buyer waited for an answer, whatever it was</h2>
<p>From the instant an order was meant to leave to the last byte of its answer, in milliseconds; each line up is ten
times as long.</p>
{chart.percentiles({name: side["latency_ms"]["all"] for name, side in sides.items()})}
<h2>While inventory was stopped: buyers with an answer</h2>
{chart.lines(_together(sides), ["queue: yes", "coupled: yes", "coupled: no"], "buyers so far")}
<h2>Thresholds</h2>
{thresholds_table(result)}
{rows_table(result["rows"])}
<h2>The funnel of the queue, all well</h2>
{chart.funnel(sides["queue, all well"]["funnel"])}
{audit_section(result)}
<details><summary>Machine, and the rest</summary><pre>{escape(json.dumps(_rest(result), indent=2))}</pre></details>"""
    return document("Compare: three calls in turn, or a queue", result, body)


def _together(sides: dict[str, Any]) -> list[dict[str, float]]:
    """Both shops without their inventory on one time axis; who has all answers keeps them."""
    both = {shop: sides[f"{shop}, inventory stopped"]["over_time"] for shop in ("queue", "coupled")}
    found = []
    for number in range(max(map(len, both.values()))):
        queue, coupled = (points[min(number, len(points) - 1)] for points in both.values())
        found.append(
            {
                "s": max(queue["s"], coupled["s"]),
                "queue: yes": queue["yes"],
                "coupled: yes": coupled["yes"],
                "coupled: no": coupled["no"],
            }
        )
    return found


def _in_vain(result: dict[str, Any]) -> str:
    return (
        f"The coupled shop's inventory deducted stock for {result['deducted_in_vain']:,} orders that their buyers were "
        "told had failed: it found the calls when it went on, and nobody waited for them any more."
    )


def _rest(result: dict[str, Any]) -> dict[str, Any]:
    shown = {"audit", "thresholds", "rows"}
    kept = {name: value for name, value in result.items() if name not in shown}
    kept["sides"] = {
        name: {key: value for key, value in side.items() if key not in {"over_time", "latency_ms", "funnel"}}
        for name, side in result["sides"].items()
    }
    return kept
