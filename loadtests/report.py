"""The verdict for a terminal, and as one HTML page that needs nothing from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from loadtests import chart, summary

STYLE = """
:root { color-scheme: light dark; --ok: #1a7f37; --bad: #c62828; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 small { font-weight: normal; font-size: 1rem; opacity: .7; display: block; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) { :root { --ok: #4ac26b; --bad: #ff7b72; } }
.ok { color: var(--ok); } .bad { color: var(--bad); } b.ok, b.bad { font-size: 1.2rem; }
svg { width: 100%; height: auto; } details { margin: 1rem 0; } pre { overflow-x: auto; }
"""


def lines(result: dict[str, Any]) -> Iterator[str]:
    """For a terminal."""
    yield ""
    yield (
        f"{result['offered']} wishes for {result['stock']} units: {result['admitted']} admitted, "
        f"{result['sold_out']} sold out, {result['errors']} errors or unknown; {result['paid']} paid, "
        f"{result['shipped']} shipped; buying took {result['p50_ms']:.0f} ms (p50), {result['p99_ms']:.0f} ms (p99) "
        f"on {result['machine']['cores']} cores that had a load of {result['machine']['load']:.1f} before"
    )
    yield from verdict_lines(result)


def verdict_lines(result: dict[str, Any]) -> Iterator[str]:
    """Each threshold, each broken rule of the audit with its offenders, and what the run does not show."""
    width = max(len(threshold["name"]) for threshold in result["thresholds"])
    for threshold in result["thresholds"]:
        word = "ok " if threshold["ok"] else "BAD"
        value, limit = _plain(threshold["value"]), _plain(threshold["limit"])
        yield f"  {word}  {threshold['name']:<{width}}  {value:>10}   limit {limit}"
    for rule in result["audit"]["rules"]:
        if not rule["ok"]:
            yield f"  rule {rule['number']} broken: {rule['name']}"
            yield from (f"      {offender}" for offender in rule["offenders"])
    counts = result["audit"]["counts"]
    yield "audit: " + ", ".join(f"{name} {number:,}" for name, number in counts.items())
    yield result["scope"]


def _plain(value: Any) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)


def page(result: dict[str, Any]) -> str:
    """The whole report."""
    word, style = verdict(result)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Spike of {escape(result["started_at"])}</title><style>{STYLE}</style></head><body>
<h1>Spike: {result["offered"]:,} shoppers, {result["stock"]:,} units
<small>{escape(result["started_at"])} · took {result["seconds"]:.0f} s · {escape(result["scope"])}</small></h1>
<p><b class="{style}">{word}</b></p>
{thresholds_table(result)}
<h2>Answers over time</h2>
{chart.bars(result["over_time"], ["admitted", "sold_out", "other"], f"answers in {summary.BUCKET_MS} ms")}
<h2>How long buying took</h2>
{chart.curves(result["over_time"], ["p50_ms", "p99_ms"], "ms, by the time of the answer")}
<h2>What the shop says</h2>
{table(["", "buyers were told", "the shop's own count"], _sides(result))}
{audit_section(result)}
<h2>Requests, as Locust saw them</h2>
{table(["request", "sent", "failed", "mean ms", "slowest ms"], [list(row.values()) for row in result["locust"]])}
<details><summary>Machine, and the rest</summary><pre>{escape(json.dumps(_rest(result), indent=2))}</pre></details>
</body></html>
"""


def document(title: str, result: dict[str, Any], body: str) -> str:
    """A page with the verdict on top. Either all held or something did not."""
    word, style = ("All held", "ok") if result["ok"] else ("Something did not hold", "bad")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}, {escape(result["started_at"])}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}
<small>{escape(result["started_at"])} · {escape(result["scope"])}</small></h1>
<p><b class="{style}">{word}</b></p>
{body}
</body></html>
"""


def rows_table(rows: list[dict[str, Any]]) -> str:
    """Rows as `make bench` writes them. target None: only reported."""
    shown = [
        [mark(row["reached"], row["name"]), row["unit"], row["ours"], row["against"], row["theirs"], row["ratio"],
         "reported" if row["target"] is None else round(row["target"], 3)]
        for row in rows
    ]  # fmt: skip
    return table(["", "unit", "ours", "against", "theirs", "ratio", "target"], shown)


def thresholds_table(result: dict[str, Any]) -> str:
    rows = [[mark(each["ok"], each["name"]), each["value"], each["limit"]] for each in result["thresholds"]]
    return table(["", "value", "limit"], rows)


def audit_section(result: dict[str, Any]) -> str:
    audit = result["audit"]
    return f"""<h2>The audit</h2>
{table(["rule", "", "looked at", "offenders"], [_rule(rule) for rule in audit["rules"]])}
<p>{escape(", ".join(f"{name} {number:,}" for name, number in audit["counts"].items()))}</p>"""


def _sides(result: dict[str, Any]) -> list[list[Any]]:
    server = result["server"]
    return [
        ["orders admitted (of every sale there)", result["admitted"], server["admitted"]],
        ["rows in PostgreSQL (of every sale there)", "", server["orders"]],
        ["units left in the gate", max(0, result["stock"] - result["admitted"]), server["sale"].get("stock", "?")],
    ]


def _rule(rule: dict[str, Any]) -> list[Any]:
    return [mark(rule["ok"], f"{rule['number']}. {rule['name']}"), "ok" if rule["ok"] else "broken",
            rule["checked"], "; ".join(rule["offenders"])]  # fmt: skip


def _rest(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name not in {"over_time", "locust", "audit"}}


class _Marked(str):
    """Text that is HTML already."""


def mark(ok: bool, text: str) -> _Marked:
    return _Marked(f'<span class="{"ok" if ok else "bad"}">{"✓" if ok else "✗"}</span> {escape(text)}')


def table(head: list[str], rows: list[list[Any]]) -> str:
    cells = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    numeric = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in range(len(head))]
    names = "".join(
        f'<th class="{"n" if right else ""}">{escape(name)}</th>' for name, right in zip(head, numeric, strict=True)
    )
    return f"<table><tr>{names}</tr>{cells}</table>"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if _is_number(value):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{value if isinstance(value, _Marked) else escape(str(value))}</td>"


def verdict(result: dict[str, Any]) -> tuple[str, str]:
    """Slow is not broken: the two are told apart."""
    missed = [threshold["name"] for threshold in result["thresholds"] if not threshold["ok"]]
    if not missed:
        return "All held", "ok"
    return ("Too slow", "bad") if all("p99" in name for name in missed) else ("Something broke", "bad")
