"""10. While Redis is unwritable, emptied, or older than PostgreSQL knows, nothing is admitted; then it is rebuilt.

A rebuild begins a new epoch. PostgreSQL keeps when each was closed and opened; an admission says in which epoch it was
made and when, in its body, its row and the token that its buyer was given.
"""

from __future__ import annotations

from config.audit.rule import Check, Rule

A_SECOND = 1_000

_MADE = """(SELECT order_id, sale_id, epoch, placed_at_ms FROM placed
    UNION SELECT order_id, sale_id, epoch, (extract(epoch FROM placed_at) * 1000)::bigint FROM orders
    UNION SELECT order_id, sale_id, epoch, admitted_at_ms FROM told WHERE op = 'place' AND outcome = 'ok') m"""

RULE = Rule(
    number=10,
    name="the store: nothing is admitted while Redis is behind PostgreSQL",
    counted="SELECT (SELECT count(*) FROM gates) + (SELECT count(*) FROM rebuilds)",
    checks=(
        Check(f"""
            SELECT format('sale %s: its gate admits in epoch %s, PostgreSQL is in epoch %s', sale_id, g.epoch, s.epoch)
            FROM gates g JOIN stocks s USING (sale_id)
            WHERE g.is_open AND g.epoch <> s.epoch AND NOT EXISTS (
              SELECT FROM rebuilds r WHERE r.sale_id = s.sale_id AND r.opened_ms IS NULL
                AND r.closed_ms > extract(epoch FROM clock_timestamp()) * 1000 - {A_SECOND})"""),
        Check(f"""
            SELECT DISTINCT format('order %s: admitted in epoch %s, %s ms after sale %s was closed to begin epoch %s',
                                   m.order_id, m.epoch, m.placed_at_ms - r.closed_ms, m.sale_id, r.epoch)
            FROM {_MADE} JOIN rebuilds r ON r.sale_id = m.sale_id AND m.epoch < r.epoch
            WHERE m.placed_at_ms > r.closed_ms + {A_SECOND}"""),
        Check(f"""
            SELECT DISTINCT format('order %s: admitted %s ms after Redis lost data', m.order_id,
                                   m.placed_at_ms - f.at_ms)
            FROM {_MADE} JOIN faults f ON f.code = 'redis_data_lost' AND m.placed_at_ms > f.at_ms + {A_SECOND}
            WHERE m.epoch < (SELECT r.epoch FROM rebuilds r WHERE r.sale_id = m.sale_id AND r.closed_ms >= f.at_ms
                             ORDER BY r.epoch LIMIT 1)"""),
        Check(
            """
            SELECT format('order %s: the row is number %s of epoch %s, and its gate has counted to %s', order_id, o.seq,
                          o.epoch, g.seq)
            FROM orders o JOIN gates g USING (sale_id, epoch) WHERE o.seq > g.seq""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('sale %s: closed to begin epoch %s and never opened: %s', sale_id, epoch, reason)
            FROM rebuilds WHERE opened_ms IS NULL""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('gates admit in Redis %s, approved is %s', run_id, coalesce(nullif(approved, ''), 'none'))
            FROM store WHERE run_id <> approved AND EXISTS (SELECT FROM gates WHERE is_open)""",
            at_rest=True,
        ),
        Check(
            """
            SELECT format('the relay told %s batches, Redis has %s', told, tide) FROM store, queueing_tide
            WHERE tide < told""",
            at_rest=True,
        ),
    ),
)
