"""Purchases of one sale that arrive while the last script is in flight go into the next one together.

One batcher a sale and event loop, one connection a batcher, one script in flight on it. Whoever comes alone is sent at
once; a crowd shares round trips, the script's preamble and the wait for the disk. The script answers each member by
itself, so one that is refused hurts no other.

A script that fails, a connection that breaks and an answer that doesn't come in time leave every member *unknown*:
GateUnavailable, ask again with the same key. The connection is thrown away, because its next reply would belong to
somebody else.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from django.conf import settings
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError

from inventory import keys, link
from inventory.gate_types import Decision
from inventory.link import ANSWER_WITHIN_S, GateUnavailable
from inventory.script import script
from queueing.backpressure import retry_after_s
from queueing.message import new_id

ORDER_PLACED, ORDER_PLACED_VERSION = "orders.OrderPlaced", 1
MOST_MEMBERS = 128  # of one script: Redis serves nobody else for the 2 ms that these take
MOST_WAITING = 4_096  # of one sale in one process; more would not be answered within a second
SOLD_OUT_FOR_S = 0.5  # what Redis said is believed for this long, and stock that comes back is seen within a second
REST_AFTER_S = 30.0  # a sale that nobody asks about gives its connection back

logger = logging.getLogger(__name__)
_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Batcher]] = WeakKeyDictionary()


class _Here(threading.local):
    """What this thread knows of the loop it ran last: the loop and its batchers."""

    known: tuple[Any, dict[int, Batcher] | None] = None, None


_here = _Here()


class Member(msgspec.Struct, gc=False):  # made by the thousand, and gone with its batch
    answer: asyncio.Future[Decision]
    asked_at: float  # the event loop's clock
    user_id: int
    idempotency_key: str
    quantity: int
    client: str
    headers: str  # of its message, as JSON; '' for none


class Batcher:
    """The purchases of one sale in one event loop."""

    def __init__(self, sale_id: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._names = key_names(sale_id)
        self._head = head(sale_id)
        self._waiting: deque[Member] = deque()
        self._flying: asyncio.Task[None] | None = None
        self._connection: AbstractConnection | None = None
        self._sold_out_until = self.asked_at = 0.0

    def is_sold_out(self) -> bool:
        """What the last answer said of the stock, while it is fresh.

        Answer enough for a key that was never sent before; one that was may have been admitted.
        """
        return self._loop.time() < self._sold_out_until

    def ask(
        self, *, user_id: int, idempotency_key: str, quantity: int, client: str = "", headers: str = ""
    ) -> asyncio.Future[Decision]:
        """The decision, within ANSWER_WITHIN_S; or GateUnavailable."""
        now = self.asked_at = self._loop.time()
        answer: asyncio.Future[Decision] = self._loop.create_future()
        if len(self._waiting) >= MOST_WAITING:
            answer.set_exception(GateUnavailable(f"{MOST_WAITING} purchases wait already"))
        else:
            self._waiting.append(Member(answer, now, user_id, idempotency_key, quantity, client, headers))
            if self._flying is None:
                self._flying = self._loop.create_task(self._fly())
        return answer

    async def _fly(self) -> None:
        """Send who waits, again and again, until nobody does."""
        try:
            while self._waiting:
                members = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_MEMBERS))]
                try:
                    await self._decide(members)
                except Exception as error:
                    self._drop_connection()
                    if not isinstance(error, GateUnavailable):
                        logger.exception("a batch of purchases broke")
                    for member in members:
                        if not member.answer.done():
                            member.answer.set_exception(GateUnavailable(str(error)))
        finally:
            self._flying = None

    async def _decide(self, members: Sequence[Member]) -> None:
        """
        Raises:
            GateUnavailable: nobody knows what became of these.
        """
        arguments = list(self._head)
        for one in members:
            arguments += (
                one.user_id, one.idempotency_key, one.quantity, new_id(), new_id(), one.client, one.headers,
            )  # fmt: skip
        sent_at = self._loop.time()
        # Whoever waited behind a slow script has waited already: a second is for all of it.
        async with link.bounded(until=members[0].asked_at + ANSWER_WITHIN_S):
            replies, is_safe = await self._run(arguments)
            if not isinstance(replies, list) or len(replies) != len(members):
                raise GateUnavailable(f"{len(members)} asked, and the answer is {replies!r:.80}")
            if not is_safe and any(reply[0] == b"admitted" for reply in replies):
                raise GateUnavailable(f"fewer than {settings.REPLICAS_TO_ACK} replicas have it")
        for member, reply in zip(members, replies, strict=True):
            decision = decision_of(reply)
            if decision.outcome == "sold_out" and not decision.number:
                self._sold_out_until = sent_at + SOLD_OUT_FOR_S
            if not member.answer.done():  # its shopper may have gone away
                member.answer.set_result(decision)

    async def _run(self, arguments: list[Any]) -> tuple[Any, bool]:
        """One EVALSHA on the connection of this sale; the script's text where Redis doesn't know it.

        Also whether enough replicas have what it wrote: one WAIT serves all who go together.
        """
        if self._connection is not None and link.was_closed(self._connection):
            self._drop_connection()  # it ended between two questions; nothing was asked on it
        if self._connection is None:
            self._connection = await link.dedicated_connection()
        admit, names = script("admit"), (len(self._names), *self._names)
        try:
            return await link.call_acknowledged(self._connection, "EVALSHA", admit.sha, *names, *arguments)
        except NoScriptError:
            return await link.call_acknowledged(self._connection, "EVAL", admit.text, *names, *arguments)

    def _drop_connection(self) -> None:
        gone, self._connection = self._connection, None
        if gone is not None:
            link.throw_away(gone)

    def rests(self, now: float) -> bool:
        return self._flying is None and now - self.asked_at > REST_AFTER_S

    async def aclose(self) -> None:
        if self._flying is not None:
            self._flying.cancel()
            await asyncio.wait([self._flying])
        for member in self._waiting:
            member.answer.cancel()
        self._waiting.clear()
        self._drop_connection()


def batcher(sale_id: int) -> Batcher:
    """The running event loop's batcher of this sale."""
    mine = _of_this_loop()
    found = mine.get(sale_id)
    if found is None:
        found = mine[sale_id] = Batcher(sale_id)
    return found


