"""A carrier that refuses some SMS, when the fault room says so."""

from __future__ import annotations

from collections.abc import Sequence

from notifications.models import Channel
from notifications.provider import Outgoing
from queueing.faults.fault import Kind
from queueing.faults.outside import weather


def refused(messages: Sequence[Outgoing]) -> set[str]:
    """The idempotency keys of those it does not take now.

    Exactly the share that was asked for: the n-th SMS since the fault began, whoever sends it, is refused when that
    share of n passes a whole number. Of 20 % that is every fifth.
    """
    here = weather(Kind.SMS)
    fault = here and here.of(Kind.SMS)
    sms = [message.idempotency_key for message in messages if message.channel == Channel.SMS]
    if not here or not fault or not sms:
        return set()
    last = here.count(fault, asked=len(sms)).get("asked")
    if last is None:  # Redis does not answer, and nobody knows which one this is
        return set()
    per_cent = round(fault.value * 100)
    numbered = enumerate(sms, start=last - len(sms) + 1)
    chosen = {key for n, key in numbered if n * per_cent // 100 > (n - 1) * per_cent // 100}
    if chosen:
        here.count(fault, refused=len(chosen))
    return chosen
