"""The tables the rules are written against: temporary ones for Redis and the history, views over PostgreSQL's own.

Ids are text on both sides, so that a malformed id in Redis is an offender and not an error.
"""

from __future__ import annotations

TABLES = """
-- Every entry of every topic. `fenced`: it was there when the groups' state was read (see fence.py).
-- `position` is its offset as one number: milliseconds * 1,000,000 + n. `due_ms`: it was delayed until then.
CREATE TEMP TABLE entries (topic text, partition text, position bigint, fenced boolean, message_id text, name text,
                           key text, due_ms bigint);
-- A consumer group's raw state in a partition at the fence, beside the counters it claims. `start`: the position after
-- which it began, or was last put.
CREATE TEMP TABLE groups (topic text, partition text, name text, last bigint, skipped bigint, acked bigint,
                          done bigint, purged bigint, moved bigint, start bigint);
CREATE TEMP TABLE partitions (topic text, partition text, appended bigint, trimmed bigint, scheduled bigint,
                              promoted bigint, cancelled bigint, moved bigint, ever_added bigint, length bigint,
                              last_deleted text);
-- Delayed messages that are not in the log yet; set_ is later and drafts, each in both, or leaving, by itself.
CREATE TEMP TABLE later (topic text, partition text, message_id text, set_ text);
-- Entries that were appended to a partition their key did not belong to then, as the topic had grown.
CREATE TEMP TABLE misplaced (topic text, partition text, position bigint, key text, belongs text);
CREATE TEMP TABLE pending (topic text, partition text, name text, position bigint);
-- Messages a group holds outside the log, each with an envelope: set_ is retry, holders, parked, dead or
-- leaving: on its way to the partition that its key moved to.
CREATE TEMP TABLE held (topic text, partition text, name text, message_id text, set_ text);
CREATE TEMP TABLE envelopes (topic text, partition text, name text, message_id text, set_ text, key text,
                             event text, order_id text);
-- In ordered mode: the message that each blocked key waits for.
CREATE TEMP TABLE heads (topic text, partition text, name text, key text, message_id text);
-- What is said of messages: that a dead one is quarantined, or that one was dead and an operator purged it.
CREATE TEMP TABLE marks (topic text, partition text, name text, message_id text, mark text);
CREATE TEMP TABLE subscriptions (name text, topic text, event text);

-- Admissions, read from entries of orders.placed and from envelopes of group orders.
CREATE TEMP TABLE placed (order_id text, sale_id bigint, user_id bigint, key text, quantity bigint,
                          price_cents bigint, seq bigint, epoch bigint, placed_at_ms bigint, entry_ms bigint,
                          message_id text, state text);
CREATE TEMP TABLE gates (sale_id bigint, stock bigint, price_cents bigint, starts_at_ms bigint, ends_at_ms bigint,
                         per_user_limit bigint, epoch bigint, seq bigint, units bigint, returned bigint,
                         is_open boolean);
CREATE TEMP TABLE buyers (sale_id bigint, user_id bigint, units bigint);
CREATE TEMP TABLE answers (sale_id bigint, user_id bigint, key text, order_id text, quantity bigint,
                           price_cents bigint, placed_at_ms bigint, fenced boolean);
CREATE TEMP TABLE applied (sale_id bigint, ledger_id bigint);
-- What a sale was ever announced as: its window, limit and price may have been changed since.
CREATE TEMP TABLE announced (sale_id bigint, starts_at_ms bigint, ends_at_ms bigint, per_user_limit bigint,
                             price_cents bigint);
-- Every admission there is evidence of, from its entry, its envelope or, when both are gone, its answer.
-- state: where group orders had it at the fence: undelivered, pending, retry, parked, dead, purged, acked; answered:
-- only its answer is left; later: it came after the fence.
CREATE TEMP TABLE admitted (order_id text, sale_id bigint, user_id bigint, key text, quantity bigint,
                            price_cents bigint, placed_at_ms bigint, state text);
-- What a full scan of a partition comes to for a group, beside the counters. `ever_added` is Redis's own count.
CREATE TEMP TABLE scan (topic text, partition text, name text, skipped bigint, acked bigint, done bigint,
                        purged bigint, moved bigint, ever_added bigint, pending bigint, undelivered bigint,
                        held bigint);
-- What had not come to rest when the audit was told to wait for it.
CREATE TEMP TABLE on_its_way (what text, count bigint);

-- The load generator's history, line by line.
CREATE TEMP TABLE told (line bigint, at_ms bigint, op text, outcome text, code text, user_id bigint, sale_id bigint,
                        key text, order_id text, token text, quantity bigint, price_cents bigint, total_cents bigint,
                        status text, user_name text, epoch bigint, admitted_at_ms bigint);
-- What the run says was done to the system on purpose.
CREATE TEMP TABLE faults (code text, at_ms bigint);
-- Which Redis this is, which one was approved, and how far its relay has told.
CREATE TEMP TABLE store (run_id text, approved text, tide bigint);
-- Orders that buyers were told and that went with Redis's data, in a run that declared it.
CREATE TEMP TABLE declared (order_id text, user_id bigint, sale_id bigint, epoch bigint, quantity bigint);
"""

