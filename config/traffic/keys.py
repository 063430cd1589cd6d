"""The Redis keys of the traffic's counts. They share a hash tag, so that one script reaches them together.

traffic:{traffic}:minute:<minute since 1970>   hash   "<second>:<process>" → what that process counted in that
                                                      second (second.py); "<second>:<process>:gateway" → what nginx
                                                      counted since it was asked before: "requests answered fetched";
                                                      expires after KEPT_S
traffic:{traffic}:totals                       hash   everything ever: a count's name → its sum
traffic:{traffic}:gateway                      hash   "<gateway>:at" → when it was asked last (ms of Redis's clock),
                                                      "<gateway>:requests", ":answered", ":fetched" → its counters
                                                      then
"""

from __future__ import annotations

KEPT_S = 3_600

TOTALS = "traffic:{traffic}:totals"
GATEWAY = "traffic:{traffic}:gateway"


def minute(second: int) -> str:
    """Of the minute this second lies in."""
    return f"traffic:{{traffic}}:minute:{second // 60}"
