"""Sabotage of PostgreSQL's rows."""

from __future__ import annotations

from functools import partial
from typing import Any

from config.audit.tests.sabotage import breaks
from config.audit.tests.scene import Scene

ROWS: list[Any] = []
breaking = partial(breaks, into=ROWS)


@breaking(1)
def the_ledger_lost_its_check(s: Scene) -> str:
    s.drop_constraint("inventory_salestock", "sold_within_stock")
    return "no valid CHECK"


@breaking(1)
def more_lamps_sold_than_there_were(s: Scene) -> str:
    s.drop_constraint("inventory_salestock", "sold_within_stock")
    s.sql("UPDATE inventory_salestock SET initial = 0 WHERE sale_id = %s", s.world.lamp.pk)
    s.sql("UPDATE inventory_ledgerentry SET quantity = 0 WHERE sale_id = %s AND kind = 'open'", s.world.lamp.pk)
    s.redis.hincrby(s.gate.replace(str(s.world.kettles.pk), str(s.world.lamp.pk)), "stock", -1)
    return f"sale {s.world.lamp.pk}: 1 units in live orders, stock 0"


@breaking(2)
def the_row_of_the_stock_forgot_a_unit(s: Scene) -> str:
    s.sql("UPDATE inventory_salestock SET sold = sold - 1 WHERE sale_id = %s", s.world.kettles.pk)
    return f"sale {s.world.kettles.pk}: the row says"


@breaking(3, 8)
def an_order_vanished(s: Scene) -> str:
    s.sql("DELETE FROM orders_order WHERE id = %s", s.order("cleo"))
    return f"order {s.order('cleo')}: admitted for user {s.world.users['cleo'].pk}, lost"


@breaking(3)
def an_order_was_never_admitted(s: Scene) -> str:
    """Written past the gate with everything that belongs to a cancelled order, its unit never taken."""
    ghost = "0198f000-0000-7000-8000-000000000000"
    s.sql(
        "INSERT INTO orders_order (id, sale_id, user_id, idempotency_key, quantity, price_cents, total_cents, status,"
        " epoch, seq, placed_at, created_at, updated_at, reject_reason)"
        " SELECT %s, sale_id, 4242, 'ghost-key', quantity, price_cents, total_cents, 'rejected', epoch, seq, placed_at,"
        " now(), now(), '' FROM orders_order WHERE id = %s",
        ghost,
        s.order("bob"),
    )
    for before, after, event in (("", "created", "OrderCreated"), ("created", "rejected", "OrderRejected")):
        s.sql(
            "INSERT INTO orders_transition (order_id, from_status, to_status, cause, at)"
            " VALUES (%s, %s, %s, 'x', now())",
            ghost, before, after,
        )  # fmt: skip
        s.sql(
            "INSERT INTO queueing_outboxmessage (lane, message_id, topic, key, name, version, body, headers,"
            " produced_at_ms) VALUES (0, gen_random_uuid(), 'orders.events', %s, %s, 1, '{}', '{}', 0)",
            ghost, f"orders.{event}",
        )  # fmt: skip
    return f"order {ghost} of user 4242: never admitted"


@breaking(3)
def an_order_went_to_somebody_else(s: Scene) -> str:
    s.sql("UPDATE orders_order SET user_id = 4242 WHERE id = %s", s.order("cleo"))
    return f"order {s.order('cleo')}: the row says sale {s.world.kettles.pk}, user 4242"


@breaking(7)
def a_consumer_forgot_what_it_handled(s: Scene) -> str:
    s.sql("DELETE FROM queueing_inboxentry WHERE (\"group\", message_id) IN"
          " (SELECT \"group\", message_id FROM queueing_inboxentry WHERE \"group\" = 'logistics' LIMIT 1)")  # fmt: skip
    return "logistics acknowledged orders.OrderPaid"


@breaking(7)
def a_message_was_never_written(s: Scene) -> str:
    s.sql(
        "WITH gone AS (DELETE FROM notifications_notification WHERE order_id = %s AND kind = 'paid' AND channel = 'sms'"
        " RETURNING id) DELETE FROM notifications_phonemessage WHERE idempotency_key IN (SELECT id FROM gone)",
        s.order("bob"),
    )
    return f"order {s.order('bob')}: notifications handled orders.OrderPaid and wrote no sms"


@breaking(7)
def a_message_was_written_twice(s: Scene) -> str:
    s.drop_constraint("notifications_notification", "notification_once")
    s.sql(
        'INSERT INTO notifications_notification (id, order_id, user_id, kind, channel, attempt, "to", subject, text,'
        ' status, tries, reason) SELECT gen_random_uuid(), order_id, user_id, kind, channel, attempt, "to", subject,'
        " text, 'failed', 1, '' FROM notifications_notification WHERE order_id = %s AND kind = 'paid'",
        s.order("bob"),
    )
    return f"order {s.order('bob')}: told paid by sms 2 times"