# {sale} is empty or a condition on sale_id; {order} one on an order's UUID.
COMPLETED = """
UPDATE told SET user_id = u.id FROM shop_user u WHERE u.username = told.user_name AND told.user_id IS NULL;
INSERT INTO admitted SELECT order_id, sale_id, user_id, key, quantity, price_cents, placed_at_ms, state FROM placed;
INSERT INTO admitted
  SELECT order_id, sale_id, user_id, key, quantity, price_cents, placed_at_ms,
         CASE WHEN fenced THEN 'answered' ELSE 'later' END
  FROM answers a WHERE NOT EXISTS (SELECT FROM placed p WHERE p.order_id = a.order_id);
INSERT INTO faults SELECT code, at_ms FROM told WHERE op = 'fault';
INSERT INTO declared
  SELECT DISTINCT ON (t.order_id) t.order_id, t.user_id, t.sale_id, t.epoch, coalesce(t.quantity, 1)
  FROM told t JOIN voids v USING (sale_id)
  WHERE t.op = 'place' AND t.outcome = 'ok' AND t.epoch < v.before_epoch AND NOT v.spared @> to_jsonb(t.order_id)
    AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = t.order_id)
    AND NOT EXISTS (SELECT FROM admitted a WHERE a.order_id = t.order_id)
    AND EXISTS (SELECT FROM faults WHERE code = 'redis_data_lost');
INSERT INTO scan
  SELECT g.topic, g.partition, g.name, g.skipped, g.acked, g.done, g.purged, g.moved, p.ever_added,
         coalesce(w.pending, 0), coalesce(u.undelivered, 0), coalesce(h.held, 0)
  FROM groups g JOIN partitions p USING (topic, partition)
  LEFT JOIN (SELECT topic, partition, name, count(*) AS pending FROM pending GROUP BY 1, 2, 3) w
    USING (topic, partition, name)
  LEFT JOIN (SELECT topic, partition, name, count(*) AS held FROM held GROUP BY 1, 2, 3) h
    USING (topic, partition, name)
  LEFT JOIN (SELECT e.topic, e.partition, n.name, count(*) AS undelivered
             FROM entries e JOIN groups n ON (n.topic, n.partition) = (e.topic, e.partition) AND e.position > n.last
             WHERE e.fenced GROUP BY 1, 2, 3) u USING (topic, partition, name);
ANALYZE admitted;
"""

