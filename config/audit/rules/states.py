"""8. Every order's history is a path of the state machine; paid and expired only with a refund; stock returned once."""

from __future__ import annotations

from config.audit.rule import Check, Rule

# Written out again on purpose: a rule that imported the table it checks could not find a wrong step in it.
_ALLOWED = """(VALUES ('', 'created'), ('created', 'confirmed'), ('created', 'rejected'), ('confirmed', 'paid'),
                      ('confirmed', 'expired'), ('confirmed', 'cancelled'), ('paid', 'shipped'),
                      ('shipped', 'delivered'))"""

RULE = Rule(
    number=8,
    name="state machine: every history is a path of it",
    counted="SELECT count(*) FROM steps",
    checks=(
        Check(f"""
            SELECT format('order %s: step %s → %s after %s', order_id, coalesce(nullif(from_status, ''), 'birth'),
                          to_status, coalesce(before, 'nothing'))
            FROM (SELECT *, lag(to_status) OVER (PARTITION BY order_id ORDER BY id) AS before FROM steps) s
            WHERE from_status <> coalesce(before, '') OR (from_status, to_status) NOT IN {_ALLOWED}"""),
        Check("""
            SELECT format('order %s: the row says %s, its last step %s', o.order_id, o.status,
                          coalesce(s.to_status, 'is missing'))
            FROM orders o LEFT JOIN (SELECT DISTINCT ON (order_id) order_id, to_status FROM steps
                                     ORDER BY order_id, id DESC) s USING (order_id)
            WHERE o.status IS DISTINCT FROM s.to_status"""),
        Check("""
            SELECT format('order %s: %s step(s) and no row', order_id, count(*)) FROM steps s
            WHERE NOT EXISTS (SELECT FROM orders o WHERE o.order_id = s.order_id) GROUP BY order_id"""),
        Check("""
            SELECT format('order %s: %s, and its stock was returned', order_id, o.status)
            FROM orders o JOIN ledger l USING (order_id) WHERE l.kind = 'return' AND o.live"""),
        Check("""
            SELECT format('order %s: %s units, but its ledger entry of kind %s has %s', order_id, o.quantity, l.kind,
                          l.quantity)
            FROM orders o JOIN ledger l USING (order_id) WHERE l.quantity <> o.quantity"""),
        Check("""
            SELECT format('order %s: %s, but %s', o.order_id, o.status,
                          CASE WHEN l.id IS NULL THEN 'the ledger never deducted it' ELSE 'the ledger deducted it' END)
            FROM orders o LEFT JOIN ledger l ON l.order_id = o.order_id AND l.kind = 'deduct'
            WHERE (o.status NOT IN ('created', 'rejected') AND l.id IS NULL)
               OR (o.status = 'rejected' AND l.id IS NOT NULL)"""),
        Check("""
            SELECT format('order %s: %s, but its payment is %s', order_id, o.status, coalesce(p.status, 'missing'))
            FROM orders o LEFT JOIN payments p USING (order_id)
            WHERE (o.status IN ('paid', 'shipped', 'delivered') AND p.status IS DISTINCT FROM 'paid')
               OR (o.status IN ('expired', 'cancelled') AND p.status IS DISTINCT FROM o.status)
               OR (o.status IN ('created', 'rejected') AND p.status IS NOT NULL)"""),
        Check("""
            SELECT format('order %s: %s, the bank took %s cents in charge %s and nobody refunds it', c.order_id,
                          p.status, c.amount_cents, c.charge_id)
            FROM charges c JOIN payments p USING (order_id)
            WHERE c.captured AND p.status IN ('expired', 'cancelled')
              AND NOT EXISTS (SELECT FROM refunds r WHERE r.charge_id = c.charge_id)"""),
    ),
)
