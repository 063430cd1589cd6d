"""How many, in the words of Jepsen's reports. An attempt is one wish (user, sale, key), however often retried."""

from __future__ import annotations

from typing import Any

import psycopg

COUNTED = (
    "attempt",  # wishes in the history
    "ok",  # told yes at least once
    "fail",  # told no, and never anything else
    "info",  # never told yes, and at least once told nothing: nobody knows
    "lost",  # told yes or admitted, and neither a row nor on its way to one
    "declared_lost",  # told yes, and gone with Redis's data in a run that declared it
    "duplicated",  # wishes with more than one order
    "unexpected",  # orders nobody asked for, or was only ever told no
    "recovered",  # of info: the order exists all the same
    "admitted",
    "unresolved",  # admitted, and no row yet
    "orders",
)

_SQL = """
WITH wish AS (
  SELECT sale_id, user_id, key, bool_or(outcome = 'ok') AS ok, bool_and(outcome = 'fail') AS fail
  FROM told WHERE op = 'place' GROUP BY 1, 2, 3
), found AS (
  SELECT order_id, sale_id, user_id, key FROM orders UNION SELECT order_id, sale_id, user_id, key FROM admitted
), fate AS (
  SELECT w.*, count(DISTINCT f.order_id) AS orders FROM wish w LEFT JOIN found f USING (sale_id, user_id, key)
  GROUP BY w.sale_id, w.user_id, w.key, w.ok, w.fail
), lost AS (
  SELECT order_id FROM admitted a WHERE state IN ('acked', 'answered', 'purged')
    AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = a.order_id)
  UNION SELECT order_id FROM told t WHERE op = 'place' AND outcome = 'ok'
    AND NOT EXISTS (SELECT FROM found f WHERE f.order_id = t.order_id)
    AND NOT EXISTS (SELECT FROM declared d WHERE d.order_id = t.order_id)
), unasked AS (
  SELECT order_id FROM orders o WHERE NOT EXISTS (SELECT FROM admitted a WHERE a.order_id = o.order_id)
    AND EXISTS (SELECT FROM gates g WHERE g.sale_id = o.sale_id)
  UNION SELECT f.order_id FROM found f
  WHERE EXISTS (SELECT FROM wish w WHERE (w.sale_id, w.user_id) = (f.sale_id, f.user_id))
    AND NOT EXISTS (SELECT FROM wish w
                    WHERE (w.sale_id, w.user_id, w.key) = (f.sale_id, f.user_id, f.key) AND NOT w.fail)
), many AS (
  SELECT sale_id, user_id, key FROM found GROUP BY 1, 2, 3 HAVING count(DISTINCT order_id) > 1
)
SELECT (SELECT count(*) FROM fate), (SELECT count(*) FROM fate WHERE ok), (SELECT count(*) FROM fate WHERE fail),
       (SELECT count(*) FROM fate WHERE NOT ok AND NOT fail), (SELECT count(*) FROM lost),
       (SELECT count(*) FROM declared), (SELECT count(*) FROM many),
       (SELECT count(*) FROM unasked), (SELECT count(*) FROM fate WHERE NOT ok AND NOT fail AND orders > 0),
       (SELECT count(*) FROM admitted),
       (SELECT count(*) FROM admitted a WHERE NOT EXISTS (SELECT FROM orders o WHERE o.order_id = a.order_id)
          AND state NOT IN ('acked', 'answered', 'purged')),
       (SELECT count(*) FROM orders)
"""


def count(session: psycopg.Connection[Any]) -> dict[str, int]:
    row = session.execute(_SQL).fetchone()
    assert row is not None
    return dict(zip(COUNTED, row, strict=True))
