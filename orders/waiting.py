"""Where a shopper stands in a sale's line, as a page says it that was made a moment ago.

With JavaScript the page computes it anew from the public JSON of the sale (orders/static/orders/line.js).
"""

from __future__ import annotations

from dataclasses import dataclass

from orders import admission


@dataclass(frozen=True, slots=True)
class Waiting:
    """mode: on | closed. word: see inventory/room.py. number: -1 for none. ahead: turns before this shopper's; None
    before the start and for who has no number. eta_s: at the rate that is set."""

    mode: str
    word: str
    number: int
    ahead: int | None
    eta_s: int
    joined: int
    turn_s: int

    @property
    def may_buy(self) -> bool:
        return self.word == "claimed" or (self.word == "joined" and self.ahead == 0 and self.mode == "on")


def waiting_of(*, sale_id: int, user_id: int | None) -> Waiting | None:
    """None: no waiting room is on, or nobody can tell."""
    found = admission.line_of(sale_id=sale_id, user_id=user_id)
    if found is None:
        return None
    line, place = found
    ahead = None
    if place is not None and place.word == "joined" and line.seed:
        ahead = max(0, admission.place_of(place.number, line) + 1 - line.serving)
    return Waiting(
        mode=line.mode,
        word=place.word if place else "not_in_line",
        number=place.number if place else -1,
        ahead=ahead,
        eta_s=-(-(ahead or 0) // line.turns_per_s),
        joined=line.joined,
        turn_s=line.turn_s,
    )
