"""POST and DELETE /api/sales/{id}/line: a place in the waiting room, whichever server took the request.

A place needs the same pass as an order, so that a crowd of scripts draws no numbers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from orders import admission, answers
from orders.admission import Place
from orders.answers import Answer, InLine
from orders.errors import Refused
from orders.purchase import Ask, bearer


async def join(ask: Ask) -> Answer:
    return await _answer(ask, admission.join_line)


async def leave(ask: Ask) -> Answer:
    return await _answer(ask, admission.leave_line)


async def _answer(ask: Ask, act: Callable[..., Awaitable[Place]]) -> Answer:
    try:
        user_id, holds = bearer(ask)
        if not holds:
            raise Refused("pass_expired")
        place = await act(sale_id=ask.sale_id, user_id=user_id, client=ask.client)
    except Refused as why:
        return answers.refused(why)
    return answers.answered(200, InLine(place.word, place.number))