@breaking(7)
def a_message_rang_twice(s: Scene) -> str:
    s.drop_constraint("notifications_phonemessage", "notifications_phonemessage_idempotency_key_key")
    s.sql(
        'INSERT INTO notifications_phonemessage (idempotency_key, channel, "to", subject, text)'
        ' SELECT idempotency_key, channel, "to", subject, text FROM notifications_phonemessage LIMIT 1'
    )
    return "sent, and 2 messages on the phone"


@breaking(7)
def a_message_never_rang(s: Scene) -> str:
    s.sql("DELETE FROM notifications_phonemessage WHERE id = (SELECT min(id) FROM notifications_phonemessage)")
    return "sent, and 0 messages on the phone"


@breaking(7)
def a_parcel_was_never_made(s: Scene) -> str:
    s.sql("DELETE FROM logistics_shipment WHERE order_id = %s", s.order("bob"))
    return f"order {s.order('bob')}: logistics handled orders.OrderPaid and left nothing in shipments"


@breaking(7)
def a_parcel_left_without_payment(s: Scene) -> str:
    s.sql(
        "INSERT INTO logistics_shipment (order_id, user_id, tracking_number, status, created_at, moved_at,"
        " next_step_at) VALUES (%s, %s, 'FREE-LUNCH', 'packed', now(), now(), now())",
        s.order("cleo"), s.world.users["cleo"].pk,
    )  # fmt: skip
    return f"order {s.order('cleo')}: a parcel for an order that was never paid"


@breaking(7, 8)
def stock_was_never_deducted(s: Scene) -> str:
    s.sql("DELETE FROM inventory_ledgerentry WHERE order_id = %s AND kind = 'deduct'", s.order("cleo"))
    s.sql("UPDATE inventory_salestock SET sold = sold - 1 WHERE sale_id = %s", s.world.kettles.pk)
    return f"order {s.order('cleo')}: confirmed, but the ledger never deducted it"


@breaking(7)
def stock_was_deducted_twice(s: Scene) -> str:
    s.drop_constraint("inventory_ledgerentry", "one_entry_per_order_and_kind")
    s.sql(
        "INSERT INTO inventory_ledgerentry (sale_id, order_id, user_id, kind, quantity)"
        " SELECT sale_id, order_id, user_id, kind, quantity FROM inventory_ledgerentry WHERE order_id = %s",
        s.order("cleo"),
    )
    s.sql("UPDATE inventory_salestock SET sold = sold + 1 WHERE sale_id = %s", s.world.kettles.pk)
    return f"order {s.order('cleo')}: 2 ledger entries of kind deduct"


@breaking(8)
def an_order_was_paid_before_it_was_confirmed(s: Scene) -> str:
    s.sql(
        "UPDATE orders_transition SET from_status = 'created' WHERE order_id = %s AND to_status = 'paid'",
        s.order("bob"),
    )
    return f"order {s.order('bob')}: step created → paid after confirmed"


@breaking(8, 12)
def a_row_is_behind_its_history(s: Scene) -> str:
    s.sql("UPDATE orders_order SET status = 'paid' WHERE id = %s", s.order("bob"))
    return f"order {s.order('bob')}: the row says paid, its last step shipped"


@breaking(8)
def stock_came_back_for_an_order_that_lives(s: Scene) -> str:
    row = s.pg.execute(
        "INSERT INTO inventory_ledgerentry (sale_id, order_id, user_id, kind, quantity, applied_at)"
        " SELECT sale_id, order_id, user_id, 'return', quantity, now() FROM inventory_ledgerentry"
        " WHERE order_id = %s AND kind = 'deduct' RETURNING id",
        [s.order("bob")],
    ).fetchone()
    s.sql("UPDATE inventory_salestock SET sold = sold - 1 WHERE sale_id = %s", s.world.kettles.pk)
    s.redis.sadd(f"{s.gate}:applied", row[0])
    s.redis.hincrby(s.gate, "stock", 1)
    s.redis.hincrby(s.gate, "returned", 1)
    s.redis.hdel(f"{s.gate}:buyers", s.world.users["bob"].pk)
    return f"order {s.order('bob')}: shipped, and its stock was returned"


@breaking(8, 9)
def late_money_was_kept(s: Scene) -> str:
    s.sql("DELETE FROM payments_refund WHERE order_id = %s", s.order("finn"))
    return f"order {s.order('finn')}: expired, the bank took 4900 cents"


