"""The real nginx with the configuration that `make up` and the containers use, before a web of one page."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

import pytest
from django.conf import settings

from config import limits
from config.env import Env
from config.stack.nginx import Nginx, program
from config.stack.valkey import free_port
from config.traffic.gateway import Counted
from config.traffic.gateway import Gateway as Door

if program() is None and os.environ.get("CI") != "true":
    pytest.skip("nginx is not installed: make deps", allow_module_level=True)

EDGE = ("127.0.0.2", 0)  # a trusted proxy, by the default of TRUSTED_PROXIES
RATE, BURST, ORDERS_BURST, ORDERS_IN_FLIGHT = 50, 30, 10, 4
QUESTIONS = 3  # that the door asks each time
Answer = tuple[int, str, dict[str, str]]


class Web(BaseHTTPRequestHandler):
    """Says who asked, and counts who came."""

    protocol_version = "HTTP/1.1"
    asked: Counter[str] = Counter()  # since the test began
    slow_ones = 0

    def do_GET(self) -> None:
        Web.asked[self.path] += 1
        if self.path.endswith("/stream/"):
            self.stay_open()
            return
        Web.slow_ones += self.path == "/slow"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path in {"/api/sales/7", "/api/sales/7/orders"}:
            time.sleep(0.1)  # long enough for others to ask meanwhile
        body = f"{self.headers['Host']} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.path != "/login":
            self.send_header("Cache-Control", settings.SHARED)
        self.end_headers()
        self.wfile.write(body)

    def stay_open(self) -> None:
        """One event, and no more until the client goes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Accel-Buffering", "no")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        self.wfile.flush()
        self.connection.recv(1)
        self.close_connection = True

    do_POST = do_GET  # noqa: N815

    def address_string(self) -> str:
        return "nginx"

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


class WebServer(ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Gateway:
    def __init__(self, port: int, nginx: Nginx) -> None:
        self.port, self.nginx = port, nginx

    def ask(
        self, method: str, path: str, body: bytes = b"", source: tuple[str, int] | None = None, **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5, source_address=source)
        try:
            connection.request(method, path, body or None, {name.replace("_", "-"): v for name, v in headers.items()})
            response = connection.getresponse()
            return response.status, response.read().decode(), {name.lower(): v for name, v in response.getheaders()}
        except OSError:
            time.sleep(0.02)
            return 0, "", {}
        finally:
            connection.close()

    def pipelined(self, request: bytes, times: int) -> Counter[int]:
        """Statuses of so many requests written at once into one connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(request * times)
            answers = b""
            while answers.count(b"HTTP/1.1 ") < times and (chunk := connection.recv(65536)):
                answers += chunk
        return Counter(int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:])

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=8) as connection:
            connection.sendall(request)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer

    def slowly(self, begin: bytes) -> socket.socket:
        """A client that sends this much and no more."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=8)
        connection.sendall(begin)
        return connection

    def calm(self) -> None:
        """Wait until the buckets are empty again: the tests share them."""
        time.sleep(BURST / RATE)


@contextlib.contextmanager
def started(*, with_web: bool) -> Iterator[Gateway]:
    assert program(), "CI needs nginx: make deps"
    # Not pytest's folder: as root nginx has an account of its own, and pytest keeps everybody else out of its folders.
    folder = Path(tempfile.mkdtemp(prefix="sluice-gateway-"))
    (folder / "static").mkdir()
    (folder / "static" / "sluice.css").write_text("body {}")
    port = free_port()
    rates = {"gateway_rate": RATE, "gateway_burst": BURST, "orders_rate": RATE, "orders_burst": ORDERS_BURST}
    rates["orders_in_flight"] = ORDERS_IN_FLIGHT
    nginx = Nginx(Env(_env_file=None, port=port, **rates), folder)  # type: ignore[call-arg, arg-type]
    assert nginx.problem() is None
    web = WebServer(nginx.web_socket, Web) if with_web else None
    if web:
        os.chmod(nginx.web_socket, 0o666)
        threading.Thread(target=web.serve_forever, daemon=True).start()
    nginx.spawn()
    gateway = Gateway(port, nginx)
    try:
        deadline = time.monotonic() + 10
        while gateway.ask("GET", "/static/sluice.css")[0] != 200:
            assert nginx.exit_code() is None
            assert time.monotonic() < deadline
        yield gateway
    finally:
        nginx.ask_to_end()
        assert nginx.process is not None
        nginx.process.wait(10)
        said = nginx.close()
        if web:
            web.shutdown()
            web.server_close()
        shutil.rmtree(folder)
    assert said == [], "nothing went wrong but requests, and those get no line"


@pytest.fixture(scope="module")
def stack() -> Iterator[Gateway]:
    with started(with_web=True) as gateway:
        yield gateway


@pytest.fixture(scope="module", autouse=True)
def slow(stack: Gateway) -> Iterator[dict[str, socket.socket]]:
    """Clients that began to speak before the first test, and are still at it after the last."""
    clients = {
        "header": stack.slowly(b"GET /slow HTTP/1.1\r\nHost: sho"),
        "body": stack.slowly(b"POST /slow HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nquan"),
    }
    assert stack.ask("GET", "/api/sales/10", Host="shop")[0] == 200
    assert stack.ask("GET", "/api/sales/10", Host="shop")[0] == 200
    assert Web.asked["/api/sales/10"] == 1
    yield clients
    for connection in clients.values():
        connection.close()


@pytest.fixture
def gateway(stack: Gateway) -> Gateway:
    stack.calm()
    Web.asked.clear()
    return stack


ORDER = b"POST /api/sales/1/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 14\r\n\r\n" + b'{"quantity":1}'
LOGIN = b"GET /login HTTP/1.1\r\nHost: shop\r\n\r\n"


def test_pages_come_from_the_web_with_the_host_the_browser_asked_for(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/login", Host="shop.example:8000")[:2] == (200, "shop.example:8000 127.0.0.1")


@pytest.mark.parametrize("told", ["10.0.0.1", "10.0.0.1, 127.0.0.2", "127.0.0.2"])
def test_nobody_chooses_their_own_address(gateway: Gateway, told: str) -> None:
    assert gateway.ask("GET", "/login", Host="shop", X_Forwarded_For=told)[1] == "shop 127.0.0.1"


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("10.0.0.1, 203.0.113.7", "203.0.113.7"),  # what stands further left was written by the client
        ("203.0.113.7, 127.0.0.2", "203.0.113.7"),  # through two of our edges
        ("rubbish", "127.0.0.2"),
    ],
)
def test_a_trusted_edge_says_whom_it_speaks_for(gateway: Gateway, told: str, client: str) -> None:
    answer = gateway.ask("GET", "/login", source=EDGE, Host="shop", X_Forwarded_For=told)

    assert answer[1] == f"shop {client}"


