"""A handler that waits 20 ms for a batch of ten, as one does that asks somebody else: 500 messages a second alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence

from benchmarks.parcel import Parcel
from queueing.autoscaler.limits import Limits
from queueing.subscription import Subscription

GROUP = "scaled"
SCALING = "BENCH_SCALING"  # the limits it is run with, as JSON
BATCH, TAKES_S = 10, 0.02


def wait(parcels: Sequence[Parcel]) -> None:
    time.sleep(TAKES_S)


SUBSCRIPTION = Subscription(
    GROUP, {Parcel: wait}, batch_size=BATCH, scaling=Limits(**json.loads(os.environ.get(SCALING, "{}")))
)
