"""5. An admitted (user, sale, key) gives the same order, token and price for ever.

An order that went with Redis's data was not placed; its key may be used for the next try.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=5,
    name="idempotency: a key is answered the same for ever",
    counted="SELECT (SELECT count(*) FROM answers) + (SELECT count(*) FROM told WHERE op = 'place' AND outcome = 'ok')",
    checks=(
        Check("""
            SELECT format('user %s, key %s: told %s orders, %s tokens, %s prices, %s quantities', user_id, key,
                          count(DISTINCT order_id), count(DISTINCT token), count(DISTINCT price_cents),
                          count(DISTINCT quantity))
            FROM told WHERE op = 'place' AND outcome = 'ok'
              AND order_id NOT IN (SELECT order_id FROM declared) GROUP BY sale_id, user_id, key
            HAVING count(DISTINCT order_id) > 1 OR count(DISTINCT token) > 1 OR count(DISTINCT price_cents) > 1
              OR count(DISTINCT quantity) > 1"""),
        Check("""
            SELECT format('line %s: user %s was told order %s, %s units at %s; the row is order %s, %s units at %s',
                          t.line, t.user_id, t.order_id, t.quantity, t.price_cents, o.order_id,
                          o.quantity, o.price_cents)
            FROM told t JOIN orders o USING (sale_id, user_id, key)
            WHERE t.op = 'place' AND t.outcome = 'ok'
              AND (o.order_id <> t.order_id OR o.quantity <> t.quantity OR o.price_cents <> t.price_cents
                   OR o.total_cents <> t.total_cents)
              AND NOT EXISTS (SELECT FROM declared d WHERE d.order_id = t.order_id)"""),
        Check("""
            SELECT format('user %s, key %s: Redis answers order %s, %s units at %s; the row is order %s, %s at %s',
                          a.user_id, a.key, a.order_id, a.quantity, a.price_cents, o.order_id, o.quantity,
                          o.price_cents)
            FROM answers a JOIN orders o USING (sale_id, user_id, key)
            WHERE (a.order_id, a.quantity, a.price_cents) <> (o.order_id, o.quantity, o.price_cents)"""),
        Check("""
            SELECT format('user %s, key %s: order %s was admitted and Redis has no answer for it', p.user_id, p.key,
                          p.order_id)
            FROM placed p LEFT JOIN answers a USING (sale_id, user_id, key)
            WHERE p.state <> 'later' AND a.key IS NULL
              AND EXISTS (SELECT FROM gates g WHERE g.sale_id = p.sale_id)"""),
    ),
)
