"""A rule is a number and a name of DESIGN §5, with checks: SQL statements that return offenders, one text each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One way to break a rule.

    sql: returns one row with one text column per offender; its tables are those of schema.py.
    at_rest: only judged when nothing is on its way any more; a running system would give false alarms.
    """

    sql: str
    at_rest: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """counted: SQL for how many facts were looked at, so that "ok" over nothing is seen as what it is."""

    number: int
    name: str
    counted: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule came to. `offenders` holds the first few, `broken` counts all of them."""

    rule: Rule
    checked: int
    broken: int
    offenders: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.broken == 0
