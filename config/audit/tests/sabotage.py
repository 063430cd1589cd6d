"""Ways to break what must always be true, each with the rules that must notice, and what they must name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.audit.tests.scene import Scene

Sabotage = Callable[[Scene], str]


def breaks(*rules: int, into: list[Any]) -> Callable[[Sabotage], Sabotage]:
    """Register a sabotage. It returns what one of the offenders must mention."""

    def register(sabotage: Sabotage) -> Sabotage:
        into.append(pytest.param(sabotage, set(rules), id=sabotage.__name__))
        return sabotage

    return register
