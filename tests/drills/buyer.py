"""Buyers over real HTTP, each on a connection of its own: they insist with the same key, pay, cancel or walk away."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtests import answers
from loadtests.answers import FAIL, INFO, OK, Answer
from tests.drills.harness import House

GIVE_UP_S = 90.0
# Between two attempts, however long the shop asks to wait: bad weather is over sooner than that.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 2.0
TIMEOUT_S = 15.0
# 200: also sold out. 404: the payment was not asked for yet. 503 and silence are what bad weather looks like.
EXCUSED = {0, 200, 202, 302, 404, 503}


class GaveUp(AssertionError):
    """A buyer waited longer than any bad weather here lasts."""


@dataclass(slots=True)
class Told:
    """What the whole crowd has seen so far. statuses: of every answer, 0 for none; by kind of request."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)  # asked, admitted, sold_out, paid, cancelled
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)  # key → the 202's body
    fates: dict[str, str] = field(default_factory=dict)  # order id → the status it must come to
    voids: set[str] = field(default_factory=set)  # orders that went with Redis's data, as their page said
    problems: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def saw(self, kind: str, status: int) -> None:
        with self._lock:
            self.statuses[kind, status] += 1

    def did(self, what: str) -> None:
        with self._lock:
            self.done[what] += 1

    def is_void(self, order_id: str) -> None:
        with self._lock:
            self.voids.add(order_id)
            self.fates.pop(order_id, None)

    def refused(self) -> int:
        """Attempts to buy that got 503 or no answer at all."""
        return self.statuses["place", 503] + self.statuses["place", 0]

    def bugs(self) -> dict[str, int]:
        """Answers that no weather excuses."""
        return {f"{kind} {status}": n for (kind, status), n in self.statuses.items() if status not in EXCUSED}


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of those who got a unit. over_s: the crowd comes in that long, evenly."""

    pay: float = 0.4
    cancel: float = 0.0
    over_s: float = 2.0


class Buyer:
    """One person with one browser, buying one unit in one sale."""

    def __init__(self, house: House, sale: int, name: str, told: Told, dice: random.Random) -> None:
        self.house, self.sale, self.name, self.told, self.dice = house, sale, name, told, dice
        self.key = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        self.deadline = time.monotonic() + GIVE_UP_S
        csrf = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=32))
        cookie = f"sessionid={house.sessions[name]}; csrftoken={csrf}"
        self.headers = {"Cookie": cookie, "X-CSRFToken": csrf}
        self.attempts = 0
        self.connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=TIMEOUT_S)
        self._pause = threading.Event()

    def live(self, habits: Habits) -> None:
        """From the wish to wherever these habits lead."""
        with contextlib.closing(self.connection):
            order = self.buy()
            roll = self.dice.random()
            if order is not None and roll < habits.pay + habits.cancel and self.is_void(order):
                order = self.buy()  # with a new key, as the page says
            if order is not None and roll < habits.pay:
                self.pay(order)
            elif order is not None and roll < habits.pay + habits.cancel:
                self.cancel(order)

    def buy(self) -> dict[str, Any] | None:
        """Ask with one key until somebody knows; None: sold out."""
        self.told.did("asked")
        answer = self.insist(self.ask, lambda answer: answer.again_s is None)
        if answer.outcome == OK:
            self.told.orders[self.key] = answer.body
            self.told.fates[answer.body["order_id"]] = "confirmed"
            self.told.did("admitted")
            return answer.body
        assert answer.code == "sold_out", f"{self.name} was refused: {answer}"
        self.told.did("sold_out")
        return None

    def is_void(self, order: dict[str, Any]) -> bool:
        """Wait until it can be paid; or until its page says that it went with Redis's data."""
        seen = self.follow(order, lambda seen: "pay_url" in seen or seen.get("status") == "void")
        if "pay_url" in seen:
            return False
        self.told.is_void(order["order_id"])
        self.key, self.attempts = str(uuid.UUID(int=self.dice.getrandbits(128), version=4)), 0
        return True

    def ask_again(self) -> Answer:
        """What somebody is told who comes back with the key of before."""
        self.deadline = time.monotonic() + GIVE_UP_S
        with contextlib.closing(self.connection):
            return self.insist(self.ask, lambda answer: answer.again_s is None)

    def ask(self) -> Answer:
        self.attempts += 1
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": self.key,
            "Idempotency-Attempt": str(self.attempts),
            "Sale-Pass": self.house.passes[self.sale][self.name],
        }
        status, text, given = self.send("place", "POST", f"/api/sales/{self.sale}/orders", b'{"quantity": 1}', headers)
        answer = answers.read(status, text, given.get("Retry-After"))
        facts = {name: answer.body.get(name) for name in ("order_id", "token", "price_cents", "total_cents")}
        wish = {"user": self.name, "sale_id": self.sale, "key": self.key, "quantity": 1}
        self.house.history.write("place", answer.outcome, **wish, code=answer.code, **facts)
        return answer

    def pay(self, order: dict[str, Any]) -> None:
        """Wait until there is something to pay, and press the bank's button until the bank has heard it."""
        order_id = order["order_id"]
        pay_url = self.follow(order, lambda seen: "pay_url" in seen)["pay_url"]
        _, _, given = self.insist(lambda: self.send("pay", "POST", pay_url), _is_redirect)
        bank = given["Location"]
        status, _, _ = self.insist(lambda: self.send("bank", "POST", bank, b"decision=pay", FORM), _is_redirect)
        outcome = OK if status == http.HTTPStatus.FOUND else INFO
        self.house.history.write("pay", outcome, user=self.name, sale_id=self.sale, order_id=order_id, code="pay")
        self.told.fates[order_id] = "shipped"
        self.told.did("paid")

    def cancel(self, order: dict[str, Any]) -> None:
        order_id = order["order_id"]
        self.follow(order, lambda seen: "pay_url" in seen)
        self.insist(lambda: self.send("cancel", "POST", f"/pay/{order_id}/cancel"), _is_redirect)
        self.house.history.write("pay", FAIL, user=self.name, sale_id=self.sale, order_id=order_id, code="cancel")
        self.told.fates[order_id] = "cancelled"
        self.told.did("cancelled")

    def follow(self, order: dict[str, Any], arrived: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {order['token']}"}

        def look() -> dict[str, Any]:
            return answers.read(
                *self.send("follow", "GET", f"/api/orders/{order['order_id']}", None, headers)[:2], None
            ).body

        return self.insist(look, arrived)

    def insist(self, attempt: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
        """Attempt until it is enough, with a longer and longer breath between; GaveUp after GIVE_UP_S."""
        pause_s = FIRST_PAUSE_S
        while not enough(found := attempt()):
            if time.monotonic() > self.deadline:
                raise GaveUp(f"{self.name} gave up in sale {self.sale}: {found}")
            self._pause.wait(pause_s * (0.5 + self.dice.random()))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 1.3)
        return found

    def send(
        self, kind: str, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Status (0: no answer), text and headers."""
        parts = urllib.parse.urlsplit(url)
        try:
            self.connection.request(method, parts.path, body=body or (b"" if method == "POST" else None),
                                    headers={**self.headers, **headers})  # fmt: skip
            response = self.connection.getresponse()
            status, text, given = response.status, response.read().decode(errors="replace"), response.headers
        except (OSError, http.client.HTTPException):
            self.connection.close()
            status, text, given = 0, "", http.client.HTTPMessage()
        self.told.saw(kind, status)
        return status, text, given


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _is_redirect(sent: tuple[int, str, http.client.HTTPMessage]) -> bool:
    return sent[0] == http.HTTPStatus.FOUND
