"""Many keep-alive connections and one loop: salvos out when they are due, answers in when they come.

While it fires it only writes, reads and notes the time; answers are taken apart afterwards. At 100,000 a second, on a
core that the shop needs too, anything else would be measured with it.
"""

from __future__ import annotations

import bisect
import contextlib
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadtests.volley import Salvo, Shot

try:  # Locust has put gevent's cooperative ones in their place
    from gevent.monkey import get_original

    poll, TCP = get_original("select", "poll"), get_original("socket", "socket")
except ImportError:  # pragma: no cover
    poll, TCP = select.poll, socket.socket

READ_BYTES = 1 << 18
TELL_EVERY_S = 0.25
_STATUS_LINE = b"HTTP/1.1 "
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_WAIT = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """at_s: seconds after T0 when its last byte was here. status 0: none came."""

    shot: Shot
    at_s: float
    status: int = 0
    body: bytes = b""
    retry_after_s: int | None = None


@dataclass(slots=True)
class Connection:
    socket: socket.socket
    window: int | None  # answers that may be outstanding; None: pipelined without bound
    shots: list[Shot] = field(default_factory=list)  # in the order their answers come
    waiting: deque[Shot] = field(default_factory=deque)  # for the window
    out: deque[memoryview] = field(default_factory=deque)
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    begun: int = 0  # answers whose first line is here
    tail: bytes = b""
    open: bool = True
    written_s: float = 0.0

    def hand_over(self, shots: Sequence[Shot]) -> None:
        if self.window is None:
            self.shots += shots
            self.out.append(memoryview(b"".join([shot.request for shot in shots])))
        else:
            self.waiting.extend(shots)
            self.let_go()

    def let_go(self) -> None:
        assert self.window is not None
        while self.waiting and len(self.shots) - self.begun < self.window:
            shot = self.waiting.popleft()
            self.shots.append(shot)
            self.out.append(memoryview(shot.request))

    def write(self, t0: float) -> None:
        try:
            while self.out:
                sent = self.socket.send(self.out[0])
                if sent == len(self.out[0]):
                    self.out.popleft()
                else:
                    self.out[0] = self.out[0][sent:]
            self.written_s = time.monotonic() - t0
        except BlockingIOError:
            pass
        except OSError:
            self.open = False

    def read(self, t0: float) -> None:
        try:
            chunk = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.open = False
            return
        self.chunks.append((time.monotonic() - t0, chunk))
        seam = self.tail + chunk
        self.begun += seam.count(_STATUS_LINE)
        self.tail = seam[-len(_STATUS_LINE) + 1 :]
        if self.window is not None:
            self.let_go()  # an answer of a few hundred bytes comes whole

    @property
    def outstanding(self) -> bool:
        return self.open and (bool(self.waiting) or self.begun < len(self.shots))


def connect(host: str, port: int, source: str | None, *, number: int, window: int | None) -> list[Connection]:
    """So many open connections."""
    found = []
    for _ in range(number):
        connection = TCP(socket.AF_INET, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            connection.bind((source, 0))
        connection.connect((host, port))
        connection.setblocking(False)
        found.append(Connection(connection, window))
    return found


def fire(
    connections: Sequence[Connection],
    salvos: Sequence[Salvo],
    *,
    t0: float,
    give_up_s: float,
    tell: Callable[[float, int, int], None] = lambda *_: None,
) -> None:
    """Until all is answered, or `give_up_s` after T0. t0: on time.monotonic()'s clock.

    tell: called now and then with seconds after T0, requests sent and answers begun.
    """
    by_number = {connection.socket.fileno(): connection for connection in connections}
    poller = poll()
    for number in by_number:
        poller.register(number, select.POLLIN)
    coming = iter(salvos)
    salvo = next(coming, None)
    sent, told_at, last_read = 0, t0, t0
    while True:
        now = time.monotonic()
        while salvo is not None and t0 + salvo.due_s <= now:
            connection = connections[salvo.connection]
            connection.hand_over(salvo.shots)
            if connection.open:
                connection.write(t0)
            if connection.open and connection.out:
                poller.modify(connection.socket.fileno(), select.POLLIN | select.POLLOUT)
            sent += len(salvo.shots)
            salvo = next(coming, None)
        if now - told_at >= TELL_EVERY_S:
            tell(now - t0, sent, sum(connection.begun for connection in connections))
            told_at = now
        if now > t0 + give_up_s:
            break
        # The last answer has begun; its last bytes may be a moment behind.
        quiet = salvo is None and now - last_read > 0.05
        if quiet and not any(connection.outstanding for connection in connections):
            break
        wait_s = 0.02 if salvo is None else max(0.0, min(0.02, t0 + salvo.due_s - now))
        for number, event in poller.poll(wait_s * 1000):
            connection = by_number[number]
            if event & select.POLLOUT:
                connection.write(t0)
            if event & ~select.POLLOUT:
                connection.read(t0)
                last_read = time.monotonic()
                if connection.open and connection.out:
                    connection.write(t0)
            if not connection.open:
                poller.unregister(number)
            elif event & select.POLLOUT or connection.out:
                poller.modify(number, select.POLLIN | (select.POLLOUT if connection.out else 0))


def replies(connection: Connection) -> list[Reply]:
    """What came on this connection, taken apart; a shot without an answer gets an empty one."""
    data = b"".join([chunk for _, chunk in connection.chunks])
    ends, total = [], 0
    for _, chunk in connection.chunks:
        total += len(chunk)
        ends.append(total)
    found: list[Reply] = []
    at = 0
    for shot in connection.shots:
        head_ends = data.find(b"\r\n\r\n", at)
        length = _LENGTH.search(data, at, head_ends + 2) if head_ends >= 0 else None
        if length is None or head_ends + 4 + int(length[1]) > len(data):
            break
        head, body_at = data[at : head_ends + 2], head_ends + 4
        at = body_at + int(length[1])
        wait = _WAIT.search(head)
        arrived = connection.chunks[bisect.bisect_left(ends, at)][0]
        found.append(Reply(shot, arrived, int(head[9:12]), data[body_at:at], int(wait[1]) if wait else None))
    unanswered = [*connection.shots[len(found) :], *connection.waiting]
    return found + [Reply(shot, 0.0) for shot in unanswered]


def close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.socket.close()
