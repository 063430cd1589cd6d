"""Dead letters: looked at, given back to their group, or forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from queueing.brokers.memory.growing import Growing
from queueing.brokers.memory.state import GroupView
from queueing.dead import Buried, Mark


class DeadLetters(Growing):
    def dead_letters(
        self,
        group: str,
        topic: str,
        partition: str,
        *,
        past: Mark | None = None,
        newest_first: bool = True,
        limit: int = 100,
    ) -> list[Buried]:
        view = self._begin(group, topic, partition)
        letters = sorted(view.dead.values(), key=lambda buried: buried.mark, reverse=newest_first)
        if past is not None:
            letters = [b for b in letters if b.mark != past and (b.mark < past) == newest_first]
        return letters[:limit]

    def dead_letter(self, group: str, topic: str, partition: str, message_id: str) -> Buried | None:
        return self._begin(group, topic, partition).dead.get(message_id)

    def replay(self, letters: Sequence[Buried]) -> int:
        moved = 0
        for view, buried in self._taken(letters):
            view.delayed[buried.letter.id] = (self.clock(), buried.letter.again().delivery(0))
            moved += 1
        return moved

    def purge(self, letters: Sequence[Buried]) -> int:
        gone = 0
        for view, buried in self._taken(letters):
            view.purged += 1
            view.first_failed_at_ms.pop(buried.letter.id, None)
            view.pass_on(buried.letter.key, buried.letter.id, now=self.clock())
            gone += 1
        return gone

    def _taken(self, letters: Sequence[Buried]) -> Iterator[tuple[GroupView, Buried]]:
        """Those that are dead as they were seen, and are not any more."""
        for buried in letters:
            view = self._begin(buried.group, buried.letter.topic, buried.letter.partition)
            found = view.dead.get(buried.letter.id)
            if found is not None and found.seal == buried.seal:
                del view.dead[buried.letter.id]
                yield view, buried
