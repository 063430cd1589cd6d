"""Buyers in a process of its own who want more and more, in turn, and write down what the gate says.

python -m config.audit.tests.eager SALE HISTORY NAME=USER_ID…      until its input closes
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

import django

REST_S = 0.004  # a crowd of two is enough to be in the middle of


def main(sale_id: int, history: Path, buyers: list[tuple[str, int]]) -> None:
    from inventory import gate

    with history.open("w", buffering=1) as said:
        for attempt in range(100_000):
            name, user_id = buyers[attempt % len(buyers)]  # each as often as its rate lets it
            key = f"{name}-wants-{attempt:06}"
            decision = gate.admit_sync(sale_id=sale_id, user_id=user_id, idempotency_key=key, quantity=1)
            line = {
                "at": time.time_ns() // 1_000_000, "op": "place", "user": name, "sale_id": sale_id, "key": key,
                "quantity": 1, "outcome": "fail", "code": decision.outcome,
            }  # fmt: skip
            if decision.outcome == "admitted":
                order = json.loads(decision.body)
                line |= {"outcome": "ok", "code": None, "order_id": order["order_id"],
                         "price_cents": order["price_cents"], "total_cents": order["price_cents"]}  # fmt: skip
            said.write(json.dumps(line) + "\n")
            if select.select([sys.stdin], [], [], REST_S)[0]:
                return


if __name__ == "__main__":
    django.setup()
    pairs = [argument.split("=") for argument in sys.argv[3:]]
    main(int(sys.argv[1]), Path(sys.argv[2]), [(name, int(user_id)) for name, user_id in pairs])
