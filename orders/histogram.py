"""How long things took, as counts of a fixed number of buckets: no list that grows, no percentile of percentiles.

A bucket is 1 µs wide up to 256 µs, and from there at most a 128th of what it holds, so a value read back from the
middle of its bucket is off by less than 0.4 %. Counts of many processes and seconds add up bucket by bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

HALF = 7  # bits: 128 buckets for every doubling
LONGEST_US = 2**26 - 1  # 67 s; longer ones count as that
BUCKETS = ((26 - HALF - 1) << HALF) + (1 << (HALF + 1))


def bucket_of(microseconds: int) -> int:
    """0 to BUCKETS - 1; negative spans are none."""
    microseconds = min(max(microseconds, 0), LONGEST_US)
    shift = max(0, microseconds.bit_length() - HALF - 1)
    return (shift << HALF) + (microseconds >> shift)


def middle_of(bucket: int) -> float:
    """Microseconds."""
    shift = max(0, (bucket >> HALF) - 1)
    lowest = (bucket - (shift << HALF)) << shift
    return lowest + ((1 << shift) - 1) / 2


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The microseconds that this share (0 to 1) of all does not exceed, by nearest rank; None where there are none.

    counts: bucket → how many.
    """
    rank = max(1, ceil(share * sum(counts.values())))
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return middle_of(bucket)
    return None
