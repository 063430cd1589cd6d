"""The queue's numbers in Prometheus's words. docs/metrics.md lists the names; a test keeps the two alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from queueing.autoscaler.asking import Wanted, read_all
from queueing.console.selectors import read_queue
from queueing.console.snapshot import Snapshot, TopicCounts

_OF_A_TOPIC = ("group", "topic")
_COUNTERS = {
    "appended": ("sluice_queue_appended", "Messages appended for this group since the log began"),
    "acked": ("sluice_queue_acked", "Messages this group has acknowledged"),
    "retried": ("sluice_queue_retried", "Attempts of this group that failed and come again"),
    "buried": ("sluice_queue_buried", "Messages this group has given up and buried"),
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
_SCALE = {
    "desired": ("sluice_scale_desired_consumers", "Consumers the autoscaler or an operator wants"),
    "actual": ("sluice_scale_actual_consumers", "Consumers at work under an autoscaler"),
    "least": ("sluice_scale_least_consumers", "The fewest that a lag may ask for"),
    "most": ("sluice_scale_most_consumers", "The most that a lag may ask for"),
}


class QueueCollector:
    """One sample a scrape, shared with the operator's page, at most a second old."""

    def collect(self) -> Iterator[Metric]:
        reading = read_queue()
        yield GaugeMetricFamily("sluice_queue_known", "1 while Redis answers, else 0", float(not reading.stale))
        if reading.snapshot is not None and not reading.stale:
            yield from _of(reading.snapshot)
            with suppress(RedisError):
                yield from _of_the_autoscaler(read_all())


def _of(snapshot: Snapshot) -> Iterator[Metric]:
    rows: list[tuple[tuple[str, str], TopicCounts]] = [
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
    produced = CounterMetricFamily("sluice_queue_produced", "Messages appended to a topic", labels=["topic"])
    for topic, number in {labels[1]: counts.produced for labels, counts in rows}.items():
        produced.add_metric([topic], number)
    yield produced
    cap = GaugeMetricFamily("sluice_queue_cap_per_second", "Messages a second a group may begin", labels=_OF_A_TOPIC)
    for group in snapshot.groups:
        for topic, rate in group.caps.items():
            if rate is not None:
                cap.add_metric([group.group, topic], rate)
    yield cap
    yield from _of_consumers(snapshot)
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


def _of_consumers(snapshot: Snapshot) -> Iterator[Metric]:
    """One line a consumer, as long as it lives: its name is never used again."""
    labels = ["group", "consumer"]
    handled = CounterMetricFamily("sluice_queue_consumer_handled", "Messages it has finished with", labels=labels)
    in_flight = GaugeMetricFamily("sluice_queue_consumer_in_flight_messages", "Messages in its hands", labels=labels)
    memory = GaugeMetricFamily("sluice_queue_consumer_memory_bytes", "Resident memory of its process", labels=labels)
    beat = GaugeMetricFamily("sluice_queue_consumer_beat_age_seconds", "Time since its last beat", labels=labels)
    for group in snapshot.groups:
        for consumer in group.consumers:
            name = [group.group, consumer.name]
            in_flight.add_metric(name, consumer.in_flight)
            beat.add_metric(name, consumer.last_beat_ms / 1000)
            if consumer.about is not None:
                handled.add_metric(name, consumer.about.handled)
                memory.add_metric(name, consumer.about.memory_bytes)
    yield from (handled, in_flight, memory, beat)


def _of_the_autoscaler(wanted: Mapping[str, Wanted]) -> Iterator[Metric]:
    for field, (name, text) in _SCALE.items():
        gauge = GaugeMetricFamily(name, text, labels=["group"])
        for group, of_group in wanted.items():
            gauge.add_metric([group], getattr(of_group, field))
        yield gauge
    held = GaugeMetricFamily("sluice_scale_held", "1 while an operator holds the number, else 0", labels=["group"])
    for group, of_group in wanted.items():
        held.add_metric([group], float(of_group.held_until is not None))
    yield held
