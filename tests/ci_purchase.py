"""`python tests/ci_purchase.py http://127.0.0.1:8000`: buys one thing as a demo shopper, over HTTP alone.

Logs in, orders by the API, pays on the demo bank's page, and follows the order until its parcel is on its way.
"""

from __future__ import annotations

import base64
import hashlib
import http.cookiejar
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

WITHIN_S = 60.0


class Browser:
    """Cookies, redirects and forms; what a shopper's browser does."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.url = base

    def open(self, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> str:
        url = urllib.parse.urljoin(self.url, path)
        request = urllib.request.Request(url, data=data, headers={"Referer": self.url, **(headers or {})})
        with self.opener.open(request, timeout=10) as response:
            self.url = response.url
            return str(response.read().decode())

    def submit(self, page: str, *, to: str = "", **fields: str) -> str:
        """Send the page's form that goes there and has these fields, with its hidden ones."""
        for form in re.findall(r"<form\b.*?</form>", page, re.DOTALL):
            action = re.search(r'<form[^>]*\baction="([^"]*)"', form)
            target = action[1] if action else self.url
            if target.endswith(to) and all(f'name="{name}"' in form for name in fields):
                break
        else:
            raise SystemExit(f"{self.url} has no form to {to or 'itself'} with {', '.join(fields) or 'anything'}")
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        return self.open(target, urllib.parse.urlencode({**hidden, **fields}).encode())

    def cookie(self, name: str) -> str:
        return next(str(cookie.value) for cookie in self.cookies if cookie.name == name)


def main(base: str) -> None:
    browser = Browser(base)
    browser.submit(browser.open("/login"), username="ada", password="sluice-demo")
    order = place_order(browser)
    print(f"ordered {order['order_id']}, place {order['place']} in the queue")

    def look() -> dict[str, Any]:
        answer = browser.open(f"/api/orders/{order['order_id']}", headers={"Authorization": f"Bearer {order['token']}"})
        return dict(json.loads(answer))

    wait_for("confirmed", look)
    bank = browser.submit(payment_page(browser, order["order_id"]), to=f"/pay/{order['order_id']}")
    print(f"paying at {urllib.parse.urlsplit(browser.url).path}")
    browser.submit(bank, decision="pay")
    shipped = wait_for("shipped", look)
    print(f"parcel {shipped['tracking_number']} is on its way")


def place_order(browser: Browser) -> dict[str, Any]:
    sales = dict.fromkeys(re.findall(r"/sales/(\d+)", browser.open("/")))
    for sale in sales:
        if json.loads(browser.open(f"/api/sales/{sale}"))["state"] != "open":
            continue
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
            "Idempotency-Attempt": "1",
            "Sale-Pass": sale_pass(browser, sale),
        }
        return dict(json.loads(browser.open(f"/api/sales/{sale}/orders", b'{"quantity": 1}', headers)))
    raise SystemExit(f"no sale is open among {', '.join(sales) or 'none'}")


def sale_pass(browser: Browser, sale: str) -> str:
    """The human check: find the number, get the pass."""
    puzzle = json.loads(browser.open(f"/api/sales/{sale}/challenge"))
    for number in range(puzzle["maxnumber"] + 1):
        if hashlib.sha256(f"{puzzle['salt']}{number}".encode()).hexdigest() == puzzle["challenge"]:
            break
    solved = {"number": number, **{name: puzzle[name] for name in ("algorithm", "challenge", "salt", "signature")}}
    body = json.dumps({"altcha": base64.b64encode(json.dumps(solved).encode()).decode()}).encode()
    headers = {"Content-Type": "application/json", "X-CSRFToken": browser.cookie("csrftoken")}
    return str(json.loads(browser.open(f"/api/sales/{sale}/pass", body, headers))["pass"])


def payment_page(browser: Browser, order_id: str) -> str:
    """The shop's page of the payment, which the payments consumer asks for a moment after the confirmation."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            return browser.open(f"/pay/{order_id}")
        except urllib.error.HTTPError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def wait_for(status: str, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The order, once it has reached this status (or gone past it)."""
    began = time.monotonic()
    order: dict[str, Any] = {}
    while time.monotonic() < began + WITHIN_S:
        order = look()
        if order["status"] == status or status in json.dumps(order["timeline"]):
            print(f"{status} after {time.monotonic() - began:.1f} s")
            return order
        time.sleep(0.2)
    raise SystemExit(f"the order is not {status} after {WITHIN_S:.0f} s: {order}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error.code} {error.read().decode()[:500]}")
