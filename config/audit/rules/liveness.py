"""12. After the last fault heals everything comes to rest, and nothing sellable stays unsold."""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=12,
    name="liveness: all comes to rest, nothing sellable stays unsold",
    counted="SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM ledger)",
    checks=(
        Check("SELECT format('still on its way after waiting: %s (%s)', what, count) FROM on_its_way ORDER BY what"),
        # Somebody was told "sold out" who asked for no more than was never sold to anyone.
        Check("""
            SELECT format('sale %s: buyers were told sold out of %s unit(s), but only %s of %s were ever admitted',
                          s.sale_id, t.quantity, coalesce(a.units, 0), s.initial)
            FROM stocks s
            JOIN (SELECT sale_id, min(coalesce(quantity, 1)) AS quantity FROM told
                  WHERE op = 'place' AND code = 'sold_out' GROUP BY 1) t USING (sale_id)
            LEFT JOIN (SELECT sale_id, sum(quantity) AS units FROM (
                         SELECT sale_id, quantity FROM admitted UNION ALL SELECT sale_id, quantity FROM declared) m
                       GROUP BY 1) a USING (sale_id)
            WHERE s.initial - coalesce(a.units, 0) >= t.quantity"""),
        Check(
            """
            SELECT format('sale %s: %s units in stock, %s in the gate + %s in live orders', sale_id,
                          s.initial + s.added, g.stock, coalesce(o.units, 0))
            FROM stocks s JOIN gates g USING (sale_id)
            LEFT JOIN (SELECT sale_id, sum(quantity) AS units FROM orders WHERE live GROUP BY 1) o USING (sale_id)
            WHERE s.initial + s.added <> g.stock + coalesce(o.units, 0)
              AND EXISTS (SELECT FROM admitted a WHERE a.sale_id = s.sale_id AND a.state IN ('retry', 'parked', 'dead',
                          'pending', 'undelivered'))""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('order %s: %s, and its unit was never returned', order_id, status) FROM orders o
            WHERE NOT live AND NOT EXISTS (
              SELECT FROM ledger l WHERE l.order_id = o.order_id AND l.kind = 'return')""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('sale %s: %s of %s units (ledger %s) is not in the gate', l.sale_id, l.kind, l.quantity, l.id)
            FROM ledger l JOIN gates USING (sale_id)
            WHERE l.kind IN ('add', 'return')
              AND NOT EXISTS (SELECT FROM applied p WHERE (p.sale_id, p.ledger_id) = (l.sale_id, l.id))""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('order %s: %s, and %s', order_id, o.status,
                          CASE o.status WHEN 'created' THEN 'stock never answered' WHEN 'paid' THEN 'no parcel was made'
                          WHEN 'confirmed' THEN 'payment ' || coalesce(p.status, 'was never asked for') END)
            FROM orders o LEFT JOIN payments p USING (order_id)
            WHERE o.status IN ('created', 'paid')
               OR (o.status = 'confirmed' AND p.status IS DISTINCT FROM 'pending')""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('order %s: %s, but its parcel is %s', order_id, o.status, f.status)
            FROM orders o JOIN shipments f USING (order_id)
            WHERE (o.status = 'delivered') <> (f.status = 'delivered')""",
            at_rest=True,
        ),
    ),
)
