"""9. Money is integer cents; the price is the server's, fixed at admission; captured - refunded = paid orders."""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=9,
    name="money: fixed at admission, captured - refunded = paid",
    counted="SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM payments)",
    checks=(
        Check("""
            SELECT format('order %s: %s units at %s cents are not %s cents', order_id, quantity, price_cents,
                          total_cents)
            FROM orders WHERE total_cents <> quantity * price_cents"""),
        Check("""
            SELECT format('order %s: %s cents a unit, admitted at %s', order_id, o.price_cents, a.price_cents)
            FROM orders o JOIN admitted a USING (order_id) WHERE o.price_cents <> a.price_cents"""),
        Check("""
            SELECT format('order %s: admitted at %s cents, which sale %s never cost', order_id, price_cents, sale_id)
            FROM admitted a
            WHERE (sale_id, price_cents) NOT IN (SELECT sale_id, price_cents FROM terms WHERE price_cents IS NOT NULL)
              AND sale_id IN (SELECT sale_id FROM terms)"""),
        Check("""
            SELECT format('order %s: costs %s cents, its payment asks %s', order_id, o.total_cents, p.amount_cents)
            FROM orders o JOIN payments p USING (order_id) WHERE o.total_cents <> p.amount_cents"""),
        Check("""
            SELECT format('order %s: payment %s of %s cents, captured %s, refunded %s', p.order_id, p.status,
                          p.amount_cents, coalesce(c.cents, 0), coalesce(r.cents, 0))
            FROM payments p
            LEFT JOIN (SELECT order_id, sum(amount_cents) AS cents FROM charges WHERE captured GROUP BY 1) c
              USING (order_id)
            LEFT JOIN (SELECT order_id, sum(amount_cents) AS cents FROM refunds GROUP BY 1) r
              USING (order_id)
            WHERE coalesce(c.cents, 0) - coalesce(r.cents, 0)
              <> CASE p.status WHEN 'paid' THEN p.amount_cents ELSE 0 END"""),
        # The bank's own books against the shop's, once everything is told.
        Check(
            """
            SELECT format('charge %s of order %s: the bank says %s, the shop %s', c.charge_id, c.order_id, b.status,
                          CASE WHEN c.captured THEN 'captured' ELSE 'not captured' END)
            FROM charges c JOIN payments_democharge b ON b.id::text = c.charge_id
            WHERE (b.status = 'paid') <> c.captured OR b.amount_cents <> c.amount_cents""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('refund %s of order %s: the shop says %s of %s cents, the bank paid back %s', r.refund_id,
                          r.order_id, r.status, r.amount_cents, coalesce(b.amount_cents, 0))
            FROM refunds r LEFT JOIN payments_demorefund b ON b.idempotency_key = r.refund_id
            WHERE r.status = 'succeeded' AND b.amount_cents IS DISTINCT FROM r.amount_cents""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('order %s: its buyer was told it is paid; payment %s, nothing refunded', t.order_id,
                          coalesce(p.status, 'missing'))
            FROM (SELECT DISTINCT order_id FROM told WHERE op = 'pay' AND outcome = 'ok') t
            LEFT JOIN payments p USING (order_id)
            WHERE p.status IS DISTINCT FROM 'paid'
              AND NOT EXISTS (SELECT FROM refunds r WHERE r.order_id = t.order_id)""",
            at_rest=True,
        ),
    ),
)
