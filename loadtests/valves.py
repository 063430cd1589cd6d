"""What an operator may turn while consumers run."""

from __future__ import annotations

from loadtests.stack import Stack


class Valves:
    """Pauses and caps, by the operator's own command. Whatever happens, all is as it was declared in the end."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._closed: set[str] = set()
        self._capped: set[tuple[str, str]] = set()

    def __enter__(self) -> Valves:
        return self

    def __exit__(self, *_: object) -> None:
        self.open(*sorted(self._closed))
        for group, topic in sorted(self._capped):
            self._stack.manage("queue", "rate", group, "declared", *(("--topic", topic) if topic else ()))

    def close(self, *groups: str) -> None:
        self._closed.update(groups)
        for group in groups:
            self._stack.manage("queue", "pause", group)

    def open(self, *groups: str) -> None:
        for group in groups:
            if group in self._closed:
                self._stack.manage("queue", "resume", group)
        self._closed.difference_update(groups)

    def cap(self, group: str, topic: str, per_s: float | None) -> None:
        """topic: "" means all that have no cap of their own. per_s: None is no cap."""
        self._capped.add((group, topic))
        how = "off" if per_s is None else f"{per_s:g}"
        self._stack.manage("queue", "rate", group, how, *(("--topic", topic) if topic else ()))
