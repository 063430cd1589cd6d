"""What a refusal and a waiter cost, counted."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest

from inventory import keys
from inventory.script import script
from inventory.selectors import POLLS_PER_S
from tests.drills.front.ask import as_shopper, order, raw, send
from tests.drills.front.conftest import SCALE
from tests.drills.front.front import ORDERS_BURST, Front
from tests.drills.harness import until

pytestmark = pytest.mark.drill
WAITERS = 10_000


def post(front: Front, sale: int, name: str) -> bytes:
    """An order with a key of its own, as its bytes."""
    body = b'{"quantity": 1}'
    head = (
        f"POST /api/sales/{sale}/orders HTTP/1.1\r\nHost: localhost\r\n"
        f"Cookie: sessionid={front.house.sessions[name]}\r\nSale-Pass: {front.house.passes[sale][name]}\r\n"
        f"Idempotency-Key: {uuid.uuid4()}\r\nIdempotency-Attempt: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def volley(port: int, requests: list[bytes]) -> Counter[str]:
    """Codes of the answers to requests written at once into one connection."""
    said = raw(port, b"".join(requests), times=len(requests)).decode()
    return Counter(re.findall(r'"(?:code|status)": ?"(\w+)"', said))


def refused(port: int, code: str, requests: Callable[[], list[bytes]], count: int) -> None:
    """Go on until so many were refused in this way."""
    told: Counter[str] = Counter()

    def enough() -> bool:
        told.update(volley(port, requests()))
        return told[code] >= count

    until(enough, lambda: f"{count} {code}: {told}")
    assert "internal" not in told


def test_drill_23_a_refusal_costs_no_log_line_and_no_question_to_the_database(front: Front) -> None:
    gone, full = front.next_sale(), front.next_sale()
    names: Iterator[str] = cycle(front.names)
    ada = front.names[0]
    until(lambda: order(front.house, front.direct, gone, next(names)).code == "sold_out", "it is sold out")
    until(lambda: order(front.house, front.direct, full, ada).code == "rate_limited", "she has tried too often")
    front.said_by_webs()
    began = front.postgres_now()
    assert front.asked_postgres_since(began) == 0

    count = 1_000 * SCALE
    refused(front.gateway, "busy", lambda: [post(front, full, ada)] * 1_000, count)
    refused(front.direct, "busy", lambda: [post(front, full, ada)] * 1_000, count)
    some = count // 4
    refused(front.direct, "sold_out", lambda: [post(front, gone, next(names)) for _ in range(ORDERS_BURST)], some)
    refused(front.direct, "rate_limited", lambda: [post(front, full, ada) for _ in range(ORDERS_BURST)], some)

    assert front.asked_postgres_since(began) == 0
    assert front.said_by_webs() == []
    assert send(front.direct, "GET", "/orders/", **as_shopper(front.house, ada)).status == 200
    assert front.asked_postgres_since(began) > 0, "it would have been seen"


def test_drill_28_ten_thousand_waiters_ask_as_often_as_they_are_told_and_few_of_them_reach_redis(front: Front) -> None:
    sale = front.next_sale()
    front.does("reschedule", sale=sale, room="on", turns_per_s=1, turn_s=60)
    until(lambda: front.gate(sale, "room") == "on", "the room is on")
    names = [keys.gate(sale), keys.line(sale), keys.room(sale), keys.claims(sale)]
    sha = front.redis.script_load(script("join").text)
    with front.redis.pipeline(transaction=False) as pipe:
        for user in range(1, WAITERS + 1):
            pipe.evalsha(sha, len(names), *names, "join", 1_000_000 + user)
        assert Counter(word for word, _ in pipe.execute()) == {"joined": WAITERS}

    said = send(front.gateway, "GET", f"/api/sales/{sale}").body
    waiting = said["room"]["joined"] - said["room"]["serving"]
    assert waiting > WAITERS - 100
    a_second = waiting * 1_000 // said["poll_after_ms"]
    assert a_second <= POLLS_PER_S

    before = scripts_run(front)
    poll = f"GET /api/sales/{sale} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    for _ in range(SCALE):
        answers = raw(front.gateway, poll * a_second, times=a_second)
        assert answers.count(b"HTTP/1.1 200 ") == a_second, "every one of a second's"
    assert scripts_run(front) - before < SCALE * a_second // 4, "everybody is told what was read for one"


def scripts_run(front: Front) -> int:
    stats = front.redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))
