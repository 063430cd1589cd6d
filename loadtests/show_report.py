"""The show for a terminal, and as one HTML page beside the folder of its pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from loadtests import chart
from loadtests.report import audit_section, document, table, thresholds_table, verdict_lines

TITLES = {"slow_consumers": "The consumer is the limit", "at_its_cap": "The cap is the limit"}
ROWS = {
    "peak": "highest lag, messages",
    "most_consumers": "most consumers",
    "over_s": "lag over 10,000 after, s",
    "grown_s": "one consumer more after, s",
    "drained_s": "lag below 1,000 after, s",
    "alone_s": "one consumer again after, s",
}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """For a terminal."""
    yield ""
    yield "  " + ("ALL HELD" if result["ok"] else "SOMETHING DID NOT HOLD")
    yield ""
    for name, act in result["acts"].items():
        yield f"{TITLES[name]}: " + ", ".join(f"{label} {act[field]}" for field, label in ROWS.items())
    yield from verdict_lines(result)


def page(result: dict[str, Any]) -> str:
    """The whole report."""
    body = f"""{thresholds_table(result)}
{"".join(_act(name, act) for name, act in result["acts"].items())}
<h2>The pages at each moment</h2>
{"".join(_picture(file, what) for file, what in result["pictures"])}
{audit_section(result)}
<details><summary>Machine</summary><pre>{escape(json.dumps(result["machine"], indent=2))}</pre></details>"""
    return document(f"Show: {result['orders']:,} orders at {result['rate']:,.0f} a second, twice", result, body)


def _act(name: str, act: dict[str, Any]) -> str:
    points = act["over_time"]
    return f"""<h2>{escape(TITLES[name])}</h2>
{chart.lines(points, ["lag"], "messages that the group orders has not acknowledged")}
{chart.lines(points, ["consumers"], "consumers of the group orders")}
{table(["", ""], [[label, act[field]] for field, label in ROWS.items()])}
<details><summary>What the autoscaler said</summary><ul>
{"".join(f"<li>{escape(why)}</li>" for why in act["said"])}</ul></details>"""


def _picture(file: str, what: str) -> str:
    picture = f'<img src="show/{escape(file)}" alt="{escape(what)}" style="max-width:100%">'
    return f"<figure>{picture}<figcaption>{escape(what)}</figcaption></figure>"
