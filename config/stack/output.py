"""What the stack says: each line prefixed with the process it comes from, coloured on a terminal."""

from __future__ import annotations

import contextlib
import datetime
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

OURS = "sluice"
LINE_MAX = 64 * 1024


class Output:
    def __init__(self, names: Iterable[str], stream: TextIO = sys.stdout) -> None:
        names = [OURS, *names]
        colours: Iterator[str] = get_colours()
        self._colours = {name: next(colours) for name in names[1:]}
        wanted = "NO_COLOR" not in os.environ  # https://no-color.org
        self._printer = Printer(stream, width=max(map(len, names)), colour=wanted)
        self._stream = stream
        self.broken = False  # nobody reads us any more (`make up | head`)

    def line(self, name: str, text: str) -> None:
        if self.broken:
            return
        now = datetime.datetime.now()  # noqa: DTZ005  the reader's own clock
        message = Message(type="line", data=text, time=now, name=name, colour=self._colours.get(name))
        try:
            self._printer.write(message)
        except OSError:
            self.broken = True

    def say(self, text: str) -> None:
        self.line(OURS, text)

    def block(self, text: str) -> None:
        """Lines for people, without a prefix."""
        with contextlib.suppress(OSError):
            print(text, file=self._stream, flush=True)


class Lines:
    """Bytes from a pipe → whole lines; what never ends is cut, so that memory stays bounded."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_MAX:
            whole.append(self._rest)
            self._rest = b""
        return [line.decode("utf-8", "replace").rstrip("\r") for line in whole]

    def rest(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [rest.decode("utf-8", "replace")] if rest else []