def test_static_files_come_from_the_disk_without_limit(gateway: Gateway) -> None:
    status, body, headers = gateway.ask("GET", "/static/sluice.css")
    assert (status, body, headers["content-type"]) == (200, "body {}", "text/css")

    style = b"GET /static/sluice.css HTTP/1.1\r\nHost: shop\r\n\r\n"
    assert gateway.pipelined(style, 10 * BURST) == {200: 10 * BURST}


def test_a_burst_and_no_more_reaches_the_web(gateway: Gateway) -> None:
    began = time.monotonic()
    answers = gateway.pipelined(LOGIN, 200)
    allowed = BURST + 1 + RATE * (time.monotonic() - began)

    assert set(answers) == {200, 429}
    assert BURST <= answers[200] <= allowed
    assert Web.asked["/login"] == answers[200]


def test_orders_have_the_smaller_limit_and_a_refused_one_costs_the_others_nothing(gateway: Gateway) -> None:
    began = time.monotonic()
    orders = gateway.pipelined(ORDER, 100)
    pages = gateway.pipelined(LOGIN, 100)
    took = time.monotonic() - began

    assert ORDERS_BURST <= orders[200] <= ORDERS_BURST + 1 + RATE * took
    # 90 orders were refused, and everybody else has what is left of the larger burst.
    assert pages[200] >= BURST - orders[200]
    assert orders[200] + pages[200] <= BURST + 1 + RATE * took


def test_a_web_that_is_slower_than_its_rate_is_not_given_a_queue(gateway: Gateway) -> None:
    crowd = ThreadPoolExecutor(ORDERS_BURST)
    answers = [crowd.submit(gateway.ask, "POST", "/api/sales/7/orders", b"{}") for _ in range(ORDERS_BURST)]
    asked = Counter(answer.result()[0] for answer in answers)

    assert set(asked) == {200, 429}
    assert ORDERS_IN_FLIGHT <= asked[200] < ORDERS_BURST, "the bucket would have let all of them through"


