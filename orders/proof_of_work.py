"""The human check: a puzzle that costs a browser a second and a bot farm a second for each of its accounts.

ALTCHA's puzzle: find the number that makes SHA-256(salt + number) the challenge. The `&` at the salt's end keeps its
digits apart from the number's (CVE-2025-68113). The signature covers salt and challenge, and so the difficulty they
were drawn with, by length, and is bound to user, sale and session: a puzzle solved for one is nothing for another.

Nothing is stored for a challenge. What is spent is remembered until it would have expired (orders.admission.spend).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time

import msgspec
from django.conf import settings

from orders.passes import bound_to
from orders.seals import BrokenSeal, Seal

LASTS_S = 1200  # a slow phone in a pocket has long solved it
ALGORITHM = "SHA-256"
_SALT = re.compile(r"([0-9a-f]{32})\?expires=([0-9]{1,12})&", re.ASCII)
_seal = Seal("orders.proof_of_work", fields=3)


class Challenge(msgspec.Struct, frozen=True):
    """What a browser solves: the number is between 0 and `maxnumber`."""

    algorithm: str
    challenge: str
    maxnumber: int
    salt: str
    signature: str


class _Solution(msgspec.Struct, frozen=True):
    algorithm: str
    challenge: str
    number: int
    salt: str
    signature: str


class BadProof(Exception):
    """Not solved, not ours, not this buyer's, or too late."""


def challenge(*, user_id: int, sale_id: int, session_key: str, now_s: float | None = None) -> Challenge:
    """A puzzle of settings.PROOF_OF_WORK: it takes half as many tries on average."""
    expires_s = int(time.time() if now_s is None else now_s) + LASTS_S
    name = secrets.token_hex(16)
    salt = f"{name}?expires={expires_s}&"
    digest = _digest(salt, secrets.randbelow(settings.PROOF_OF_WORK + 1))
    signature = _seal.close(name, str(expires_s), digest, bound=_whose(user_id, sale_id, session_key))
    return Challenge(ALGORITHM, digest, settings.PROOF_OF_WORK, salt, signature)


def check(payload: str, *, user_id: int, sale_id: int, session_key: str, now_s: float | None = None) -> tuple[str, int]:
    """The challenge's unique name and the seconds it still had: spend it for as long.

    payload: ALTCHA's answer, base64 of a JSON object.

    Raises:
        BadProof: nothing is said about why.
    """
    try:
        solution = msgspec.json.decode(base64.b64decode(payload, validate=True), type=_Solution)
        name, expires, digest = _seal.open(solution.signature, bound=_whose(user_id, sale_id, session_key))
    except (ValueError, BrokenSeal, RecursionError) as error:  # msgspec's and base64's errors are ValueErrors
        raise BadProof from error
    salt = _SALT.fullmatch(solution.salt)
    left_s = int(expires) - int(time.time() if now_s is None else now_s)
    if (
        solution.algorithm != ALGORITHM
        or salt is None
        or salt.groups() != (name, expires)
        or solution.challenge != digest
        or not 0 <= solution.number <= 10**9
        or not hmac.compare_digest(_digest(solution.salt, solution.number), digest)
        or left_s <= 0
    ):
        raise BadProof
    return name, left_s


def _digest(salt: str, number: int) -> str:
    return hashlib.sha256(f"{salt}{number}".encode()).hexdigest()


def _whose(user_id: int, sale_id: int, session_key: str) -> str:
    return f"{user_id}.{sale_id}.{bound_to(session_key)}"
