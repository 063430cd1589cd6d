"""The admission gate: one atomic script decides who buys, deducts the unit and appends the order to the queue.

Everything here speaks to Redis only, and raises GateUnavailable, which means *unknown*, after at most a second.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings

from inventory import batching, keys, link
from inventory.approval import saw
from inventory.batching import is_sold_out
from inventory.gate_types import Decision, GateState, Movement, Terms
from inventory.link import GateUnavailable
from inventory.script import script
from queueing import keys as queue_keys
from queueing import tracing
from queueing.message import new_id

__all__ = [
    "Decision",
    "GateState",
    "GateUnavailable",
    "Movement",
    "Terms",
    "aclose",
    "admit",
    "admit_sync",
    "apply_movements",
    "first_time",
    "is_sold_out",
    "open_gate",
    "read_state",
    "recall",
    "saw",
    "terms_arguments",
    "update_gate",
    "witness",
]

IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{8,100}")
MOST_UNITS = 100  # of one order
_NUMBERS = ("stock", "initial", "price_cents", "starts_at_ms", "ends_at_ms", "per_user_limit", "epoch", "seq")


async def admit(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str = "") -> Decision:
    """Decide on one purchase, together with whatever else of its sale arrives meanwhile (inventory/batching.py).

    client: the address it comes from, whose attempts are counted; '' is nobody's.

    Raises:
        ValueError: a malformed key or quantity; nothing was asked.
        GateUnavailable: no answer within a second; unknown, ask again with the same key.
    """
    _check(idempotency_key, quantity)
    if tracing.on:
        return await _in_a_span(sale_id, user_id, idempotency_key, quantity, client)
    return await batching.batcher(sale_id).ask(
        user_id=user_id,
        idempotency_key=idempotency_key,
        quantity=quantity,
        client=client,
        headers=_headers(tracing.current()),
    )


def admit_sync(*, sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str = "") -> Decision:
    """As `admit`, alone, for code without an event loop."""
    _check(idempotency_key, quantity)
    headers = _headers(tracing.current())
    member: list[str | int] = [user_id, idempotency_key, quantity, new_id(), new_id(), client, headers]
    with link.gate_errors():
        [reply], is_safe = script("admit").run_acknowledged(
            batching.key_names(sale_id), [*batching.head(sale_id), *member]
        )
    if not is_safe and reply[0] == b"admitted":
        raise GateUnavailable(f"fewer than {settings.REPLICAS_TO_ACK} replicas have it")
    return batching.decision_of(reply)


def recall(*, sale_id: int, user_id: int, idempotency_key: str) -> bytes | None:
    """What `admit` said yes to under this key: the OrderPlaced body; None if it never did. Asks for nothing."""
    with link.gate_errors():
        return cast(bytes | None, link.client().hget(keys.answers(sale_id), f"{user_id}:{idempotency_key}"))


def first_time(*, sale_id: int, name: str, for_s: int) -> bool:
    """Whether this name is said for the first time in this sale; it is remembered for so many seconds."""
    with link.gate_errors():
        return link.client().set(keys.once(sale_id, name), 1, nx=True, ex=for_s) is not None


async def aclose() -> None:
    """Close the running loop's connections: when a server shuts down, or a test's loop ends."""
    await batching.aclose()
    await link.aclose()


def open_gate(*, sale_id: int, terms: Terms, stock: int, epoch: int) -> bool:
    """Open a sale with `stock` units and make its admission log known to the consumers.

    A gate that exists keeps its stock and takes the terms only, however often this is called.
    Returns whether it was opened now.
    """
    with link.gate_errors():
        client = link.client()
        with client.pipeline(transaction=False) as pipe:
            # Data with a gate always says in which life of Redis it was looked at last.
            pipe.set(keys.APPROVED, client.info("server")["run_id"], nx=True)
            pipe.sadd(queue_keys.partitions(keys.TOPIC), str(sale_id))
            pipe.sadd(queue_keys.TOPICS, keys.TOPIC)
            pipe.execute()
        return bool(_set_terms(sale_id, terms, epoch=epoch, stock=stock) == b"opened")


def update_gate(*, sale_id: int, terms: Terms) -> bool:
    """Move window, price, limit, waiting room, pause and notice of a gate. False: there is none, and none was made.

    A gate that was given terms of a later revision keeps those.
    """
    with link.gate_errors():
        return bool(_set_terms(sale_id, terms, epoch=0, stock="") != b"missing")


def apply_movements(*, sale_id: int, movements: Sequence[Movement]) -> list[bool]:
    """Take returns and additions in, each once per ledger id, however often this is called.

    Returns, per movement, whether the gate holds it now. False: there is no gate, nothing was done.
    """
    arguments: list[str | int] = []
    for movement in movements:
        user = "" if movement.user_id is None else movement.user_id
        arguments += [movement.ledger_id, movement.quantity, user]
    with link.gate_errors():
        replies = script("give_back").run([keys.gate(sale_id), keys.buyers(sale_id), keys.applied(sale_id)], arguments)
    return [reply != b"missing" for reply in replies]


def witness(*, sale_id: int, epoch: int, seq: int) -> bool:
    """Somebody proves that this admission was made. A gate that has counted less far lost data.

    Returns whether it is so; then it is closed until it is rebuilt.
    """
    with link.gate_errors():
        return bool(script("close").run([keys.gate(sale_id)], [epoch, seq]))


def read_state(sale_id: int) -> GateState | None:
    """The gate as it is now; None: there is none."""
    with link.gate_errors(), link.client().pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.hgetall(keys.gate(sale_id))
        pipe.hmget(keys.counters(sale_id), "acked", "skipped")
        return state_from(*pipe.execute())


def state_from(clock: tuple[int, int], fields: dict[bytes, bytes], passed: Sequence[bytes | None]) -> GateState | None:
    """A gate from TIME, its hash, and what of its log was acknowledged and skipped; None: there is none."""
    if b"stock" not in fields:
        return None
    seconds, microseconds = clock
    return GateState(
        is_open=fields[b"open"] == b"1",
        now_ms=seconds * 1000 + microseconds // 1000,
        worked_off=sum(int(value or 0) for value in passed),
        room=fields.get(b"room", b"off").decode(),
        paused=fields.get(b"paused") == b"1",
        notice=fields.get(b"notice", b"").decode(),
        revision=int(fields.get(b"revision", 0)),
        **{name: int(fields[name.encode()]) for name in _NUMBERS},
    )


def terms_arguments(terms: Terms, *, epoch: int, stock: int | str) -> list[int | str]:
    """ARGV of open.lua."""
    return [
        terms.price_cents,
        terms.starts_at_ms,
        terms.ends_at_ms,
        terms.per_user_limit,
        settings.QUEUEING["TOPICS"][keys.TOPIC]["capacity"],
        epoch,
        stock,
        terms.turns_per_s,
        terms.turn_s,
        terms.room,
        ",".join(str(secrets.randbits(32)) for _ in range(6)),
        int(terms.paused),
        terms.notice,
        terms.revision,
    ]


def _headers(traceparent: str) -> str:
    """Of the order's message, as JSON: a traceparent needs no escaping."""
    return f'{{"{tracing.TRACEPARENT}":"{traceparent}"}}' if traceparent else ""


