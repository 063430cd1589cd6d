"""7. Every consumer's effect of every event happens once, and order per key holds.

The inbox row and the effect are written in one transaction, so in one snapshot each event in a group's inbox has its
effect; and each entry the group acknowledged is in its inbox, or among what it holds back (retries, dead letters). What
an operator purged had no effect and never will: each is named.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule


def _effect(group: str, event: str, table: str, *, of: str = "true", needed: str = "true") -> Check:
    """Each `event` in the inbox of `group` has a row f in `table` for its order o.

    of: which rows f count. needed: which orders o need one. Kept apart, or the join would be a nested loop.
    """
    return Check(f"""
        SELECT format('order %s: {group} handled {event} and left nothing in {table}', e.key)
        FROM (SELECT DISTINCT key, message_id FROM entries WHERE name = '{event}') e
        JOIN inbox i ON i.name = '{group}' AND i.message_id = e.message_id
        JOIN orders o ON o.order_id = e.key
        WHERE {needed} AND NOT EXISTS (SELECT FROM {table} f WHERE f.order_id = e.key AND {of})""")


# The events orders tells, by the status they announce.
_TOLD = """(VALUES ('created', 'orders.OrderCreated'), ('confirmed', 'orders.OrderConfirmed'),
                   ('rejected', 'orders.OrderRejected'), ('paid', 'orders.OrderPaid'),
                   ('expired', 'orders.OrderExpired'), ('cancelled', 'orders.OrderCancelled'))
           AS t (to_status, event)"""

# Since when everything told is certain to be in the logs: the first entry of a trimmed partition, and a minute more for
# clocks that differ. What was told before may have been told twice and trimmed once. And since the last time Redis lost
# its data and the gates were opened again.
_KEPT_SINCE = """(SELECT greatest(coalesce(max(coalesce(f.first, 9223372036854) + 60000), 0),
                     (SELECT coalesce(max(coalesce(opened_ms, closed_ms)) + 1000, 0) FROM rebuilds)) FROM partitions p
    LEFT JOIN LATERAL (SELECT min(e.position) / 1000000 AS first FROM entries e
                       WHERE (e.topic, e.partition) = (p.topic, p.partition)) f ON true
    WHERE p.topic = 'orders.events' AND p.trimmed > 0)"""

# A key only ever moves to a partition of a higher number, and what it has there came after all that it had before.
_PLACE = "partition::numeric * 1e22 + position"

RULE = Rule(
    number=7,
    name="effects once: what a group acknowledged it did, once, in order",
    counted="SELECT count(*) FROM inbox",
    checks=(
        Check("""
            SELECT format('%s/%s: %s acknowledged %s %s without having handled it%s', e.topic, e.partition, g.name,
                          e.name, e.message_id,
                          CASE WHEN EXISTS (SELECT FROM marks m WHERE m.mark = 'purged' AND (m.topic, m.name,
                            m.message_id) = (e.topic, s.name, e.message_id))
                          THEN ', as an operator purged it' ELSE '' END)
            FROM entries e
            JOIN subscriptions s ON s.topic = e.topic AND s.event = e.name
            JOIN groups g ON (g.topic, g.partition, g.name) = (e.topic, e.partition, s.name)
            WHERE e.fenced AND e.position <= g.last AND e.position > g.start
              AND NOT EXISTS (SELECT FROM inbox i WHERE i.name = s.name AND i.message_id = e.message_id)
              AND NOT EXISTS (SELECT FROM pending w WHERE (w.topic, w.partition, w.name, w.position)
                              = (e.topic, e.partition, s.name, e.position))
              AND NOT EXISTS (SELECT FROM held h WHERE (h.topic, h.name, h.message_id)
                              = (e.topic, s.name, e.message_id))"""),
        _effect(
            "inventory",
            "orders.OrderCreated",
            "ledger",
            of="f.kind = 'deduct'",
            needed="o.status NOT IN ('created', 'rejected')",
        ),
        _effect("payments", "orders.OrderConfirmed", "payments"),
        _effect("logistics", "orders.OrderPaid", "shipments"),
        Check("""
            SELECT format('order %s: notifications handled its admission and wrote no %s', p.order_id, r.channel)
            FROM placed p JOIN inbox i ON i.name = 'notifications' AND i.message_id = p.message_id
            JOIN reachable r USING (user_id)
            WHERE NOT EXISTS (SELECT FROM notices n
                              WHERE (n.order_id, n.kind, n.channel) = (p.order_id, 'received', r.channel))"""),
        Check("""
            SELECT format('order %s: notifications handled %s and wrote no %s', e.key, e.name, r.channel)
            FROM entries e
            JOIN (VALUES ('orders.OrderConfirmed', 'confirmed'), ('orders.OrderPaid', 'paid'),
                         ('orders.OrderExpired', 'expired'), ('orders.OrderRejected', 'rejected'),
                         ('orders.OrderCancelled', 'cancelled'), ('payments.PaymentFailed', 'payment_failed'),
                         ('logistics.ShipmentCreated', 'shipped'), ('logistics.ShipmentDelivered', 'delivered'),
                         ('payments.RefundSucceeded', 'refunded')) AS k (event, kind) ON k.event = e.name
            JOIN inbox i ON i.name = 'notifications' AND i.message_id = e.message_id
            JOIN orders o ON o.order_id = e.key
            JOIN reachable r USING (user_id)
            WHERE NOT EXISTS (SELECT FROM notices n
                              WHERE (n.order_id, n.kind, n.channel) = (e.key, k.kind, r.channel))"""),
        Check("""
            SELECT format('order %s: %s ledger entries of kind %s', order_id, count(*), kind) FROM ledger
            WHERE order_id IS NOT NULL GROUP BY order_id, kind HAVING count(*) > 1"""),
        Check("""
            SELECT format('order %s: told %s by %s %s times', order_id, kind, channel, count(*)) FROM notices
            GROUP BY order_id, kind, channel, attempt HAVING count(*) > 1"""),
        Check("""
            SELECT format('notification %s: %s, and %s messages on the phone', n.notice_id, n.status,
                          count(p.notice_id))
            FROM notices n LEFT JOIN phone p USING (notice_id)
            GROUP BY n.notice_id, n.status
            HAVING count(p.notice_id) > 1 OR (n.status = 'sent' AND count(p.notice_id) = 0)"""),
        Check("""
            SELECT format('the phone got message %s, which nobody sent', notice_id) FROM phone p
            WHERE NOT EXISTS (SELECT FROM notices n WHERE n.notice_id = p.notice_id)"""),
        Check("""
            SELECT format('order %s: a parcel for an order that was never paid', order_id) FROM shipments f
            WHERE NOT EXISTS (SELECT FROM steps t WHERE t.order_id = f.order_id AND t.to_status = 'paid')"""),
        Check("""
            SELECT format('order %s: a payment for an order that was never confirmed', order_id) FROM payments f
            WHERE NOT EXISTS (SELECT FROM steps t WHERE t.order_id = f.order_id AND t.to_status = 'confirmed')"""),
        # Told and forgotten: the outbox row went with the step, and neither it nor the entry is there.
        Check(f"""
            SELECT format('order %s: %s, and nobody was told', s.order_id, s.to_status) FROM steps s
            JOIN {_TOLD} USING (to_status)
            WHERE NOT EXISTS (SELECT FROM entries e WHERE e.topic = 'orders.events' AND e.key = s.order_id
                              AND e.name = t.event)
              AND NOT EXISTS (SELECT FROM outbox b WHERE b.key = s.order_id AND b.event = t.event)
              AND s.at_ms > {_KEPT_SINCE}"""),
        Check(f"""
            SELECT format('order %s: %s was told before what it follows', order_id, event) FROM (
              SELECT s.order_id, t.event, e.position,
                     lag(e.position) OVER (PARTITION BY s.order_id ORDER BY s.id) AS before
              FROM steps s JOIN {_TOLD} USING (to_status)
              JOIN (SELECT key, name, min({_PLACE}) AS position FROM entries WHERE topic = 'orders.events'
                    GROUP BY 1, 2) e ON e.key = s.order_id AND e.name = t.event
              WHERE NOT EXISTS (SELECT FROM steps b WHERE b.order_id = s.order_id AND b.at_ms <= {_KEPT_SINCE})
            ) f WHERE position < before"""),
    ),
)
