"""What operators do to the queue. Every action leaves a row in the admin's log: who, when, what, how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from queueing.conf import make_broker
from queueing.console.letters import Address
from queueing.console.plain import visible
from queueing.errors import BrokerUnavailable
from queueing.models import Queue

NAMED = 20  # ids written out in the log; the rest are counted


@dataclass(frozen=True, slots=True)
class Replayed:
    asked: int
    moved: int
    broken_off: str = ""  # why, when Redis went away on the way; one more may have moved than `moved` says

    def __str__(self) -> str:
        gone = self.asked - self.moved
        text = f"Replayed {self.moved} of {self.asked} dead letter{'' if self.asked == 1 else 's'}"
        if self.broken_off:
            return f"{text}, then Redis stopped answering: look again what is left"
        return f"{text}; {gone} had been replayed before" if gone else text


def replay_dead_letters(*, user: Any, addresses: Sequence[Address]) -> Replayed:
    """Move each back to the group that failed, with the same id, due now. What is not there any more changes nothing.

    user: who asks; must have queueing.operate, which the caller checks.
    """
    addresses = list(dict.fromkeys(addresses))
    # Written down before it begins: an action that dies half way must not be one that nobody did.
    entry = LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Queue),
        object_id=visible(addresses[0].id)[:200] if len(addresses) == 1 else None,
        object_repr=_about(addresses)[:200],
        action_flag=CHANGE,
        change_message=f"Replaying {len(addresses)}: {_named(addresses)}",
    )
    outcome = _replay(addresses)
    entry.change_message = f"{outcome}: {_named(addresses)}"
    entry.save(update_fields=["change_message"])
    return outcome


def _replay(addresses: Sequence[Address]) -> Replayed:
    moved = 0
    broker = make_broker()
    try:
        for group, topic, partition, message_id in addresses:
            moved += broker.replay(group, topic, partition, message_id)
    except BrokerUnavailable as error:
        return Replayed(len(addresses), moved, broken_off=str(error))
    finally:
        broker.redis.close()
    return Replayed(len(addresses), moved)


def _about(addresses: Sequence[Address]) -> str:
    groups = ", ".join(sorted({address.group for address in addresses}))
    return visible(f"{len(addresses)} dead letter{'' if len(addresses) == 1 else 's'} of {groups}")


def _named(addresses: Sequence[Address]) -> str:
    ids = ", ".join(address.id[:64] for address in addresses[:NAMED])
    more = len(addresses) - NAMED
    return visible(f"{ids} and {more} more" if more > 0 else ids)
