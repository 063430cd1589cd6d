"""`manage.py check` finds a wrong QUEUEING setting before anything runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from queueing.conf import subscriptions, topics


@register("queueing")  # the tag that consume, relay and queue ask for before they begin
def check_queueing(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Topics parse, every subscription's topics are declared, and every gate group exists."""
    try:
        declared, groups = topics(), subscriptions()
    except (ImportError, KeyError, TypeError, ValueError) as error:
        return [Error(f"settings.QUEUEING does not make sense: {error!r}", id="queueing.E001")]
    problems: list[CheckMessage] = []
    for group, subscription in groups.items():
        problems += [
            Error(
                f"group {group!r} subscribes to {topic!r}, which QUEUEING['TOPICS'] does not declare",
                id="queueing.E002",
            )
            for topic in subscription.topics
            if topic not in declared
        ]
    problems += [
        Error(
            f"topic {topic.name!r} is gated by {topic.gate_group!r}, which nobody subscribes as",
            id="queueing.E003",
        )
        for topic in declared.values()
        if topic.gate_group and topic.gate_group not in groups
    ]
    return problems
