"""When something is wrong. deploy/prometheus/alerts.yml says the same to Prometheus; a test compares the two."""

from __future__ import annotations

from typing import NamedTuple

from queueing.autoscaler.limits import UP
from queueing.console.levels import LIMITS


class Rule(NamedTuple):
    """limit: the fact holds from here on. for_s: so long without a break, before anybody is told."""

    name: str
    limit: float
    for_s: float


LAG_RISING = Rule("LagRising", limit=LIMITS["lag"].amber, for_s=120)  # and more than a minute ago
OLDEST_AGE = Rule("OldestAge", limit=LIMITS["oldest_age_ms"].red / 1000, for_s=30)  # seconds
DEAD_LETTERS = Rule("DeadLetters", limit=LIMITS["dead"].amber, for_s=0)
SCALER_AT_MAXIMUM = Rule("ScalerAtMaximum", limit=UP, for_s=60)  # messages of lag, with all consumers it may have
CONSERVATION_BROKEN = Rule("ConservationBroken", limit=1, for_s=30)  # units

OF_THE_QUEUE = (LAG_RISING, OLDEST_AGE, DEAD_LETTERS, SCALER_AT_MAXIMUM)
RULES = (*OF_THE_QUEUE, CONSERVATION_BROKEN)
RISING_OVER_S = 60
