"""From a puzzle to a pass, before the start: the hot second does no work but HMACs."""

from __future__ import annotations

import msgspec

from orders import admission, passes, proof_of_work
from orders.answers import Passed
from orders.bodies import parse
from orders.errors import Refused
from orders.models import Offer
from orders.proof_of_work import BadProof, Challenge


class Solved(msgspec.Struct, forbid_unknown_fields=True):
    """The whole body: what ALTCHA's widget puts into its form field of this name."""

    altcha: str


_decoder = msgspec.json.Decoder(Solved)


def begin(*, sale_id: int, user_id: int, session_key: str) -> Challenge:
    """
    Raises:
        Refused: there is no such sale.
    """
    if admission.standing(sale_id) is None and not Offer.objects.filter(sale_id=sale_id).exists():
        raise Refused("unknown_sale")
    return proof_of_work.challenge(user_id=user_id, sale_id=sale_id, session_key=session_key)


def end(*, sale_id: int, user_id: int, session_key: str, body: bytes | None) -> Passed:
    """A pass for a puzzle of this buyer, session and sale that is solved and unspent.

    The puzzle is spent first: whoever loses the answer solves another one, and nobody gets two passes for one.

    Raises:
        Refused: it is not; or Redis, which remembers what is spent, is away.
    """
    solved = parse(body, _decoder, what="a solved puzzle")
    try:
        name, left_s = proof_of_work.check(solved.altcha, user_id=user_id, sale_id=sale_id, session_key=session_key)
    except BadProof as error:
        raise Refused("bad_proof") from error
    if not admission.spend(sale_id=sale_id, name=name, for_s=left_s):
        raise Refused("bad_proof")
    text, expires_s = passes.issue(user_id=user_id, sale_id=sale_id, session_key=session_key)
    return Passed(text, expires_s)
