"""4. Nobody exceeds the per-user limit, in Redis and in PostgreSQL.

The limit is the highest the sale was ever announced with: lowering it takes nothing back.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule

_LIMITS = "(SELECT sale_id, max(per_user_limit) AS most FROM terms GROUP BY 1)"

RULE = Rule(
    number=4,
    name="per-user limit, in Redis and in PostgreSQL",
    counted="SELECT count(*) FROM (SELECT DISTINCT sale_id, user_id FROM admitted) a",
    checks=(
        Check(f"""
            SELECT format('sale %s, user %s: %s units in live orders, limit %s', sale_id, user_id, units, most)
            FROM (SELECT sale_id, user_id, sum(quantity) AS units FROM orders WHERE live GROUP BY 1, 2) o
            JOIN {_LIMITS} l USING (sale_id) WHERE units > most"""),
        Check(f"""
            SELECT format('sale %s, user %s: %s units by the gate, limit %s', sale_id, user_id, units, most)
            FROM buyers JOIN {_LIMITS} l USING (sale_id) WHERE units > most"""),
        Check("""
            SELECT format('sale %s, user %s: the gate counts %s units, admitted and not returned are %s', sale_id,
                          user_id, coalesce(b.units, 0), coalesce(f.units, 0))
            FROM buyers b FULL JOIN (
              SELECT sale_id, user_id, sum(units) AS units FROM (
                SELECT sale_id, user_id, quantity AS units FROM admitted WHERE state <> 'later'
                UNION ALL
                SELECT l.sale_id, l.user_id, -l.quantity FROM applied p
                JOIN ledger l ON l.id = p.ledger_id AND l.sale_id = p.sale_id WHERE l.kind = 'return'
              ) m GROUP BY 1, 2
            ) f USING (sale_id, user_id)
            WHERE coalesce(b.units, 0) <> coalesce(f.units, 0)
              AND EXISTS (SELECT FROM gates g WHERE g.sale_id = coalesce(b.sale_id, f.sale_id))"""),
    ),
)
