"""The faults that the room offers: in words for a newcomer, with how strong each may be and how long it may last."""

from __future__ import annotations

from typing import NamedTuple

LEAST_S, MOST_S = 1, 600  # seconds that a fault may last
DURATIONS_S = (15, 30, 60, 120, 300)
USUAL_S = 30


class Strength(NamedTuple):
    """label and unit: around the field. of_one: what is offered, times this, is what the fault means."""

    label: str
    unit: str
    usual: float
    least: float
    most: float
    of_one: float = 1.0


class Offer(NamedTuple):
    """kind: of queueing.faults.fault.Kind, or STOP. usual_group: '' when it is no group's."""

    kind: str
    title: str
    what: str
    watch: str
    usual_group: str = ""
    strength: Strength | None = None


STOP = "stop"  # not a fault to the queue: no consumers are wanted, which the autoscaler sees to

OFFERS = {
    offer.kind: offer
    for offer in (
        Offer(
            STOP,
            "Stop a group",
            "None of its consumers runs any more: each finishes what it holds and leaves.",
            "Its lag grows and nobody else's. Buyers still get their answer; when it runs again, it catches up.",
            usual_group="inventory",
        ),
        Offer(
            "lift",
            "Lift the cap",
            "What limits the group to a rate does not hold. Afterwards it does again.",
            "With load, it takes what the consumers can, and no longer what the database should be asked for.",
            usual_group="orders",
        ),
        Offer(
            "pace",
            "Slow consumers",
            "Each consumer of the group handles so many messages a second, however fast the database is.",
            "Two do twice as much as one: the autoscaler adds some when the lag passes 10,000.",
            usual_group="orders",
            strength=Strength("Each handles", "messages a second", 1_000, 100, 100_000),
        ),
        Offer(
            "database",
            "Cap the database",
            "All consumers together get so many messages a second through their transactions.",
            "All lags grow, and the autoscaler finds that more consumers bring nothing.",
            strength=Strength("Lets through", "messages a second", 500, 100, 100_000),
        ),
        Offer(
            "freeze",
            "Freeze a consumer",
            "The busiest consumer of the group on this machine stands still (SIGSTOP), with what it has read.",
            "The others go on. What it holds is taken over after its lease of 15 s; what it wakes to changes nothing.",
            usual_group="orders",
        ),
        Offer(
            "bank",
            "Slow payments",
            "The demo bank answers late: whoever presses “Pay” waits for it, and so does each refund.",
            "Orders are taken and confirmed as before. Only who asks the bank waits.",
            strength=Strength("Answers after", "s", 5, 0.5, 5),
        ),
        Offer(
            "sms",
            "Refused SMS",
            "The demo phone refuses some SMS. They are sent again after 5, 10, 20 … seconds.",
            "No buyer misses one: afterwards each has come once.",
            strength=Strength("Refuses", "% of SMS", 20, 1, 100, of_one=0.01),
        ),
    )
}
