"""Who works, who holds something, and who has gone."""

from __future__ import annotations

from collections.abc import Sequence

from queueing.about import About
from queueing.brokers.memory.growing import Growing


class Liveness(Growing):
    def beat(self, group: str, consumer: str, about: About | None = None) -> None:
        self._beats.setdefault(group, {})[consumer] = str(next(self._count))
        if about:
            self._abouts.setdefault(group, {})[consumer] = about

    def abouts(self, group: str) -> dict[str, About]:
        return dict(self._abouts.get(group, {}))

    def beats(self, group: str) -> dict[str, str]:
        holders = {
            held.consumer
            for (_, _, g), state in self._groups.items()
            if g == group
            for held in (*state.pending.values(), *state.working.values())
        }
        return {**dict.fromkeys(sorted(holders), ""), **self._beats.get(group, {})}

    def pause(self, group: str) -> None:
        self._paused.add(group)

    def resume(self, group: str) -> None:
        self._paused.discard(group)

    def is_paused(self, group: str) -> bool:
        return group in self._paused

    def leave(self, group: str, consumer: str, topics: Sequence[str]) -> None:
        if not any(
            held.consumer == consumer
            for _, _, view in self._views(group, topics)
            for held in (*view.pending.values(), *view.working.values())
        ):
            self._beats.get(group, {}).pop(consumer, None)
            self._abouts.get(group, {}).pop(consumer, None)
