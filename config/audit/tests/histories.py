"""Sabotage of what buyers were told: the system answered wrongly, or lost what it had promised."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.utils import timezone

from config.audit.tests.sabotage import breaks
from config.audit.tests.scene import Scene
from orders.tokens import Receipt, sign
from shop.services import schedule_sale

HISTORIES: list[Any] = []
breaking = partial(breaks, into=HISTORIES)


@breaking(3)
def a_buyer_was_promised_an_order_that_is_nowhere(s: Scene) -> str:
    lost = "0198f000-0000-7000-8000-00000000abcd"
    s.history.append({**s.told("ada"), "user": "jon", "key": "jon-key-0", "order_id": lost})
    return f"user {s.world.users['jon'].pk} was told order {lost}, lost"


def promise(s: Scene, *, epoch: int = 1) -> str:
    """Jon was told an order that is nowhere, and its epoch is over. Returns its id."""
    lost = "0198f000-0000-7000-8000-00000000abcd"
    at_ms = s.told("ada")["at"]
    token = sign(Receipt(UUID(lost), s.world.users["jon"].pk, s.world.kettles.pk, epoch, 99, 1, 4900, at_ms))
    s.history.append({**s.told("ada"), "user": "jon", "key": "jon-key-0", "order_id": lost, "token": token})
    s.sql("INSERT INTO orders_void (sale_id, before_epoch, spared) VALUES (%s, 2, '[]')", s.world.kettles.pk)
    return lost


@breaking(3)
def an_order_went_with_rediss_data_and_nobody_declared_it(s: Scene) -> str:
    return f"was told order {promise(s)}, lost"


@breaking(10)
def orders_were_admitted_after_redis_lost_its_data(s: Scene) -> str:
    before = s.told("ada")["at"] - 60_000
    s.history.append({"at": before, "op": "fault", "outcome": "info", "code": "redis_data_lost"})
    s.sql(
        "INSERT INTO inventory_rebuild (sale_id, epoch, reason, closed_at, opened_at) VALUES (%s, 2, '', now(), now())",
        s.world.kettles.pk,
    )
    return "ms after Redis lost data"


@breaking(3)
def a_buyer_who_was_refused_got_an_order(s: Scene) -> str:
    s.told("bob").update(outcome="fail", code="sold_out")
    return f"order {s.order('bob')}: user {s.world.users['bob'].pk} was only ever told no (sold_out)"


@breaking(3)
def a_buyer_got_an_order_nobody_asked_for(s: Scene) -> str:
    s.told("ivy")["key"] = "ivy-asked-with-this"
    return f"order {s.order('ivy')}: user {s.world.users['ivy'].pk} never asked for it"


@breaking(5)
def a_retry_was_answered_with_another_token(s: Scene) -> str:
    s.history.append({**s.told("ada"), "token": "another"})
    return f"user {s.world.users['ada'].pk}, key ada-key-{s.world.kettles.pk}: told 1 orders, 2 tokens"


@breaking(5)
def a_key_was_answered_for_another_quantity(s: Scene) -> str:
    s.history.append({**s.told("ada"), "quantity": 2})
    return f"user {s.world.users['ada'].pk}, key ada-key-{s.world.kettles.pk}: told 1 orders, 1 tokens, 1 prices, 2"


@breaking(5)
def a_buyer_was_told_another_price(s: Scene) -> str:
    s.told("bob")["price_cents"] = 1
    return f"user {s.world.users['bob'].pk} was told order {s.order('bob')}, 1 units at 1"


@breaking(9)
def a_buyer_was_told_it_is_paid(s: Scene) -> str:
    s.history.append({**s.told("cleo"), "op": "pay"})
    return f"order {s.order('cleo')}: its buyer was told it is paid; payment pending"


@breaking(12)
def a_buyer_was_told_sold_out_while_units_were_left(s: Scene) -> str:
    """One failure that marks the goods sold out for everybody."""
    now = timezone.now()
    mugs = schedule_sale(
        product=s.world.kettles.product, price_cents=100, stock=3, per_user_limit=1, starts_at=now,
        ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    s.world.settle()
    s.history.append({**s.told("hal"), "sale_id": mugs.pk})
    return f"sale {mugs.pk}: buyers were told sold out of 1 unit(s), but only 0 of 3 were ever admitted"
