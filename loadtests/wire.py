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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtests.volley import Salvo, Shot

try:  # Locust has put gevent's cooperative ones in their place
    from gevent.monkey import get_original as _original
except ImportError:  # pragma: no cover

    def _original(module: str, name: str) -> Any:
        return getattr({"select": select, "socket": socket}[module], name)


TCP = _original("socket", "socket")
IN, OUT = select.POLLIN, select.POLLOUT
READ_BYTES = 1 << 18
TELL_EVERY_S = 0.25
LONGEST_NAP_S = 0.02
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
    shots: list[Shot] = field(default_factory=list)  # in the order their answers come
    out: bytes | memoryview = b""  # what the socket has not taken yet
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    begun: int = 0  # answers whose first line is here
    tail: bytes = b""
    open: bool = True
    written_s: float = 0.0

    def hand_over(self, shots: Sequence[Shot], request: bytes, t0: float) -> None:
        """request: the bytes of all of them."""
        self.shots += shots
        self.out = bytes(self.out) + request if self.out else request
        self.write(t0)

    def write(self, t0: float) -> None:
        try:
            while self.open and self.out:
                sent = self.socket.send(self.out)
                self.out = b"" if sent == len(self.out) else memoryview(self.out)[sent:]
            self.written_s = time.monotonic() - t0
        except BlockingIOError:
            pass
        except OSError:
            self.open = False

    def read(self, t0: float, into: memoryview) -> None:
        try:
            size = self.socket.recv_into(into)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self.open = False
            return
        chunk = bytes(into[:size])
        self.chunks.append((time.monotonic() - t0, chunk))
        seam = self.tail + chunk
        self.begun += seam.count(_STATUS_LINE)
        self.tail = seam[-len(_STATUS_LINE) + 1 :]

    @property
    def outstanding(self) -> bool:
        return self.open and self.begun < len(self.shots)


def connect(host: str, port: int, source: str | None, *, number: int) -> list[Connection]:
    """So many open connections."""
    found = []
    for _ in range(number):
        connection = TCP(socket.AF_INET, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            connection.bind((source, 0))
        connection.connect((host, port))
        connection.setblocking(False)
        found.append(Connection(connection))
    return found


def fire(
    connections: Sequence[Connection],
    salvos: Sequence[Salvo],
    *,
    t0: float,
    give_up_s: float,
    pipelined: bool = True,
    tell: Callable[[float, int, int], None] = lambda *_: None,
) -> list[Shot]:
    """Until all is answered, or `give_up_s` after T0. t0: on time.monotonic()'s clock.

    pipelined: False gives a request to a connection that has its last answer; while none has, it waits.
    tell: called now and then with seconds after T0, requests sent and answers begun.
    Returns the shots that never found a free connection.
    """
    by_number = {connection.socket.fileno(): connection for connection in connections}
    poller = _Poller(by_number)
    free, waiting = list(connections), deque[Shot]()
    coming = iter(salvos)
    salvo = next(coming, None)
    sent, told_at, last_read = 0, t0, t0
    into = memoryview(bytearray(READ_BYTES))

    def hand_over(connection: Connection, shots: Sequence[Shot], request: bytes) -> None:
        nonlocal sent
        sent += len(shots)
        connection.hand_over(shots, request, t0)
        if connection.open and connection.out:
            poller.watch(connection.socket.fileno(), IN | OUT)

    while True:
        now = time.monotonic()
        while salvo is not None and t0 + salvo.due_s <= now:
            if pipelined:
                hand_over(connections[salvo.connection], salvo.shots, salvo.request)
            else:
                waiting.extend(salvo.shots)
            salvo = next(coming, None)
        while waiting and free:
            if (connection := free.pop()).open:
                hand_over(connection, [waiting[0]], waiting.popleft().request)
        if now - told_at >= TELL_EVERY_S:
            tell(now - t0, sent, sum(connection.begun for connection in connections))
            told_at = now
        if now > t0 + give_up_s:
            break
        # The last answer has begun; its last bytes may be a moment behind.
        quiet = salvo is None and now - last_read > 0.05
        if quiet and not any(connection.outstanding for connection in connections):
            break
        nap_s = LONGEST_NAP_S if salvo is None else max(0.0, min(LONGEST_NAP_S, t0 + salvo.due_s - now))
        for number, event in poller.wait(nap_s):
            connection = by_number[number]
            if event & OUT:
                connection.write(t0)
            if event & ~OUT:
                connection.read(t0, into)
                last_read = time.monotonic()
                if not pipelined and connection.open and not connection.outstanding:
                    free.append(connection)  # its answer has begun: the rest of it comes before the next
            if not connection.open:
                poller.forget(number)
            elif event & OUT and not connection.out:
                poller.watch(number, IN)
    poller.close()
    return list(waiting)


class _Poller:
    """epoll, whose price does not rise with the number of connections; poll where there is none."""

    def __init__(self, numbers: Iterable[int]) -> None:
        try:
            self._poller, self._second = _original("select", "epoll")(), 1
        except AttributeError:  # pragma: no cover
            self._poller, self._second = _original("select", "poll")(), 1000
        for number in numbers:
            self._poller.register(number, IN)

    def watch(self, number: int, events: int) -> None:
        self._poller.modify(number, events)

    def forget(self, number: int) -> None:
        self._poller.unregister(number)

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = self._poller.poll(seconds * self._second)
        return found

    def close(self) -> None:
        if hasattr(self._poller, "close"):
            self._poller.close()


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
    return found + [Reply(shot, 0.0) for shot in connection.shots[len(found) :]]


def close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.socket.close()
