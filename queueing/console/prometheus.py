"""The queue's numbers in Prometheus's words. docs/metrics.md lists the names; a test keeps the two alike."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from queueing.console.selectors import read_queue
from queueing.console.snapshot import Counts, Snapshot

_OF_A_TOPIC = ("group", "topic")
_COUNTERS = {
    "appended": ("sluice_queue_appended", "Messages appended for this group since the log began"),
    "acked": ("sluice_queue_acked", "Messages this group has acknowledged"),
    "purged": ("sluice_queue_purged", "Dead letters an operator had forgotten"),
}
_GAUGES = {
    "lag": ("sluice_queue_lag_messages", "Messages nobody of this group has acknowledged"),
    "in_flight": ("sluice_queue_in_flight_messages", "Messages in consumers' hands"),
    "delayed": ("sluice_queue_delayed_messages", "Messages waiting for their next attempt"),
    "later": ("sluice_queue_later_messages", "Messages published for later that are not due yet"),
    "parked": ("sluice_queue_parked_messages", "Messages waiting behind one of their key that failed"),
    "dead": ("sluice_queue_dead_messages", "Dead letters waiting for an operator"),
    "quarantined": ("sluice_queue_quarantined_messages", "Dead letters replayed as often as they may be"),
}


class QueueCollector:
    """One sample a scrape, shared with the operator's page, at most a second old."""

    def collect(self) -> Iterator[Metric]:
        reading = read_queue()
        yield GaugeMetricFamily("sluice_queue_known", "1 while Redis answers, else 0", float(not reading.stale))
        if reading.snapshot is not None and not reading.stale:
            yield from _of(reading.snapshot)


def _of(snapshot: Snapshot) -> Iterator[Metric]:
    rows: list[tuple[tuple[str, str], Counts]] = [
        ((group.group, topic.topic), topic) for group in snapshot.groups for topic in group.topics
    ]
    for field, (name, text) in _COUNTERS.items():
        counter = CounterMetricFamily(name, text, labels=_OF_A_TOPIC)
        for labels, counts in rows:
            counter.add_metric(labels, getattr(counts, field))
        yield counter
    for field, (name, text) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=_OF_A_TOPIC)
        for labels, counts in rows:
            gauge.add_metric(labels, getattr(counts, field))
        yield gauge
    oldest = GaugeMetricFamily(
        "sluice_queue_oldest_age_seconds", "Age of the oldest message nobody acknowledged", labels=_OF_A_TOPIC
    )
    for labels, counts in rows:
        oldest.add_metric(labels, counts.oldest_age_ms / 1000)
    yield oldest
    consumers = GaugeMetricFamily("sluice_queue_consumers", "Consumers that beat within their lease", labels=["group"])
    for group in snapshot.groups:
        consumers.add_metric([group.group], group.alive)
    yield consumers
    paused = GaugeMetricFamily("sluice_queue_paused", "1 while the group is paused, else 0", labels=["group"])
    for group in snapshot.groups:
        paused.add_metric([group.group], float(group.paused))
    yield paused
    if snapshot.outbox is not None:
        yield GaugeMetricFamily("sluice_outbox_rows", "Events committed and not told yet", snapshot.outbox.waiting)
        yield GaugeMetricFamily(
            "sluice_outbox_oldest_age_seconds", "Age of the oldest of them", snapshot.outbox.oldest_age_ms / 1000
        )