def test_an_open_page_of_the_staff_hears_at_once_and_takes_no_place_of_an_order(gateway: Gateway) -> None:
    page = b"GET /admin/queueing/queue/stream/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    pages = [gateway.slowly(page) for _ in range(ORDERS_IN_FLIGHT + 1)]
    try:
        for each in pages:
            answer = b""
            while b"data: 1\n\n" not in answer:
                answer += each.recv(4096) or pytest.fail(f"it ended after {answer!r}")
        assert gateway.ask("POST", "/api/sales/7/orders", b"{}")[0] == 200
    finally:
        for each in pages:
            each.close()


def test_the_polled_answer_is_fetched_once_for_everybody_and_has_no_limit(gateway: Gateway) -> None:
    asked: list[int] = []
    crowd = [threading.Thread(target=lambda: asked.append(gateway.ask("GET", "/api/sales/7")[0])) for _ in range(20)]
    for shopper in crowd:
        shopper.start()
    for shopper in crowd:
        shopper.join()

    assert asked == [200] * 20
    assert Web.asked["/api/sales/7"] == 1, "the first one fetches, the others wait for it"
    poll = b"GET /api/sales/7?nobody=caches-this HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % gateway.port
    assert gateway.pipelined(poll, 10 * BURST) == {200: 10 * BURST}
    assert Web.asked.total() <= 3


def test_when_the_web_is_at_its_limit_the_polled_answer_of_a_moment_ago_goes_on(gateway: Gateway) -> None:
    gateway.ask("GET", "/api/sales/8", Host="shop")
    time.sleep(2.1)  # nginx counts whole seconds: only now it is stale for sure
    gateway.pipelined(LOGIN, 200)

    assert gateway.ask("GET", "/api/sales/8", Host="shop")[0] == 200

    def never_asked_before(sale: int) -> int:
        gateway.pipelined(LOGIN, 200)  # the bucket fills again while a busy machine gets around to asking
        return gateway.ask("GET", f"/api/sales/{sale}", Host="shop")[0]

    assert 429 in map(never_asked_before, range(9, 29)), "nothing to go on with"


def test_a_shoppers_own_page_is_never_another_shoppers(gateway: Gateway) -> None:
    for _ in range(2):
        assert gateway.ask("GET", "/sales/3", Host="shop")[0] == 200
    assert Web.asked["/sales/3"] == 1

    for number in range(2):
        assert gateway.ask("GET", "/sales/3", Host="shop", Cookie=f"sessionid=ada{number}")[0] == 200
    assert Web.asked["/sales/3"] == 3


def refused(gateway: Gateway, method: str, path: str, body: bytes = b"") -> tuple[int, str, Any]:
    """The answer while the buckets are empty. They fill again while a busy machine gets around to asking."""
    for _ in range(20):
        gateway.pipelined(ORDER, 100)
        gateway.pipelined(LOGIN, 100)
        answer = gateway.ask(method, path, body)
        if answer[0] != 200:
            break
    return answer


def test_who_is_refused_is_told_when_to_come_back(gateway: Gateway) -> None:
    status, body, headers = refused(gateway, "POST", "/api/sales/1/orders", b"{}")
    assert (status, headers["content-type"], headers["cache-control"]) == (429, "application/json", "no-store")
    assert headers["retry-after"] in "12345"
    assert json.loads(body)["error"]["code"] == "busy"
    assert body.encode() == limits.BUSY, "the web process says the same where no nginx runs"

    status, body, headers = refused(gateway, "GET", "/login")
    assert (status, headers["content-type"]) == (429, "text/html")
    assert headers["refresh"] == headers["retry-after"]
    assert body.encode() == limits.PAGE

    status, body, headers = refused(gateway, "POST", "/sales/1/buy", b"quantity=1")
    assert (status, body.encode()) == (429, limits.PAGE)
    assert "refresh" not in headers, "a form is not sent again by itself"


def test_a_body_of_a_megabyte_is_refused_before_it_reaches_the_web(gateway: Gateway) -> None:
    status, body, _ = gateway.ask("POST", "/api/sales/1/orders", b"x" * 70_000)

    assert (status, json.loads(body)["error"]["code"]) == (413, "body_too_large")
    assert Web.asked.total() == 0


