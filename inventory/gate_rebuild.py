"""A gate that lost its data: looked at, closed and replaced. The connection is the caller's, as the pool that admits
refuses to open one to a Redis that nobody has compared with PostgreSQL yet."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from inventory import keys
from inventory.gate import terms_arguments
from inventory.gate_types import Terms
from inventory.script import script
from queueing import keys as queue_keys

CHUNK = 1_000
DRAFT_LIVES_S = 3_600  # what a rebuilder that died has left


@dataclass(frozen=True, slots=True)
class Seen:
    """A gate as it stands. applied: how many movements it has taken in."""

    epoch: int
    seq: int
    is_open: bool
    applied: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a rebuilt gate holds. orders, units: ever admitted. returned: units that came back.

    answers: "<user id>:<idempotency key>" and the body that was answered.
    """

    stock: int
    initial: int
    orders: int
    units: int
    returned: int
    buyers: Mapping[int, int]
    answers: Iterable[tuple[str, bytes]]
    applied: Collection[int]


def look(client: Any, sale_ids: Collection[int]) -> dict[int, Seen]:
    """The gates that exist, each at one instant."""
    with client.pipeline(transaction=False) as pipe:
        for sale_id in sale_ids:
            pipe.hmget(keys.gate(sale_id), "stock", "epoch", "seq", "open")
            pipe.scard(keys.applied(sale_id))
        replies = pipe.execute()
    return {
        sale_id: Seen(int(epoch), int(seq), is_open == b"1", applied)
        for sale_id, (stock, epoch, seq, is_open), applied in zip(sale_ids, replies[::2], replies[1::2], strict=True)
        if stock is not None
    }


def close(client: Any, sale_id: int, *, before_epoch: int) -> bool:
    """Admit nobody any more. False: there is no gate of an earlier epoch, so nothing was done."""
    return bool(client.eval(script("close").text, 1, keys.gate(sale_id), before_epoch, 0))


def movements_in(client: Any, sale_id: int) -> set[int]:
    return {int(ledger_id) for ledger_id in client.smembers(keys.applied(sale_id))}


def reopen(client: Any, *, sale_id: int, epoch: int, terms: Terms, contents: Contents) -> bool:
    """Open the gate with these contents in the place of whatever is there.

    It is written beside the old one and put in its place by one script, so a rebuilder that dies leaves nothing half
    done, and one that comes late, when a gate of this epoch is there, changes nothing: False.
    """
    real = [keys.buyers(sale_id), keys.answers(sale_id), keys.applied(sale_id)]
    nonce = f"{epoch}-{secrets.token_hex(6)}"
    drafts = [keys.draft(key, nonce) for key in real]
    _write(client, "hset", drafts[0], (word for pair in contents.buyers.items() for word in pair))
    _write(client, "hset", drafts[1], (word for pair in contents.answers for word in pair))
    _write(client, "sadd", drafts[2], contents.applied)
    with client.pipeline(transaction=False) as pipe:  # the group that reads the log must find its partition again
        pipe.sadd(queue_keys.partitions(keys.TOPIC), str(sale_id))
        pipe.sadd(queue_keys.TOPICS, keys.TOPIC)
        pipe.execute()
    opened = client.eval(
        script("reopen").text,
        8,
        *(keys.gate(sale_id), *real, keys.meta(sale_id), *drafts),
        *terms_arguments(terms, epoch=epoch, stock=contents.stock),
        *(contents.initial, contents.units, contents.orders, contents.returned),
    )
    return bool(opened)


def _write(client: Any, command: str, key: str, words: Iterable[Any]) -> None:
    rest = iter(words)
    for chunk in _chunks(rest):
        client.execute_command(command, key, *chunk)
        client.expire(key, DRAFT_LIVES_S)


def _chunks(words: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(words, 2 * CHUNK)):
        yield chunk