@breaking(5, 9)
def a_price_changed_after_admission(s: Scene) -> str:
    s.sql("UPDATE orders_order SET price_cents = 1, total_cents = 1 WHERE id = %s", s.order("cleo"))
    return f"order {s.order('cleo')}: 1 cents a unit, admitted at 4900"


@breaking(9)
def a_payment_asks_too_little(s: Scene) -> str:
    s.sql("UPDATE payments_payment SET amount_cents = 1 WHERE order_id = %s", s.order("cleo"))
    return f"order {s.order('cleo')}: costs 4900 cents, its payment asks 1"


@breaking(9)
def the_shop_books_money_the_bank_has_not(s: Scene) -> str:
    s.sql(
        "UPDATE payments_democharge SET status = 'open', paid_at = NULL"
        " WHERE id::text = (SELECT id FROM payments_charge WHERE payment_id = %s)", s.order("bob"),
    )  # fmt: skip
    return f"of order {s.order('bob')}: the bank says open, the shop captured"


@breaking(9)
def a_capture_was_booked_twice(s: Scene) -> str:
    s.sql(
        "INSERT INTO payments_charge (id, payment_id, amount_cents, created_at, captured_at)"
        " SELECT 'twice', payment_id, amount_cents, now(), now() FROM payments_charge WHERE payment_id = %s",
        s.order("bob"),
    )
    return f"order {s.order('bob')}: payment paid of 4900 cents, captured 9800, refunded 0"


@breaking(9)
def the_bank_never_paid_a_refund_back(s: Scene) -> str:
    s.sql("DELETE FROM payments_demorefund")
    return f"of order {s.order('finn')}: the shop says succeeded of 4900 cents, the bank paid back 0"


@breaking(10)
def the_gate_admits_in_an_epoch_that_is_over(s: Scene) -> str:
    s.sql("UPDATE inventory_salestock SET epoch = 2 WHERE sale_id = %s", s.world.kettles.pk)
    return f"sale {s.world.kettles.pk}: its gate admits in epoch 1, PostgreSQL is in epoch 2"


@breaking(10)
def a_gate_that_lost_its_data_was_never_opened(s: Scene) -> str:
    s.sql(
        "INSERT INTO inventory_rebuild (sale_id, epoch, reason) VALUES (%s, 1, 'its gate is gone')", s.world.kettles.pk
    )
    return f"sale {s.world.kettles.pk}: closed to begin epoch 1 and never opened: its gate is gone"


@breaking(10)
def a_closed_gate_admitted(s: Scene) -> str:
    s.sql(
        "INSERT INTO inventory_rebuild (sale_id, epoch, reason, closed_at, opened_at)"
        " VALUES (%s, 2, '', now() - interval '1 hour', now())", s.world.kettles.pk,
    )  # fmt: skip
    return f"ms after sale {s.world.kettles.pk} was closed to begin epoch 2"


@breaking(10)
def the_relay_told_what_redis_never_had(s: Scene) -> str:
    s.sql("UPDATE queueing_tide SET told = told + 1000")
    return "batches, Redis has"


@breaking(11)
def a_row_claims_another_time(s: Scene) -> str:
    s.sql("UPDATE orders_order SET placed_at = placed_at - interval '1 day' WHERE id = %s", s.order("cleo"))
    return f"order {s.order('cleo')}: the row says placed at"


@breaking(12)
def a_unit_was_never_returned(s: Scene) -> str:
    row = s.pg.execute(
        "DELETE FROM inventory_ledgerentry WHERE order_id = %s AND kind = 'return' RETURNING id", [s.order("dan")]
    ).fetchone()
    s.sql("UPDATE inventory_salestock SET sold = sold + 1 WHERE sale_id = %s", s.world.kettles.pk)
    assert s.redis.srem(f"{s.gate}:applied", row[0]) == 1
    s.redis.hincrby(s.gate, "stock", -1)
    s.redis.hincrby(s.gate, "returned", -1)
    s.redis.hincrby(f"{s.gate}:buyers", str(s.world.users["dan"].pk), 1)
    return f"order {s.order('dan')}: expired, and its unit was never returned"


@breaking(7, 12)
def a_paid_order_was_forgotten(s: Scene) -> str:
    s.sql("DELETE FROM logistics_shipment WHERE order_id = %s", s.order("bob"))
    s.sql("DELETE FROM orders_transition WHERE order_id = %s AND to_status = 'shipped'", s.order("bob"))
    s.sql("UPDATE orders_order SET status = 'paid' WHERE id = %s", s.order("bob"))
    return f"order {s.order('bob')}: paid, and no parcel was made"