VIEWS = """
CREATE TEMP VIEW orders AS
  SELECT id::text AS order_id, sale_id, user_id, idempotency_key AS key, quantity, price_cents, total_cents, status,
         epoch, seq, placed_at, status IN ('created', 'confirmed', 'paid', 'shipped', 'delivered') AS live
  FROM orders_order WHERE {sale};
CREATE TEMP VIEW steps AS
  SELECT id, order_id::text AS order_id, from_status, to_status, cause,
         (extract(epoch FROM at) * 1000)::bigint AS at_ms FROM orders_transition WHERE {order};
CREATE TEMP VIEW stocks AS SELECT sale_id, initial, added, sold, epoch FROM inventory_salestock WHERE {sale};
-- Gates that lost their data: closed, and opened again in this epoch.
CREATE TEMP VIEW rebuilds AS
  SELECT sale_id, epoch, reason, floor(extract(epoch FROM closed_at) * 1000)::bigint AS closed_ms,
         ceil(extract(epoch FROM opened_at) * 1000)::bigint AS opened_ms FROM inventory_rebuild WHERE {sale};
CREATE TEMP VIEW voids AS SELECT sale_id, before_epoch, spared FROM orders_void WHERE {sale};
CREATE TEMP VIEW ledger AS
  SELECT id, sale_id, order_id::text AS order_id, user_id, kind, quantity, applied_at
  FROM inventory_ledgerentry WHERE {sale};
-- Units the ledger let go, per order. An order it rejected was never deducted: its return frees the gate's unit only.
CREATE TEMP VIEW sold AS
  SELECT d.sale_id, d.order_id, d.quantity - coalesce(r.quantity, 0) AS units
  FROM ledger d LEFT JOIN ledger r ON r.order_id = d.order_id AND r.kind = 'return' WHERE d.kind = 'deduct';
CREATE TEMP VIEW sales AS
  SELECT id AS sale_id, price_cents, per_user_limit, starts_at, ends_at FROM shop_sale WHERE {sale_pk};
CREATE TEMP VIEW payments AS
  SELECT order_id::text AS order_id, amount_cents, status FROM payments_payment WHERE {sale};
CREATE TEMP VIEW charges AS
  SELECT id AS charge_id, payment_id::text AS order_id, amount_cents, captured_at IS NOT NULL AS captured
  FROM payments_charge WHERE {payment};
CREATE TEMP VIEW refunds AS
  SELECT id::text AS refund_id, charge_id, order_id::text AS order_id, amount_cents, status
  FROM payments_refund WHERE {order};
CREATE TEMP VIEW shipments AS SELECT order_id::text AS order_id, status FROM logistics_shipment WHERE {order};
CREATE TEMP VIEW notices AS
  SELECT id::text AS notice_id, user_id, order_id::text AS order_id, kind, channel, attempt, status
  FROM notifications_notification WHERE {order} AND order_id IS NOT NULL;
CREATE TEMP VIEW reachable AS
  SELECT id AS user_id, 'sms' AS channel FROM shop_user WHERE phone <> ''
  UNION ALL SELECT id, 'email' FROM shop_user WHERE email <> '';
CREATE TEMP VIEW phone AS
  SELECT idempotency_key::text AS notice_id FROM notifications_phonemessage WHERE {notice};
CREATE TEMP VIEW terms AS
  SELECT sale_id, starts_at_ms, ends_at_ms, per_user_limit, price_cents FROM announced
  UNION SELECT sale_id, starts_at_ms, ends_at_ms, per_user_limit, price_cents FROM gates
  UNION SELECT sale_id, floor(extract(epoch FROM starts_at) * 1000)::bigint,
               ceil(extract(epoch FROM ends_at) * 1000)::bigint, per_user_limit, price_cents FROM sales;
CREATE TEMP VIEW inbox AS
  SELECT split_part("group", '#', 1) AS name, message_id::text AS message_id FROM queueing_inboxentry;
CREATE TEMP VIEW outbox AS SELECT id, name AS event, key FROM queueing_outboxmessage;
"""


def statements(sale_id: int | None) -> str:
    """All of it; with a sale, the views show that sale alone."""
    if sale_id is None:
        conditions = dict.fromkeys(("sale", "sale_pk", "order", "payment"), "true")
        # What operators are told is about no order.
        told = "SELECT id FROM notifications_notification WHERE order_id IS NULL"
        conditions["notice"] = f"idempotency_key NOT IN ({told})"
    else:
        sale = int(sale_id)
        of_sale = f"SELECT id FROM orders_order WHERE sale_id = {sale}"  # noqa: S608  (an int)
        conditions = {
            "sale": f"sale_id = {sale}",
            "sale_pk": f"id = {sale}",
            "order": f"order_id IN ({of_sale})",
            "payment": f"payment_id IN ({of_sale})",
            "notice": f"idempotency_key IN (SELECT id FROM notifications_notification WHERE order_id IN ({of_sale}))",  # noqa: S608
        }
    return TABLES + VIEWS.format(**conditions)
