"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping

UNKNOWN = "—"


def count(number: int | None) -> str:
    """1234567 → 1,234,567"""
    return UNKNOWN if number is None else f"{number:,}"


def per_second(rate: float | None) -> str:
    """0.5 → 0.5/s; 1234.4 → 1,234/s"""
    if rate is None:
        return UNKNOWN
    return f"{rate:,.0f}/s" if rate >= 10 or rate == int(rate) else f"{rate:.1f}/s"


def size(number: int) -> str:
    """50_000_000 → 50 MB"""
    return f"{number / 1e6:,.0f} MB" if number >= 1e6 else f"{number / 1e3:,.0f} kB"


def caps(rates: Mapping[str, float | None]) -> str:
    """{"": 1000} → 1,000/s; {"orders.placed": 1000, "": None} → orders.placed 1,000/s, others none"""
    if not rates:
        return "none"
    said = {topic: "none" if rate is None else per_second(rate) for topic, rate in rates.items()}
    whole = said.pop("", None)
    topics = [f"{topic} {rate}" for topic, rate in sorted(said.items())]
    return ", ".join([*topics, f"others {whole}"] if topics and whole else topics or [whole or "none"])


def span(seconds: float | None) -> str:
    """0.42 → 0.4 s; 75 → 1 min 15 s; 7300 → 2 h 1 min; 200000 → 2 d 7 h"""
    if seconds is None:
        return UNKNOWN
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds else "0 s"
    whole = round(seconds)
    for size, name, smaller, smaller_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size:,} {name} {whole % size // smaller} {smaller_name}"
    return f"{whole} s"


def span_ms(milliseconds: float | None) -> str:
    return span(None if milliseconds is None else milliseconds / 1000)
