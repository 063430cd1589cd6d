"""Locust's shopper: logs in, looks, waits for the start, buys with one key, pays at the bank, follows the parcel.

    LOADTEST_PLAN=plan.json locust -f loadtests/shopper.py --headless --host http://127.0.0.1:8000 -u 200 -r 10

Everybody buys once. The run ends when the last of them has gone home.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
from gevent.lock import BoundedSemaphore
from geventhttpclient.connectionpool import ConnectionPool
from locust import FastHttpUser, events, task
from locust.exception import StopUser

from loadtests import answers
from loadtests.answers import FAIL, INFO, OK, Answer
from loadtests.edge import client_address
from loadtests.history import History
from loadtests.plan import ALL_INSIDE, Plan
from loadtests.progress import Progress
from loadtests.proof import solve

ATTEMPTS = 12  # of one wish, all with the same key
LOG_IN_ATTEMPTS = 5
PASS_ATTEMPTS = 5
PAY_ATTEMPTS = 5
LAST_STATUSES = {"shipped", "delivered", "rejected", "expired", "cancelled", "void"}

plan = Plan.given()
history = History(Path(plan.history))
progress = Progress(len(plan.usernames))
door = BoundedSemaphore(plan.log_ins_at_once)
_numbers = count()


@events.test_start.add_listener
def _watch(environment: Any, **_: Any) -> None:
    """Say now and then how far everybody is; end the run when all have gone home."""

    def look() -> None:
        said, told = 0.0, False
        while progress.at_home < progress.shoppers:
            gevent.sleep(0.2)
            if progress.all_inside and not told:
                print(ALL_INSIDE, flush=True)
                told = True
            if plan.show_progress and time.monotonic() - said > 2:
                print(progress, flush=True)
                said = time.monotonic()
        print(progress, flush=True)
        environment.runner.quit()

    gevent.spawn(look)


def _from_the_edge(_: ConnectionPool, family: int, kind: int, protocol: int) -> gevent.socket.socket:
    connection = gevent.socket.socket(family, kind, protocol)
    if plan.source and family == gevent.socket.AF_INET:
        connection.bind((plan.source, 0))
    return connection


# Neither Locust nor its client has an option for it.
ConnectionPool._create_tcp_socket = _from_the_edge


class Shopper(FastHttpUser):
    connection_timeout = 10.0
    network_timeout = 10.0

    def __init__(self, environment: Any) -> None:
        self.number = next(_numbers)
        # A different address for each, said by an edge that the shop trusts.
        self.default_headers = {"X-Forwarded-For": client_address(self.number)}
        super().__init__(environment)

    def on_start(self) -> None:
        if self.number >= len(plan.usernames):
            raise StopUser
        self.name = plan.usernames[self.number]
        self.dice = random.Random(f"{plan.seed}-{self.name}")

    @task
    def buy_once(self) -> None:
        try:
            self.log_in()
            self.hear_of_the_sale()
            self.browse()
            self.get_a_pass()
            self.wait_for_the_start()
            bought = self.buy()
            if bought is not None:
                self.see_it_through(bought)
        finally:
            progress.at_home += 1
        raise StopUser

    def log_in(self) -> None:
        with door:
            for _ in range(LOG_IN_ATTEMPTS):
                self.client.get("/login", name="log-in page")
                form = {"username": self.name, "password": plan.password}
                if self.post_form("/login", form, "log in") is not None:
                    progress.logged_in += 1
                    return
        progress.shut_out += 1
        progress.errors += 1
        raise StopUser

    def hear_of_the_sale(self) -> None:
        file = Path(plan.sale_file)
        while not file.exists():
            gevent.sleep(0.2 + self.dice.random() / 5)
        self.sale = int(file.read_text())
        self.page, self.sale_api = f"/sales/{self.sale}", f"/api/sales/{self.sale}"

    def browse(self) -> None:
        self.client.get("/", name="home")
        self.client.get(self.page, name="sale page")

    def get_a_pass(self) -> None:
        """The human check, before the start; the pass it earns goes with every attempt to buy."""
        self.sale_pass = ""
        for _ in range(PASS_ATTEMPTS):
            with self.client.get(f"{self.sale_api}/challenge", name="challenge", catch_response=True) as response:
                challenge = answers.read(response.status_code, response.text, None).body
            if "challenge" in challenge:
                headers = {"X-CSRFToken": self.csrf()}
                solved = {"altcha": solve(challenge)}
                with self.client.post(
                    f"{self.sale_api}/pass", json=solved, headers=headers, name="pass", catch_response=True
                ) as response:
                    earned = answers.read(response.status_code, response.text, None).body
                if "pass" in earned:
                    self.sale_pass = earned["pass"]
                    return
            gevent.sleep(0.5 + self.dice.random())

    def wait_for_the_start(self) -> None:
        """Poll what everybody polls, as often as it asks us to, then come at the second by the server's clock."""
        while True:
            with self.client.get(self.sale_api, name="poll sale", catch_response=True) as response:
                sale = answers.read(response.status_code, response.text, None).body
                if response.status_code == 503:
                    response.success()  # the gate is away; we wait
            if sale.get("state", "upcoming") not in {"upcoming", "paused"}:
                return
            poll_s = sale.get("poll_after_ms", 1000) / 1000
            gevent.sleep(poll_s if sale.get("state") == "paused" else min(seconds_to_start(sale), poll_s))

    def buy(self) -> dict[str, Any] | None:
        """Ask with one key until somebody knows. Returns what we were told, or None when it was no."""
        key = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        wish = {"user": self.name, "sale_id": self.sale, "key": key, "quantity": 1}
        progress.asked += 1
        answer = None
        for attempt in range(ATTEMPTS):
            began = time.perf_counter()
            answer = self.ask(key, attempt + 1)
            facts = {name: answer.body.get(name) for name in ("order_id", "token", "price_cents", "total_cents")}
            ms = round((time.perf_counter() - began) * 1000, 1)
            history.write("place", answer.outcome, **wish, code=answer.code, ms=ms, attempt=attempt + 1, **facts)
            if answer.again_s is None:
                break
            gevent.sleep(answer.again_s * (0.5 + self.dice.random()))
        assert answer is not None
        progress.count(answer.outcome, answer.code)
        return answer.body if answer.outcome == OK else None

    def ask(self, key: str, attempt: int) -> Answer:
        headers = {"Idempotency-Key": key, "Idempotency-Attempt": str(attempt), "Sale-Pass": self.sale_pass}
        with self.client.post(
            f"{self.sale_api}/orders", json={"quantity": 1}, headers=headers, name="buy", catch_response=True
        ) as response:
            retry_after = response.headers.get("Retry-After") if response.headers else None
            answer = answers.read(response.status_code, response.text, retry_after)
            if answer.outcome == OK or answer.code in {"sold_out", "paused", "queue_full", "over_limit", "busy"}:
                response.success()
            else:
                response.failure(f"{answer.code}")
        return answer

    def see_it_through(self, bought: dict[str, Any]) -> None:
        order_id = bought["order_id"]
        order = self.follow(bought, until=lambda order: "pay_url" in order or order.get("status") in LAST_STATUSES)
        roll = self.dice.random()
        if "pay_url" in order and roll < plan.pays + plan.declines_first:
            if roll >= plan.pays:
                self.pay(order, order_id, "decline")
            if self.pay(order, order_id, "pay"):
                order = self.follow(bought, until=lambda order: order.get("status") in LAST_STATUSES)
        status = order.get("status")
        progress.shipped += status in {"shipped", "delivered"}
        history.write(
            "follow", OK if status else INFO, user=self.name, sale_id=self.sale, order_id=order_id, status=status
        )

    def follow(self, bought: dict[str, Any], *, until: Any) -> dict[str, Any]:
        """Poll the order with its token until it is where we wait for it, or our patience ends."""
        deadline = time.monotonic() + plan.give_up_s
        order: dict[str, Any] = {}
        while not until(order) and time.monotonic() < deadline:
            headers = {"Authorization": f"Bearer {bought['token']}"}
            url = f"/api/orders/{bought['order_id']}"
            with self.client.get(url, headers=headers, name="poll order", catch_response=True) as response:
                order = answers.read(response.status_code, response.text, None).body or order
                if response.status_code in answers.GATEWAY_DOES_NOT_KNOW:
                    response.success()  # we ask again
            if not until(order):
                gevent.sleep(0.5 + self.dice.random())
        return order

    def pay(self, order: dict[str, Any], order_id: str, decision: str) -> bool:
        """Through the shop's and the bank's real pages, as a browser goes; once more where one of them is too busy to
        answer. Returns whether the bank heard us: whoever it did not hear need not wait for a parcel."""
        for _ in range(PAY_ATTEMPTS):
            self.client.get(order["pay_url"], name="payment page")
            bank = self.post_form(order["pay_url"], {}, "go to the bank")
            if bank is not None:
                self.client.get(bank, name="bank page")
                heard = self.post_form(bank, {"decision": decision}, f"bank: {decision}") is not None
                outcome = FAIL if decision == "decline" else OK if heard else INFO
                history.write("pay", outcome, user=self.name, sale_id=self.sale, order_id=order_id, code=decision)
                progress.paid += outcome == OK
                if heard:
                    return True
            gevent.sleep(0.5 + self.dice.random())
        return False

    def post_form(self, url: str, fields: dict[str, str], name: str) -> str | None:
        """Where the page sends us next; None when it does not answer that."""
        form = {**fields, "csrfmiddlewaretoken": self.csrf()}
        with self.client.post(url, data=form, name=name, allow_redirects=False, catch_response=True) as response:
            if response.status_code != 302:
                response.failure(f"{name} answered {response.status_code}")
                return None
            return str(response.headers["Location"])

    def csrf(self) -> str:
        with contextlib.suppress(StopIteration):
            return next(cookie.value or "" for cookie in self.client.cookiejar if cookie.name == "csrftoken")
        return ""


def seconds_to_start(sale: dict[str, Any]) -> float:
    """Seconds to the start by the server's own clock; a second when it does not say."""
    try:
        now, starts = (_instant(sale[name]) for name in ("now", "starts_at"))
    except (KeyError, TypeError, ValueError):
        return 1.0
    return max(0.0, starts - now)


def _instant(value: str | int) -> float:
    if isinstance(value, int):
        return value / 1000
    return datetime.fromisoformat(value).timestamp()
