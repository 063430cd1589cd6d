"""Tracking numbers that survive a telephone: SL-7K3M-9QXT-2HWF-D.

31 symbols, none of which looks like another (no 0, 1, I, L, O). The last is a check symbol: a sum weighted by place,
modulo 31, a prime, so that one wrong symbol and any two exchanged ones are always noticed.
"""

from __future__ import annotations

import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
PREFIX = "SL"
LENGTH = 12  # 31**12 is 59 bits: a million parcels share one with a chance of one in a million


def new_tracking_number() -> str:
    """Drawn at random: a neighbour's number can't be guessed from one's own."""
    symbols = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    groups = [symbols[at : at + 4] for at in range(0, LENGTH, 4)]
    return "-".join([PREFIX, *groups, _check(symbols)])


def is_tracking_number(text: str) -> bool:
    """Whether this is well-formed, its check symbol included; in any case, with or without hyphens and spaces."""
    symbols = text.upper().replace("-", "").replace(" ", "").removeprefix(PREFIX)
    if len(symbols) != LENGTH + 1 or not set(symbols) <= set(ALPHABET):
        return False
    return _check(symbols[:-1]) == symbols[-1]


def _check(symbols: str) -> str:
    return ALPHABET[sum(place * ALPHABET.index(symbol) for place, symbol in enumerate(symbols, 1)) % 31]
