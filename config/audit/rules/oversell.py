"""1. No oversell."""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=1,
    name="no oversell: units in live orders never exceed the stock",
    counted="SELECT count(*) FROM orders WHERE live",
    checks=(
        Check("""
            SELECT format('sale %s: %s units in live orders, stock %s', s.sale_id, o.units, s.initial + s.added)
            FROM stocks s JOIN (SELECT sale_id, sum(quantity) AS units FROM orders WHERE live GROUP BY 1) o
              USING (sale_id)
            WHERE o.units > s.initial + s.added"""),
        Check("""
            SELECT format('sale %s: the ledger let %s units go, stock %s', s.sale_id, l.units, s.initial + s.added)
            FROM stocks s JOIN (SELECT sale_id, sum(units) AS units FROM sold GROUP BY 1) l USING (sale_id)
            WHERE l.units > s.initial + s.added"""),
        Check("SELECT format('sale %s: the gate has %s units left', sale_id, stock) FROM gates WHERE stock < 0"),
        # The rule must not rest on code alone: PostgreSQL itself refuses, whoever writes.
        Check("""
            SELECT 'inventory_salestock has no valid CHECK that sold stays within stock'
            WHERE NOT EXISTS (
              SELECT FROM pg_constraint
              WHERE conrelid = 'inventory_salestock'::regclass AND contype = 'c' AND convalidated
                AND pg_get_constraintdef(oid) ~ 'sold >= 0'
                AND pg_get_constraintdef(oid) ~ 'sold <= \\(initial \\+ added\\)'
            )"""),
    ),
)
