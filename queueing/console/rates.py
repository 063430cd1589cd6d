"""Messages a second, from the totals of two samples and the time between them on Redis's clock."""

from __future__ import annotations

import msgspec

from queueing.console.snapshot import Counts, Snapshot

ALL = "all"  # the key of the whole queue among its groups


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    produced: float
    consumed: float
    over_s: float

    def drain_s(self, lag: int) -> float | None:
        """Seconds until this lag is gone at this rate of consuming, if nothing more arrived; None: never."""
        if lag == 0:
            return 0.0
        return lag / self.consumed if self.consumed > 0 else None


def rates(before: Snapshot, after: Snapshot) -> dict[str, Rate]:
    """Group, group/topic and ALL → its rate. What was not there before, or counts less than before, has none."""
    over_s = (after.taken_at_ms - before.taken_at_ms) / 1000
    if over_s <= 0:
        return {}
    earlier = totals(before)
    found = {}
    for name, now in totals(after).items():
        then = earlier.get(name)
        if then is None or now.appended < then.appended or now.acked < then.acked:
            continue  # an emptied Redis counts from zero again: there is no rate across that
        found[name] = Rate(
            produced=(now.appended - then.appended) / over_s,
            consumed=(now.acked - then.acked) / over_s,
            over_s=over_s,
        )
    return found


def totals(snapshot: Snapshot) -> dict[str, Counts]:
    found: dict[str, Counts] = {ALL: snapshot.total}
    for group in snapshot.groups:
        found[group.group] = group
        found.update({f"{group.group}/{topic.topic}": topic for topic in group.topics})
    return found