def test_headers_of_64_kilobytes_and_two_lengths_of_one_body_never_reach_the_web(gateway: Gateway) -> None:
    large = b"GET /login HTTP/1.1\r\nHost: shop\r\nX-Large: " + b"x" * 64_000 + b"\r\n\r\n"
    smuggled = (
        b"POST /api/sales/1/orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + LOGIN
    )

    assert gateway.raw(large).startswith(b"HTTP/1.1 400 ")
    assert gateway.raw(smuggled).startswith(b"HTTP/1.1 400 ")
    assert Web.asked.total() == 0


def test_metrics_are_not_for_who_comes_through_a_proxy(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/metrics", Host="shop")[:2] == (200, "shop 127.0.0.1")
    assert gateway.ask("GET", "/metrics", X_Forwarded_For="127.0.0.1")[0] == 404
    assert gateway.ask("GET", "/metrics", source=EDGE, X_Forwarded_For="127.0.0.1")[0] == 404


def test_a_web_that_is_away_is_told_in_the_apis_shape() -> None:
    with started(with_web=False) as gateway:
        status, body, headers = gateway.ask("POST", "/api/sales/1/orders", b"{}")

    assert (status, json.loads(body)["error"]["code"], headers["retry-after"]) == (503, "unavailable", "2")


@pytest.mark.parametrize("part", ["header", "body"])
def test_a_slow_client_is_given_up_and_never_held_the_web(slow: dict[str, socket.socket], part: str) -> None:
    try:
        said = slow[part].recv(100)  # within its timeout of eight seconds
    except ConnectionResetError:
        said = b""

    assert said == b"" or b" 408 " in said
    assert Web.slow_ones == 0


def settled(door: Door) -> Counted:
    """What nginx has counted when all is written: its tallies are a tenth of a second behind."""
    before = door.read()
    deadline = time.monotonic() + 5
    while True:
        time.sleep(0.15)
        now = door.read()
        if now.requests - before.requests == now.answered - before.answered == QUESTIONS:
            return now
        assert time.monotonic() < deadline, (before, now)
        before = now


def test_what_was_turned_away_is_known_exactly_and_apart_from_what_the_cache_answered(gateway: Gateway) -> None:
    """The crowd buys, polls, looks at its own pages and logs in; clients count what they are told, and it agrees."""
    door = Door(gateway.nginx.status)
    before = settled(door)
    Web.asked.clear()
    asked = door.asked
    poll = b"GET /api/sales/7 HTTP/1.1\r\nHost: shop\r\n\r\n"
    own = b"GET /sales/3 HTTP/1.1\r\nHost: shop\r\nCookie: sessionid=ada\r\n\r\n"  # passes the cache by
    wrong = b"GET /login HTTP/1.1\r\n\r\n"  # no Host

    told = gateway.pipelined(ORDER, 400) + gateway.pipelined(poll, 300) + gateway.pipelined(LOGIN, 400)
    mine = gateway.pipelined(own, 200)
    assert gateway.raw(wrong).startswith(b"HTTP/1.1 400 ")
    assert gateway.ask("POST", "/api/sales/1/orders", b"x" * 70_000)[0] == 413
    after = settled(door)

    requests, answered, fetched = (now - then for now, then in zip(after, before, strict=True))
    questions = door.asked - asked
    passed = Web.asked.total()
    # A page that is refused on its way into the cache was asked for twice: by the shopper, and by nginx.
    assert requests - answered - passed == told[429] + mine[429]
    assert answered - questions - fetched == 300 - Web.asked["/api/sales/7"] + mine[429] + 2
    assert fetched == Web.asked["/api/sales/7"] + Web.asked["/sales/3"]
    assert requests - questions == 1_300 + 2 + fetched + mine[429]


def test_what_was_counted_is_not_for_the_public(gateway: Gateway) -> None:
    for path in ("/requests", "/answered", "/fetched"):
        gateway.calm()
        assert gateway.ask("GET", path, Host="gateway")[1].startswith("gateway "), "the web has answered, not nginx"


def test_after_a_quiet_while_nobody_is_told_what_was_so_then(slow: dict[str, socket.socket], gateway: Gateway) -> None:
    """The last test: its first question was asked before the first one, and it needs no sleep of its own."""
    assert gateway.ask("GET", "/api/sales/10", Host="shop")[0] == 200
    assert Web.asked["/api/sales/10"] == 1, "it waited for a fresh answer"
