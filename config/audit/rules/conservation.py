"""2. Conservation.

At a sale's fence: initial + additions the gate took in = left in the gate + admitted - returns the gate took in.
Admitted units are the log's; each of them is an order row or waiting to become one (rule 3), each row that is not live
has a return in the ledger or on its way there (rules 8 and 12). Together that is DESIGN §5's sum, exact while orders
keep coming. The counts that the gate keeps for the operator's room are held against the same facts.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=2,
    name="conservation: every unit of a sale is in one place",
    counted="SELECT count(*) FROM stocks",
    checks=(
        Check("""
            SELECT format('sale %s: %s initial + %s added, but %s in the gate + %s admitted - %s returned', g.sale_id,
                          s.initial, coalesce(m.added, 0), g.stock, coalesce(a.units, 0), coalesce(m.back, 0))
            FROM gates g JOIN stocks s USING (sale_id)
            LEFT JOIN (SELECT sale_id, sum(quantity) AS units FROM admitted WHERE state <> 'later' GROUP BY 1) a
              USING (sale_id)
            LEFT JOIN (
              SELECT l.sale_id, sum(l.quantity) FILTER (WHERE l.kind = 'add') AS added,
                     sum(l.quantity) FILTER (WHERE l.kind = 'return') AS back
              FROM applied p JOIN ledger l ON l.id = p.ledger_id AND l.sale_id = p.sale_id GROUP BY 1) m USING (sale_id)
            WHERE s.initial + coalesce(m.added, 0) <> g.stock + coalesce(a.units, 0) - coalesce(m.back, 0)"""),
        Check("""
            SELECT format('sale %s: its gate counted %s units admitted and %s returned, there are %s and %s', g.sale_id,
                          g.units, g.returned, coalesce(a.units, 0), coalesce(m.back, 0))
            FROM gates g JOIN stocks USING (sale_id)
            LEFT JOIN (SELECT sale_id, sum(quantity) AS units FROM admitted WHERE state <> 'later' GROUP BY 1) a
              USING (sale_id)
            LEFT JOIN (SELECT l.sale_id, sum(l.quantity) FILTER (WHERE l.kind = 'return') AS back
                       FROM applied p JOIN ledger l ON l.id = p.ledger_id AND l.sale_id = p.sale_id GROUP BY 1) m
              USING (sale_id)
            WHERE (g.units, g.returned) <> (coalesce(a.units, 0), coalesce(m.back, 0))"""),
        Check("""
            SELECT format('sale %s: the row says initial %s, added %s, sold %s; its ledger %s, %s, %s', s.sale_id,
                          s.initial, s.added, s.sold, coalesce(l.opened, 0), coalesce(l.added, 0), coalesce(d.units, 0))
            FROM stocks s LEFT JOIN (
              SELECT sale_id, sum(quantity) FILTER (WHERE kind = 'open') AS opened,
                     sum(quantity) FILTER (WHERE kind = 'add') AS added
              FROM ledger GROUP BY 1) l USING (sale_id)
            LEFT JOIN (SELECT sale_id, sum(units) AS units FROM sold GROUP BY 1) d USING (sale_id)
            WHERE (s.initial, s.added, s.sold)
              <> (coalesce(l.opened, 0), coalesce(l.added, 0), coalesce(d.units, 0))"""),
        Check("""
            SELECT format('sale %s: the gate took in movement %s, which the ledger does not know', p.sale_id,
                          p.ledger_id)
            FROM applied p JOIN stocks USING (sale_id) LEFT JOIN ledger l
              ON l.id = p.ledger_id AND l.sale_id = p.sale_id AND l.kind IN ('add', 'return')
            WHERE l.id IS NULL"""),
        Check("""
            SELECT format('sale %s: orders, but no gate in Redis', sale_id) FROM (SELECT DISTINCT sale_id FROM orders) o
            WHERE NOT EXISTS (SELECT FROM gates g WHERE g.sale_id = o.sale_id)"""),
        Check("""
            SELECT format('sale %s: orders, but no stock ledger', sale_id) FROM (SELECT DISTINCT sale_id FROM orders) o
            WHERE NOT EXISTS (SELECT FROM stocks s WHERE s.sale_id = o.sale_id)"""),
    ),
)