async def _in_a_span(sale_id: int, user_id: int, idempotency_key: str, quantity: int, client: str) -> Decision:
    """What the order's message carries is the header of this span."""
    from opentelemetry.trace import SpanKind

    from queueing import telemetry

    with telemetry.span("admission", tracing.current(), SpanKind.PRODUCER, **{"sluice.sale_id": sale_id}) as (
        span,
        own,
    ):
        decision = await batching.batcher(sale_id).ask(
            user_id=user_id,
            idempotency_key=idempotency_key,
            quantity=quantity,
            client=client,
            headers=_headers(own),
        )
        span.set_attribute("sluice.outcome", decision.outcome)
    return decision


def _check(idempotency_key: str, quantity: int) -> None:
    if not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise ValueError(f"idempotency key {idempotency_key!r} is not 8 to 100 of A-Z a-z 0-9 _ -")
    if not 1 <= quantity <= MOST_UNITS:
        raise ValueError(f"quantity {quantity} is not between 1 and {MOST_UNITS}")


def _set_terms(sale_id: int, terms: Terms, *, epoch: int, stock: int | str) -> Any:
    arguments = terms_arguments(terms, epoch=epoch, stock=stock)
    names = [keys.gate(sale_id), keys.meta(sale_id), keys.room(sale_id), keys.claims(sale_id)]
    return script("open").run(names, arguments)
