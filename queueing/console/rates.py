"""Messages a second, from the totals of two samples and the time between them on Redis's clock."""

from __future__ import annotations

import msgspec

from queueing.console.snapshot import Counts, Snapshot

ALL = "all"  # the key of the whole queue among its groups
STUCK_AFTER_MS = 10_000  # of a group that takes nothing: longer than a batch


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


def slowest(snapshot: Snapshot, found: dict[str, Rate]) -> tuple[str, float | None]:
    """The group that needs longest, and its seconds; ("", 0) where nothing waits; None: it never gets there.

    The sum of all groups says nothing here: each works its own lag off, and nobody takes over another's. A group that
    took nothing between two samples may just be in the middle of a batch; it is stuck when its oldest waits on, too.
    """
    worst: tuple[str, float | None] = ("", 0.0)
    for group in snapshot.groups:
        rate = found.get(group.group)
        if rate is None or not group.lag:
            continue
        needs = rate.drain_s(group.lag)
        if needs is None and (group.paused or not group.alive or group.oldest_age_ms >= STUCK_AFTER_MS):
            return group.group, None
        if needs is not None and worst[1] is not None and needs >= worst[1]:
            worst = (group.group, needs)
    return worst


def totals(snapshot: Snapshot) -> dict[str, Counts]:
    found: dict[str, Counts] = {ALL: snapshot.total}
    for group in snapshot.groups:
        found[group.group] = group
        found.update({f"{group.group}/{topic.topic}": topic for topic in group.topics})
    return found
