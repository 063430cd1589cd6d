"""A few kinds of picture as inline SVG, each with its axes and what they are in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 900, 260, 60, 40, 24
COLOURS = ("#2e7d32", "#8e8e93", "#c62828", "#1565c0", "#ef6c00")
Points = Sequence[dict[str, float]]


def bars(points: Points, names: Sequence[str], unit: str) -> str:
    """Stacked bars, one per point."""
    if not points:
        return "<p>There is nothing to draw.</p>"
    most = max(sum(point[name] for name in names) for point in points) or 1
    step = (WIDTH - LEFT) / len(points)
    drawn = []
    for number, point in enumerate(points):
        base = 0.0
        for name, colour in zip(names, COLOURS, strict=False):
            if point[name]:
                y, height = _y(base + point[name], most), _y(base, most) - _y(base + point[name], most)
                drawn.append(
                    f'<rect x="{LEFT + number * step:.1f}" y="{y:.1f}" width="{max(1, step - 1):.1f}" '
                    f'height="{height:.1f}" fill="{colour}"><title>{point["s"]:.2f} s: {point[name]:.0f} {name}</title>'
                    "</rect>"
                )
            base += point[name]
    return _frame("".join(drawn), points, names, most, unit)


def curves(points: Points, names: Sequence[str], unit: str) -> str:
    """One line per name; a point where nothing happened interrupts it."""
    if not points:
        return "<p>There is nothing to draw.</p>"
    most = max(max(point[name] for name in names) for point in points) or 1
    step = (WIDTH - LEFT) / len(points)
    drawn = []
    for name, colour in zip(names, COLOURS, strict=False):
        for number, point in enumerate(points):
            if not point[name]:
                continue
            x, y = LEFT + (number + 0.5) * step, _y(point[name], most)
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            following = points[number + 1][name] if number + 1 < len(points) else 0
            if following:
                drawn.append(
                    f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + step:.1f}" y2="{_y(following, most):.1f}" '
                    f'stroke="{colour}" stroke-width="2"/>'
                )
    return _frame("".join(drawn), points, names, most, unit)


def lines(points: Points, names: Sequence[str], unit: str) -> str:
    """One unbroken line per name, over the points' own seconds."""
    if not points:
        return "<p>There is nothing to draw.</p>"
    most = max(max(point[name] for name in names) for point in points) or 1
    last = points[-1]["s"] or 1
    drawn = []
    for name, colour in zip(names, COLOURS, strict=False):
        way = " ".join(
            f"{LEFT + point['s'] / last * (WIDTH - LEFT):.1f},{_y(point[name], most):.1f}" for point in points
        )
        drawn.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return _frame("".join(drawn), points, names, most, unit)


def percentiles(series: Mapping[str, Mapping[str, float]]) -> str:
    """One line per name over the same shares ("0.5", "0.99" …), each in milliseconds, on a scale of powers of ten."""
    series = {name: found for name, found in series.items() if found}
    if not series:
        return "<p>There is nothing to draw.</p>"
    shares = list(next(iter(series.values())))
    low = math.floor(math.log10(min(max(0.1, ms) for found in series.values() for ms in found.values())))
    high = max(low + 1, math.ceil(math.log10(max(max(0.1, ms) for found in series.values() for ms in found.values()))))
    step = (WIDTH - LEFT) / len(shares)
    drawn = []
    for power in range(low, high + 1):
        y = _y(power - low, high - low)
        drawn.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH}" stroke="currentColor" opacity=".15"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_span(10.0**power)}</text>'
        )
    for number, share in enumerate(shares):
        drawn.append(
            f'<text x="{LEFT + (number + 0.5) * step:.1f}" y="{HEIGHT - 22}" text-anchor="middle">'
            f"{'slowest' if float(share) == 1 else f'p{float(share) * 100:.4g}'}</text>"
        )
    labelled: list[tuple[float, float]] = []
    for found, colour in zip(series.values(), COLOURS, strict=False):
        dots = [
            (LEFT + (number + 0.5) * step, _y(math.log10(max(0.1, ms)) - low, high - low), ms)
            for number, ms in enumerate(found.values())
        ]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in dots)
        drawn.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, ms in dots:
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{ms:,g} ms</title></circle>')
            if all(abs(y - other) > 14 for at, other in labelled if at == x):  # where two lines meet, one says it
                labelled.append((x, y))
                drawn.append(f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{_span(ms)}</text>')
    return _svg(_legend(list(series)) + "".join(drawn))


def funnel(steps: Sequence[tuple[str, int]]) -> str:
    """One bar per layer, as wide as what came so far; the share is of the first."""
    first = max(1, steps[0][1])
    drawn = []
    for number, (name, count) in enumerate(steps):
        y, width = number * 44, max(2, count / first * (WIDTH - 4))
        drawn.append(
            f'<rect x="0" y="{y + 18}" width="{width:.1f}" height="18" rx="3" fill="{COLOURS[0]}" '
            f'opacity="{0.4 + 0.6 * (number + 1) / len(steps):.2f}"/>'
            f'<text x="0" y="{y + 13}">{escape(name)}: {count:,} ({count / first:.1%})</text>'
        )
    style = "font:14px system-ui,sans-serif;fill:currentColor"
    return f'<svg viewBox="0 0 {WIDTH} {len(steps) * 44}" role="img" style="{style}">{"".join(drawn)}</svg>'


def _span(ms: float) -> str:
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - value / most * (HEIGHT - BOTTOM - TOP)


def _frame(drawn: str, points: Points, names: Sequence[str], most: float, unit: str) -> str:
    floor = HEIGHT - BOTTOM
    ends = (points[-1]["s"]) if points else 0
    axes = (
        f'<path d="M{LEFT} {TOP}V{floor}H{WIDTH}" fill="none" stroke="currentColor" opacity=".4"/>'
        f'<text x="{LEFT - 6}" y="{TOP + 10}" text-anchor="end">{most:,.0f}</text>'
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 8}">0 s</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 8}" text-anchor="end">{ends:.2f} s</text>'
        f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(unit)}</text>'
    )
    return _svg(_legend(names) + axes + drawn)


def _legend(names: Sequence[str]) -> str:
    found, x = [], LEFT + 10
    for name, colour in zip(names, COLOURS, strict=False):
        text = name.replace("_", " ")
        found.append(
            f'<rect x="{x}" y="2" width="12" height="12" fill="{colour}"/>'
            f'<text x="{x + 16}" y="13">{escape(text)}</text>'
        )
        x += 40 + 7 * len(text)
    return "".join(found)


def _svg(inside: str) -> str:
    style = "font:12px system-ui,sans-serif;fill:currentColor"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" style="{style}">{inside}</svg>'
