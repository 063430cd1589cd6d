"""11. No order outside [start, end) by Redis's clock.

A sale may be moved; an order is outside when it lies in no window that was ever announced.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=11,
    name="window: no order outside [start, end) by Redis's clock",
    counted="SELECT count(*) FROM admitted",
    checks=(
        Check("""
            SELECT format('order %s: admitted at %s, outside every window of sale %s', order_id,
                          to_timestamp(placed_at_ms / 1000.0), sale_id)
            FROM admitted a
            WHERE EXISTS (SELECT FROM terms t WHERE t.sale_id = a.sale_id)
              AND NOT EXISTS (SELECT FROM terms t WHERE t.sale_id = a.sale_id
                              AND a.placed_at_ms >= t.starts_at_ms AND a.placed_at_ms < t.ends_at_ms)"""),
        Check("""
            SELECT format('order %s: the row says placed at %s, the gate %s', order_id, o.placed_at,
                          to_timestamp(a.placed_at_ms / 1000.0))
            FROM orders o JOIN admitted a USING (order_id)
            WHERE round(extract(epoch FROM o.placed_at) * 1000) <> a.placed_at_ms"""),
    ),
)
