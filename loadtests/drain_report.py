"""A drain's verdict for a terminal, and as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from loadtests import chart
from loadtests.report import audit_section, document, mark, rows_table, table, thresholds_table, verdict_lines
from loadtests.spike_report import latencies
from loadtests.spike_verdict import of_gateway


def lines(result: dict[str, Any]) -> Iterator[str]:
    """For a terminal."""
    yield ""
    yield "  " + ("ALL HELD" if result["ok"] else "SOMETHING DID NOT HOLD")
    yield ""
    for mode, one in result["drains"].items():
        yield _in_words(mode, one)
    yield (
        f"While they came, at {result['fill_per_s']:,.0f} a second, a buyer knew after {result['p50_ms']:g} ms (half "
        f"of them), {result['p99_ms']:g} ms (99 of 100); {result['machine']['cores']} cores, load "
        f"{result['machine']['load']:.1f} before."
    )
    yield from verdict_lines(result)


def page(result: dict[str, Any]) -> str:
    """The whole report."""
    body = f"""{thresholds_table(result)}
{"".join(_drain(mode, one) for mode, one in result["drains"].items())}
<h2>Figures</h2>
{rows_table(result["rows"])}
<h2>How long a buyer waited for the answer</h2>
<p>While the queue filled, at {result["fill_per_s"]:,.0f} orders a second: from the instant an order was meant to leave
to the last byte of its answer.</p>
{chart.percentiles({"admitted": result["latency_ms"].get("admitted", {})})}
{table(["", "half", "90 of 100", "99 of 100", "999 of 1,000", "slowest"], latencies(result))}
<h2>The funnel</h2>
{chart.funnel(result["funnel"])}
<h2>Three counts of the same</h2>
{table(["", "the generator", "Locust", "the shop"], _counts(result))}
{audit_section(result)}
<details><summary>Machine, and the rest</summary><pre>{escape(json.dumps(_rest(result), indent=2))}</pre></details>"""
    return document(f"Drain: {result['orders']:,} orders in the queue", result, body)


def _in_words(mode: str, one: dict[str, Any]) -> str:
    if one["empty_s"] is None:
        return f"{mode}: {one['peak']:,} orders waited, and the queue was never empty."
    said = f"{mode}: {one['peak']:,} orders were worked off in {one['empty_s']:g} s"
    if mode == "capped":
        return (
            f"{said}; the formula says {one['peak']:,} / {one['per_s']:,.0f} = {one['formula_s']:g} s. The backlog was "
            f"never further from its line than {one['deviation_pct']:g} % of the peak."
        )
    return f"{said}, {one['per_s']:,.0f} a second."


def _drain(mode: str, one: dict[str, Any]) -> str:
    straight = "the cap's" if mode == "capped" else "their mean rate's"
    return f"""<h2>Backlog against formula: {escape(mode)}</h2>
<p>{escape(_in_words(mode, one))}</p>
<p>Orders waiting, as the queue counts them ten times a second; and the formula: what was acknowledged to buyers, less
{one["per_s"]:,.0f} a second ({straight}) since the consumers began.</p>
{chart.lines(one["points"], ["backlog", "formula"], "orders waiting")}"""


def _counts(result: dict[str, Any]) -> list[list[Any]]:
    server, offered, admitted = result["server"], result["offered"], result["admitted"]
    locust = result["locust"]
    sent = sum(row["requests"] for row in locust)
    yes = sum(row["requests"] for row in locust if row["name"] == "admitted")
    at_gateway = "no nginx" if server["requests"] is None else server["requests"]
    counted = server["requests"] is None or of_gateway(result)["ok"]
    return [
        [mark(counted and sent == offered, "requests"), offered, sent, at_gateway],
        [mark(server["appended"] == admitted == yes, "admitted"), admitted, yes, server["appended"]],
    ]


def _rest(result: dict[str, Any]) -> dict[str, Any]:
    shown = {"drains", "audit", "thresholds", "funnel", "latency_ms", "rows"}
    return {name: value for name, value in result.items() if name not in shown}
