"""What a choice of dead letters comes to before anybody acts on it: how many, why they failed, and the first few."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from queueing.console.letters import DeadLetter
from queueing.console.plain import visible
from queueing.dead import Buried

FIRST = 5
REASON = 120  # characters of a reason that tell one kind from another
MOST_KINDS = 200  # counted apart; a reason that is new after these is one of "other reasons"
SHOWN_KINDS = 10
OTHER = "other reasons"
_NAMES_ONE = re.compile(r"\S*\d\S*")  # ids, amounts and times: what differs between letters that failed alike


@dataclass(slots=True)
class Found:
    """Counted a letter at a time; none but the first few is kept."""

    matched: int = 0
    quarantined: int = 0
    first: list[DeadLetter] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, letters: Iterable[Buried]) -> Found:
        found = cls()
        for buried in letters:
            found.add(buried)
        return found

    def add(self, buried: Buried) -> None:
        self.matched += 1
        self.quarantined += buried.letter.quarantined
        kind = kind_of(buried.letter.reason)
        self.kinds[kind if kind in self.kinds or len(self.kinds) < MOST_KINDS else OTHER] += 1
        if len(self.first) < FIRST:
            self.first.append(DeadLetter.of(buried))

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """The commonest kinds with their numbers; what they leave is the last."""
        common = [(kind, number) for kind, number in self.kinds.most_common() if kind != OTHER][:SHOWN_KINDS]
        rest = self.matched - sum(number for _, number in common)
        return [*common, (OTHER, rest)] if rest else common


def kind_of(reason: str) -> str:
    """OvenCold: 12° in oven o-7, again → OvenCold: … in oven … again"""
    return visible(_NAMES_ONE.sub("…", " ".join(reason[: 10 * REASON].split()))[:REASON])
