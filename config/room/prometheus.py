"""The books of the day's sales in Prometheus's words: the same look as the operator's page takes."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import Error as DatabaseError
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from config.room.books import Books, look
from inventory.gate import GateUnavailable
from shop.selectors import sales_of_the_day

PLACES = ("given", "remaining", "in_flight", "sold", "coming_back", "coming_in")


class BooksCollector:
    """A line a sale that has begun and did not end more than a day ago, at most fifty; none while nobody can tell."""

    def collect(self) -> Iterator[Metric]:
        try:
            looks = look(sales_of_the_day(now=timezone.now()))
        except (GateUnavailable, DatabaseError):
            return
        books = {str(sale_id): found.books for sale_id, found in looks.items() if found.books is not None}
        yield from _of(books)


def _of(books: dict[str, Books]) -> Iterator[Metric]:
    units = GaugeMetricFamily("sluice_sale_units", "Units of a sale, by place", labels=["sale", "place"])
    difference = GaugeMetricFamily(
        "sluice_sale_conservation_difference_units", "Units that are in no place, or in two", labels=["sale"]
    )
    for sale_id, found in books.items():
        difference.add_metric([sale_id], found.difference)
        for place in PLACES:
            units.add_metric([sale_id, place], getattr(found, place))
    yield units
    yield difference
