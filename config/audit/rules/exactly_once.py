"""3. Every admitted order exists exactly once, and none that was not admitted.

An admission whose entry group orders has acknowledged has its row; any other is on its way to it (undelivered, pending,
to be retried, or a dead letter) and listed as unresolved. One that an operator purged will never have a row: its buyer
was promised an order that does not exist, and this rule names it. What went with Redis's data before it had a row is
listed as declared lost if the run declares that fault and PostgreSQL has drawn the line behind which it is void; if
not, it is lost.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule

RULE = Rule(
    number=3,
    name="exactly once: every admitted order exists once, none that was not admitted",
    counted="SELECT count(*) FROM admitted",
    checks=(
        Check("""
            SELECT format('order %s: admitted for user %s, lost', order_id, user_id) FROM admitted a
            WHERE state IN ('acked', 'answered')
              AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = a.order_id)"""),
        Check("""
            SELECT format('order %s: admitted for user %s, and purged from the dead letters', order_id, user_id)
            FROM admitted a
            WHERE state = 'purged' AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = a.order_id)"""),
        Check("""
            SELECT format('order %s of user %s: never admitted', order_id, user_id) FROM orders o
            WHERE EXISTS (SELECT FROM gates g WHERE g.sale_id = o.sale_id)
              AND NOT EXISTS (SELECT FROM admitted a WHERE a.order_id = o.order_id)"""),
        Check("""
            SELECT format('order %s: admitted %s times', order_id, count(*)) FROM admitted
            GROUP BY order_id HAVING count(*) > 1"""),
        Check("""
            SELECT format('sale %s, user %s, key %s: %s orders', sale_id, user_id, key, count(DISTINCT order_id))
            FROM (SELECT sale_id, user_id, key, order_id FROM admitted
                  UNION ALL SELECT sale_id, user_id, key, order_id FROM orders o
                  WHERE EXISTS (SELECT FROM admitted a WHERE a.order_id = o.order_id)) f
            GROUP BY sale_id, user_id, key HAVING count(DISTINCT order_id) > 1"""),
        Check("""
            SELECT format('order %s: the row says sale %s, user %s, %s units; admitted: sale %s, user %s, %s units',
                          order_id, o.sale_id, o.user_id, o.quantity, a.sale_id, a.user_id, a.quantity)
            FROM orders o JOIN admitted a USING (order_id)
            WHERE (o.sale_id, o.user_id, o.key, o.quantity) <> (a.sale_id, a.user_id, a.key, a.quantity)"""),
        # The sequence has no holes: an entry that vanished without a trace in Redis or PostgreSQL leaves one.
        Check("""
            SELECT format('sale %s, epoch %s: %s admission(s) missing between sequence %s and %s', sale_id, epoch,
                          max(seq) - min(seq) + 1 - count(DISTINCT seq), min(seq), max(seq))
            FROM (SELECT sale_id, epoch, seq FROM placed UNION SELECT sale_id, epoch, seq FROM orders) f
            WHERE NOT EXISTS (SELECT FROM faults JOIN voids v ON v.sale_id = f.sale_id
                              WHERE code = 'redis_data_lost' AND f.epoch < v.before_epoch)
            GROUP BY sale_id, epoch HAVING max(seq) - min(seq) + 1 <> count(DISTINCT seq)"""),
        Check("""
            SELECT format('line %s: user %s was told order %s, lost', min(line), min(user_id), order_id) FROM told t
            WHERE op = 'place' AND outcome = 'ok'
              AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = t.order_id)
              AND NOT EXISTS (SELECT FROM admitted a WHERE a.order_id = t.order_id)
              AND NOT EXISTS (SELECT FROM declared d WHERE d.order_id = t.order_id)
            GROUP BY order_id"""),
        Check("""
            SELECT format('order %s: user %s was only ever told no (%s)', f.order_id, f.user_id, t.codes)
            FROM (SELECT order_id, sale_id, user_id, key FROM orders UNION
                  SELECT order_id, sale_id, user_id, key FROM admitted) f
            JOIN (SELECT sale_id, user_id, key, string_agg(DISTINCT code, ', ') AS codes FROM told WHERE op = 'place'
                  GROUP BY 1, 2, 3 HAVING bool_and(outcome = 'fail')) t USING (sale_id, user_id, key)"""),
        Check("""
            SELECT format('order %s: user %s never asked for it (key %s)', f.order_id, f.user_id, f.key)
            FROM (SELECT order_id, sale_id, user_id, key FROM orders UNION
                  SELECT order_id, sale_id, user_id, key FROM admitted) f
            WHERE EXISTS (SELECT FROM told t WHERE (t.op, t.sale_id, t.user_id) = ('place', f.sale_id, f.user_id))
              AND NOT EXISTS (SELECT FROM told t
                              WHERE (t.op, t.sale_id, t.user_id, t.key) = ('place', f.sale_id, f.user_id, f.key))"""),
    ),
)
