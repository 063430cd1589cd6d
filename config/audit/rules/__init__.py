"""The rules of DESIGN §5."""

from __future__ import annotations

from config.audit.rule import Rule
from config.audit.rules import (
    accounting,
    conservation,
    effects,
    exactly_once,
    idempotency,
    limit,
    liveness,
    money,
    oversell,
    states,
    store,
    window,
)

RULES: tuple[Rule, ...] = (
    oversell.RULE,
    conservation.RULE,
    exactly_once.RULE,
    limit.RULE,
    idempotency.RULE,
    accounting.RULE,
    effects.RULE,
    states.RULE,
    money.RULE,
    store.RULE,
    window.RULE,
    liveness.RULE,
)
