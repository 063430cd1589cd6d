"""From evidence to a verdict, and the verdict in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from config.audit import counts
from config.audit.evidence import Evidence
from config.audit.rule import Check, Finding, Rule
from config.audit.rules import RULES

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """unresolved: the first few admissions without a row; on_its_way: what had not come to rest.

    declared: every order that went with Redis's data in a run that declared it.
    """

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    on_its_way: Mapping[str, int]
    unresolved: tuple[str, ...]
    declared: tuple[str, ...]
    has_history: bool

    @property
    def broken(self) -> int:
        return sum(not finding.ok for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "rules": [
                {
                    "number": finding.rule.number,
                    "name": finding.rule.name,
                    "ok": finding.ok,
                    "checked": finding.checked,
                    "offending": finding.broken,
                    "offenders": list(finding.offenders),
                }
                for finding in self.findings
            ],
            "counts": dict(self.counts),
            "at_rest": not self.on_its_way,
            "on_its_way": dict(self.on_its_way),
            "unresolved": list(self.unresolved),
            "declared_lost": list(self.declared),
            "broken": self.broken,
        }

    def as_text(self) -> Iterator[str]:
        for finding in self.findings:
            word = "ok" if finding.ok else "BROKEN"
            yield f"{finding.rule.number:>3}  {word:<6}  {finding.rule.name}  ({finding.checked:,} checked)"
            yield from (f"             {offender}" for offender in finding.offenders)
            if finding.broken > len(finding.offenders):
                yield f"             and {finding.broken - len(finding.offenders):,} more"
        yield ""
        yield "  ".join(f"{name} {number:,}" for name, number in self.counts.items())
        if not self.has_history:
            yield "No history was given, so what buyers were told was not compared."
        if self.on_its_way:
            yield "Not at rest, so what must be true only then was not judged. On its way:"
            yield from (f"  {what}: {count:,}" for what, count in self.on_its_way.items())
        for line in self.unresolved:
            yield f"  unresolved: {line}"
        for line in self.declared:
            yield f"  declared lost: {line}"
        yield f"{self.broken} of {len(self.findings)} rules broken"


def judge(evidence: Evidence, *, has_history: bool) -> Verdict:
    session = evidence.session
    return Verdict(
        findings=tuple(_find(session, rule, at_rest=evidence.at_rest) for rule in RULES),
        counts=counts.count(session),
        on_its_way=evidence.on_its_way,
        unresolved=_unresolved(session),
        declared=_declared(session),
        has_history=has_history,
    )


def _find(session: psycopg.Connection[Any], rule: Rule, *, at_rest: bool) -> Finding:
    offenders: list[str] = []
    broken = 0
    for check in rule.checks:
        if check.at_rest and not at_rest:
            continue
        first, number = _offenders(session, check)
        offenders += first[: SHOWN - len(offenders)]
        broken += number
    row = session.execute(rule.counted).fetchone()  # the rule's own constant
    return Finding(rule, row[0] if row else 0, broken, tuple(offenders))


def _offenders(session: psycopg.Connection[Any], check: Check) -> tuple[list[str], int]:
    """The first few and how many. `%` is format()'s, so no parameters are passed."""
    statement = sql.SQL("SELECT offender, count(*) OVER () FROM ({}) AS q (offender) LIMIT {}").format(
        sql.SQL(check.sql),  # the rule's own constant
        sql.Literal(SHOWN),
    )
    rows = session.execute(statement).fetchall()
    return [row[0] for row in rows], rows[0][1] if rows else 0


def _unresolved(session: psycopg.Connection[Any]) -> tuple[str, ...]:
    rows = session.execute(f"""
        SELECT format('order %s of user %s in sale %s: %s', order_id, user_id, sale_id, state) FROM admitted a
        WHERE state NOT IN ('acked', 'answered', 'purged')
          AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = a.order_id)
        ORDER BY placed_at_ms LIMIT {SHOWN}""").fetchall()  # noqa: S608  (an int)
    return tuple(row[0] for row in rows)


def _declared(session: psycopg.Connection[Any]) -> tuple[str, ...]:
    rows = session.execute("""
        SELECT format('order %s of user %s in sale %s, epoch %s', order_id, user_id, sale_id, epoch) FROM declared
        ORDER BY order_id""").fetchall()
    return tuple(row[0] for row in rows)
