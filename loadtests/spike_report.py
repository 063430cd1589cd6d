"""A spike's verdict for a terminal, and as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from loadtests import chart
from loadtests.report import audit_section, document, mark, table, thresholds_table, verdict_lines
from loadtests.spike_figures import BUCKET_MS
from loadtests.spike_verdict import of_gateway


def lines(result: dict[str, Any]) -> Iterator[str]:
    """For a terminal."""
    yield ""
    yield "  " + ("ALL HELD" if result["ok"] else "SOMETHING DID NOT HOLD")
    yield ""
    yield (
        f"{result['offered']:,} orders were sent in {result['offered_seconds']:g} s, and all answers were there "
        f"{result['answered_seconds']:g} s after the first was meant to leave ({result['rate_per_s']:,.0f} a second)."
    )
    for name, count in result["funnel"]:
        yield f"  {count:>9,}  {name}"
    yield (
        f"Refused: {result['shed']:,} by the gateway's limits, {result['limited']:,} by limits behind it, "
        f"{result['sold_out']:,} because all was sold; {result['errors']:,} errors."
    )
    yield (
        f"Who got an order knew after {result['p50_ms']:g} ms (half of them), {result['p99_ms']:g} ms (99 of 100); "
        f"{result['machine']['cores']} cores, load {result['machine']['load']:.1f} before."
    )
    yield from verdict_lines(result)


def page(result: dict[str, Any]) -> str:
    """The whole report."""
    body = f"""{thresholds_table(result)}
<h2>The funnel</h2>
{chart.funnel(result["funnel"])}
<h2>Offered and answered</h2>
{chart.lines(result["over_time"], ["admitted", "offered", "shed", "sold_out", "other"], f"requests per {BUCKET_MS} ms")}
<h2>How long an answer took</h2>
<p>From the instant a request was meant to leave to the last byte of its answer, in milliseconds.</p>
{table(["", "half", "90 of 100", "99 of 100", "999 of 1,000", "slowest"], latencies(result))}
<h2>The queue behind it</h2>
<p>Orders admitted and not yet worked off, seen twice a second, beside what admissions and the consumers' cap give.</p>
{chart.lines(result["backlog"], ["backlog", "formula"], "orders waiting")}
<h2>Three counts of the same</h2>
{table(["", "the generator", "Locust", "the shop"], _counts(result))}
{audit_section(result)}
<h2>Answers</h2>
{table(["answer", "how many"], [[name, number] for name, number in result["answers"].items()])}
<details><summary>Machine, generator, and the rest</summary>
<pre>{escape(json.dumps(_rest(result), indent=2))}</pre></details>"""
    title = f"Spike: {result['offered']:,} orders in {result['offered_seconds']:g} s, {result['stock']:,} units"
    return document(title, result, body)


def latencies(result: dict[str, Any]) -> list[list[Any]]:
    return [[name.replace("_", " "), *shares.values()] for name, shares in result["latency_ms"].items()]


def _counts(result: dict[str, Any]) -> list[list[Any]]:
    server, offered, admitted = result["server"], result["offered"], result["admitted"]
    locust = {row["name"]: row["requests"] for row in result["locust"]}
    at_gateway = "no nginx" if server["requests"] is None else server["requests"]
    counted = server["requests"] is None or of_gateway(result)["ok"]
    left = result["stock"] - admitted
    return [
        [mark(counted, "requests"), offered, sum(locust.values()), at_gateway],
        [mark(server["appended"] == admitted, "admitted"), admitted, locust.get("admitted", 0), server["appended"]],
        [mark(server["left"] == left, "units left"), left, "", server["left"]],
    ]


def _rest(result: dict[str, Any]) -> dict[str, Any]:
    shown = {"over_time", "backlog", "audit", "thresholds", "funnel", "latency_ms", "answers", "locust"}
    return {name: value for name, value in result.items() if name not in shown}
