"""The traffic's totals in Prometheus's words: of all web processes together, since Redis was emptied last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from redis.exceptions import RedisError

from config.traffic.reading import read_totals
from config.traffic.second import ANSWER, BOUNDS
from orders.tallies import OUTCOMES
from queueing.console.link import client

_COUNTERS = {
    "gateway_requests": ("sluice_gateway_requests", "Requests nginx took, those for its own cache included"),
    "gateway_answered": (
        "sluice_gateway_answered",
        "Requests nginx answered from its cache or disk, or fetched first",
    ),
    "gateway_fetched": ("sluice_gateway_fetched", "Requests nginx made to fill its cache"),
    "passed": ("sluice_web_requests", "Requests that reached a web process"),
    "shed": ("sluice_web_shed", "Requests a web process turned away, where no nginx does"),
}


class TrafficCollector:
    def collect(self) -> Iterator[Metric]:
        try:
            totals = read_totals(client())
        except (RedisError, OSError):
            return
        for name, (told_as, text) in _COUNTERS.items():
            yield CounterMetricFamily(told_as, text, value=max(0, totals.get(name, 0)))
        answers = CounterMetricFamily("sluice_order_answers", "Answers to purchases", labels=["outcome"])
        for outcome in OUTCOMES:
            answers.add_metric([outcome], totals.get(ANSWER + outcome, 0))
        yield answers
        took = HistogramMetricFamily(
            "sluice_order_answer_seconds", "How long a web process took for an answer to a purchase", labels=["answers"]
        )
        for kind, label in (("answers", "all"), ("admitted", "admitted")):
            took.add_metric([label], _buckets(kind, totals), totals.get(f"{kind}:sum_us", 0) / 1e6)
        yield took


def _buckets(kind: str, totals: Mapping[str, int]) -> list[tuple[str, float]]:
    """Bound → how many were at most that, as Prometheus adds them up."""
    found, seen = [], 0
    for bound in (*map(str, BOUNDS), "+Inf"):
        seen += totals.get(f"{kind}:le:{bound}", 0)
        found.append((bound, float(seen)))
    return found
