"""Requests over real HTTP, many at the same instant, and what their buyers were told, written down for the audit."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from loadtests import answers
from tests.drills.harness import House

CSRF = "c" * 32
MOST_AT_ONCE = 50
TIMEOUT_S = 20.0
ONE = b'{"quantity": 1}'


@dataclass(frozen=True, slots=True)
class Reply:
    """status 0: no answer. took_s: from the first byte sent to the last one read."""

    status: int
    text: str
    headers: http.client.HTTPMessage
    took_s: float

    @property
    def body(self) -> dict[str, Any]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found

    @property
    def code(self) -> str:
        """`sold_out`, an error's code, an order's status; or `http_<status>`."""
        try:
            said = json.loads(self.text)
        except ValueError:
            return f"http_{self.status}"
        return str(said["error"]["code"] if "error" in said else said.get("status", f"http_{self.status}"))


def send(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
    """Header names with _ for -."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Reply(response.status, response.read().decode(), response.headers, time.monotonic() - began)
    except (OSError, http.client.HTTPException):
        return Reply(0, "", http.client.HTTPMessage(), time.monotonic() - began)
    finally:
        connection.close()


def order(
    house: House, port: int, sale: int, name: str, *, key: str = "", attempt: int = 1, body: bytes = ONE, **more: str
) -> Reply:
    """POST an order as this shopper; a new key unless one is given. What came of it is in the house's history."""
    key = key or str(uuid.uuid4())
    headers = {
        "Cookie": f"sessionid={house.sessions[name]}",
        "Sale-Pass": house.passes[sale][name],
        "Idempotency-Key": key,
        "Idempotency-Attempt": str(attempt),
        **more,
    }
    told = send(port, "POST", f"/api/sales/{sale}/orders", body, **headers)
    said = answers.read(told.status, told.text, told.headers.get("Retry-After"))
    facts = {field: said.body.get(field) for field in ("order_id", "token", "price_cents", "total_cents")}
    wish = {"user": name, "sale_id": sale, "key": key, "quantity": 1}
    house.history.write("place", said.outcome, **wish, code=said.code, **facts)
    return told


def as_shopper(house: House, name: str) -> dict[str, str]:
    """Headers of this shopper's browser, for a form of the shop."""
    return {"Cookie": f"sessionid={house.sessions[name]}; csrftoken={CSRF}", "X_CSRFToken": CSRF}


def together(asks: Sequence[Callable[[], Reply]]) -> list[Reply]:
    """All of these, at most MOST_AT_ONCE at a time; the first of them at the same instant."""
    crowd = min(len(asks), MOST_AT_ONCE)
    barrier = threading.Barrier(crowd)

    def begin(number: int, ask: Callable[[], Reply]) -> Reply:
        if number < crowd:
            barrier.wait(TIMEOUT_S)
        return ask()

    with ThreadPoolExecutor(crowd) as threads:
        return list(threads.map(begin, range(len(asks)), asks))


def raw(port: int, request: bytes, *, times: int = 1, within_s: float = 8.0) -> bytes:
    """Everything that is answered to these bytes until so many answers came, or the connection ended."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as connection:
        try:
            connection.sendall(request)
            while said.count(b"HTTP/1.1 ") < times and (chunk := connection.recv(1 << 16)):
                said += chunk
        except OSError:  # it was closed on us, which is an answer, too
            pass
    return said
