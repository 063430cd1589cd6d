"""Which faults act, in Prometheus's words: an alert that fires meanwhile was meant to."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric

from config.room.faults_seen import seen


class FaultsCollector:
    """A line a fault that acts; none where there is no fault room, and while Redis does not answer."""

    def collect(self) -> Iterator[Metric]:
        if not settings.FAULT_ROOM:
            return
        left = GaugeMetricFamily(
            "sluice_fault_left_seconds", "Time until a fault of the fault room ends", labels=["fault", "group"]
        )
        for acting in seen().acting or []:
            left.add_metric([acting.kind, acting.group], acting.left_s)
        yield left
