"""Handle each message once per group: its inbox row commits together with what the handlers did."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence

from django.db import connection

from queueing.crashpoint import crashpoint
from queueing.db import array_of, must_commit, one_transaction
from queueing.message import Delivery
from queueing.middleware import Middleware, Step

# Sorted, so that two consumers with overlapping batches wait for each other in one direction and never in a circle.
_INSERT = """
    INSERT INTO queueing_inboxentry ("group", message_id, handled_at)
    SELECT %s, id, now() FROM unnest(%s::uuid[]) AS id ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING message_id::text
"""

_CANONICAL = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch

# The inbox of a rebuildable group is called "<group>#<generation>" once it was told to process again.
_INSERT_REBUILDABLE = _INSERT.replace(
    "SELECT %s, id",
    """SELECT coalesce((SELECT g."group" || '#' || number FROM queueing_inboxgeneration g WHERE g."group" = %s), %s),
       id""",
)


def inbox(
    group: str, *, rebuildable: bool = False, fence: Callable[[Sequence[Delivery]], None] | None = None
) -> Middleware:
    """A middleware that opens the transaction and passes on only what this group has not handled yet.

    rebuildable: not yet in this generation of its inbox (see `next_generation`).
    fence: asked first thing in the transaction; it raises when its partition has a later holder (ordered mode).
    """

    def handle_once(batch: Sequence[Delivery], following: Step) -> None:
        with one_transaction():
            if fence:
                fence(batch)
            new = _note(group, batch, rebuildable=rebuildable)
            if new:
                following(new)
                must_commit()
            crashpoint("consume.handled")

    return handle_once


def next_generation(group: str) -> int:
    """An empty inbox for this group, from its next batch on. Returns its number; the first inbox has none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO queueing_inboxgeneration ("group", number) VALUES (%s, 1)
               ON CONFLICT ("group") DO UPDATE SET number = queueing_inboxgeneration.number + 1 RETURNING number""",
            [group],
        )
        return int(cursor.fetchone()[0])


def _note(group: str, batch: Sequence[Delivery], *, rebuildable: bool) -> list[Delivery]:
    """Write the inbox rows; return the deliveries whose row is new, one per message id."""
    first: dict[str, Delivery] = {}
    for delivery in batch:
        first.setdefault(_as_uuid(delivery.message.id), delivery)
    with connection.cursor() as cursor:
        if rebuildable:
            cursor.execute(_INSERT_REBUILDABLE, [group, group, array_of(first)])
        else:
            cursor.execute(_INSERT, [group, array_of(first)])
        new = {row[0] for row in cursor.fetchall()}
    return [delivery for id_, delivery in first.items() if id_ in new]


def _as_uuid(message_id: str) -> str:
    """As PostgreSQL will say it again: an id in any other form would look as if it had been handled before.

    Raises:
        ValueError: this is no UUID; another program produced it.
    """
    return message_id if _CANONICAL(message_id) else str(uuid.UUID(message_id))
