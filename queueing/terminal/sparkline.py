"""A row of bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[int], width: int) -> str:
    """One bar a value, of the highest of them where there are more than `width`. The tallest bar is the maximum;
    nothing at all is the lowest, so that one message is told from none.

    >>> sparkline([0, 1, 50, 100], 10)
    '▁▂▅█'
    """
    if not values or width < 1:
        return ""
    bars = min(len(values), width)
    edges = [len(values) * bar // bars for bar in range(bars + 1)]
    peaks = [max(values[start:end]) for start, end in pairwise(edges)]
    most = max(peaks)
    return "".join(BARS[0 if peak <= 0 else max(1, round(peak / most * (len(BARS) - 1)))] for peak in peaks)
