"""The funnel as its page shows it: texts, shares and lines, once a second for everybody who looks."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import NamedTuple

import msgspec
from redis.exceptions import RedisError

from config.room.flow import Flow, Since, Window
from config.room.layers import AGAIN, LAYERS, REFUSALS, Counts, Layer, again, offered
from config.room.limits import read_limits
from config.room.sale_now import SaleNow
from config.traffic.flushing import LOST
from config.traffic.reading import UNKNOWN, Moment
from config.traffic.second import ANSWER
from orders.histogram import percentile
from queueing.console import words

NOW_S, MINUTES_S, LATENCY_S = 3, 300, 10
POINT_S = 3  # seconds of one point of a line
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
SAID = {AGAIN: "Admitted before: the same key, the same order", "internal": "Our fault: status 500"}
BY_KEY = {layer.key: layer for layer in LAYERS}

_flow, _since, _sale = Flow(), Since(), SaleNow()


class Row(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str
    what: str
    leaves: bool
    now: str
    minutes: str
    sale: str
    share: str
    bar: float  # percent of what was offered
    limit: str
    line: list[float]  # a second, over the last five minutes
    peak: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str
    now: str
    minutes: str
    sale: str


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    label: str
    answers: str
    cells: list[str]  # as SHARES


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    banner: str
    stale: bool
    sale: str
    rows: list[Row]
    reasons: list[Reason]
    latencies: list[Latency]


class Sums(NamedTuple):
    now: Counts
    minutes: Counts
    sale: Counts


def make() -> Funnel:
    """What is known now. Never raises for a server that is away."""
    window = _flow.read()
    last_s = window.last_s
    sale = _sale.read(last_s)
    sums = Sums(
        window.counted(last_s - NOW_S + 1, last_s),
        window.counted(last_s - MINUTES_S + 1, last_s),
        _since.counted(window, sale.since_s),
    )
    points = [window.counted(at, at + POINT_S - 1) for at in range(last_s - MINUTES_S + 1, last_s, POINT_S)]
    try:
        limits = read_limits()
    except (RedisError, OSError):
        limits = {}
    rows = [_row(layer, sums, points, limits.get(layer.key, words.UNKNOWN)) for layer in LAYERS]
    return Funnel(
        banner=_banner(window, sums.minutes),
        stale=window.unknown_since is not None,
        sale=sale.text,
        rows=rows if window.steps_known else [_unknown(row) for row in rows],
        reasons=_reasons(sums),
        latencies=_latencies(window.summed(LATENCY_S)),
    )


def _row(layer: Layer, sums: Sums, points: list[Counts], limit: str) -> Row:
    mine, all_offered = layer.count(sums.minutes), offered(sums.minutes)
    line = [round(layer.count(point) / POINT_S, 1) for point in points]
    return Row(
        key=layer.key,
        label=layer.label,
        what=layer.what,
        leaves=layer.leaves,
        now=words.per_second(layer.count(sums.now) / NOW_S),
        minutes=words.count(mine),
        sale=words.count(layer.count(sums.sale)),
        share=_share(mine, layer.of, sums.minutes),
        bar=round(min(100.0, 100 * mine / all_offered), 2) if all_offered else 0.0,
        limit=limit,
        line=line,
        peak=words.per_second(max(line)),
    )


def _share(mine: int, of: str, counts: Counts) -> str:
    if not of:
        return ""
    layer = BY_KEY[of]
    whole = layer.count(counts)
    if not whole:
        return ""
    share = 100 * mine / whole
    return (
        f"{share:.0f} % of {layer.label.lower()}"
        if share >= 10 or not share
        else f"{share:.2g} % of {layer.label.lower()}"
    )


def _unknown(row: Row) -> Row:
    """PostgreSQL is away: what it knows, nobody does."""
    if row.key not in {"created", "paid", "shipped"}:
        return row
    dash = words.UNKNOWN
    return msgspec.structs.replace(row, now=dash, minutes=dash, sale=dash, share="", bar=0.0, line=[], peak=dash)


def _reasons(sums: Sums) -> list[Reason]:
    counted = [(outcome, lambda counts, name=ANSWER + outcome: counts[name]) for outcome in REFUSALS]
    found = []
    for key, count in [*counted, (AGAIN, again)]:
        if count(sums.sale) or count(sums.minutes):
            now, minutes, sale = (count(counts) for counts in sums)
            found.append(
                Reason(
                    key=key,
                    label=SAID.get(key, key.replace("_", " ").capitalize()),
                    now=words.per_second(now / NOW_S),
                    minutes=words.count(minutes),
                    sale=words.count(sale),
                )
            )
    return found


def _latencies(moment: Moment) -> list[Latency]:
    found = []
    for key, label, took in (
        ("admitted", "Admitted", moment.took_admitted),
        ("answers", "All answers to orders", moment.took),
    ):
        cells = [_span_us(percentile(took, share)) for share in SHARES.values()]
        found.append(Latency(key=key, label=label, answers=words.count(sum(took.values())), cells=cells))
    return found


def _span_us(microseconds: float | None) -> str:
    """Three digits: 0.312 ms, 34.2 ms, 1.25 s"""
    if microseconds is None:
        return words.UNKNOWN
    if microseconds >= 999_500:
        return f"{microseconds / 1e6:.2f} s"
    milliseconds = microseconds / 1000
    return (
        f"{milliseconds:.{3 if milliseconds < 1 else 2 if milliseconds < 10 else 1 if milliseconds < 100 else 0}f} ms"
    )


def _banner(window: Window, minutes: Counter[str]) -> str:
    said = []
    if window.unknown_since is not None:
        since = window.unknown_since.astimezone(UTC)
        said.append(f"Redis does not answer since {since:%H:%M:%S} UTC; the numbers below are from then.")
    if not window.steps_known:
        said.append("PostgreSQL does not answer: what was created, paid and shipped is not known.")
    if minutes[UNKNOWN]:
        said.append("The gateway does not tell what it answered itself: that counts as shed.")
    if minutes[LOST]:
        said.append(f"{minutes[LOST]:,} seconds of counts were dropped while Redis was away.")
    return " ".join(said)