def is_sold_out(sale_id: int) -> bool:
    """As Redis said half a second ago at most; False when nobody asked it."""
    found = _of_this_loop().get(sale_id)
    return found is not None and found.is_sold_out()


def _of_this_loop() -> dict[int, Batcher]:
    # Until Python 3.12 get_running_loop asks the kernel for the process's id. A loop that ran in this thread before and
    # runs still is the one that runs here.
    loop, mine = _here.known
    if mine is None or not loop.is_running():
        loop = asyncio.get_running_loop()
        mine = _by_loop.get(loop)
        if mine is None:
            mine = _by_loop[loop] = {}
            loop.call_later(REST_AFTER_S, _let_rest, loop)
        _here.known = loop, mine
    return mine


async def aclose() -> None:
    """Close the running loop's batchers; who waits is not answered."""
    _here.known = None, None
    for each in list(_by_loop.pop(asyncio.get_running_loop(), {}).values()):
        await each.aclose()


def head(sale_id: int) -> list[str | int | float]:
    """What comes before the members in ARGV of admit.lua."""
    return [sale_id, ORDER_PLACED, ORDER_PLACED_VERSION, *settings.RATE_PER_USER, *settings.RATE_PER_ADDRESS]


def key_names(sale_id: int) -> list[str]:
    """KEYS of admit.lua."""
    return [
        keys.gate(sale_id),
        keys.buyers(sale_id),
        keys.answers(sale_id),
        keys.log(sale_id),
        keys.meta(sale_id),
        keys.counters(sale_id),
        keys.line(sale_id),
        keys.room(sale_id),
        keys.claims(sale_id),
        keys.log_series(sale_id),
        keys.series(sale_id),
    ]


def decision_of(reply: Any) -> Decision:
    """One member's reply of admit.lua."""
    if reply[0] == b"admitted":
        return Decision("admitted", reply[1], reply[2])
    if reply[0] == b"queue_full":
        _, lag, capacity, acked_per_s = reply
        wait_s = retry_after_s(lag=lag, capacity=capacity, acked_per_s=float(acked_per_s))
        return Decision("queue_full", b"", lag, wait_s)
    return Decision(reply[0].decode(), b"", reply[1] if len(reply) > 1 else 0)


def _let_rest(loop: asyncio.AbstractEventLoop) -> None:
    mine = _by_loop.get(loop)
    if mine is None:
        return
    for sale_id in [sale_id for sale_id, each in mine.items() if each.rests(loop.time())]:
        mine.pop(sale_id)._drop_connection()
    loop.call_later(REST_AFTER_S, _let_rest, loop)
