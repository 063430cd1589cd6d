"""The report as a table on the terminal, at most 120 columns wide."""

from __future__ import annotations

from benchmarks.row import Row

HEAD = (
    f"{'':<36} {'ours':>9} {'unit':<10} {'against':<31} {'theirs':>9} {'ratio':>6} target\n"
    f"{'─' * 36} {'─' * 9} {'─' * 10} {'─' * 31} {'─' * 9} {'─' * 6} {'─' * 12}"
)


def line(row: Row) -> str:
    return (
        f"{row.name:<36} {row.ours:>9,.0f} {row.unit:<10} {row.against:<31} {row.theirs:>9,.0f} {row.ratio:>6.2f}"
        f" {_target(row)}"
    )


def _target(row: Row) -> str:
    if row.target is None:
        return "reported"
    verdict = "" if row.reached else " MISSED"
    return f"{'≤' if row.at_most else '≥'} {row.target:g}{verdict}"
