"""`python -m loadtests.coupled.service NAME PORT MS FOLDER`: one of the three. POST takes MS and writes a line to disk.

It takes any number of calls at once, so nobody waits here for others: the comparison is kind to the coupled shop.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from loadtests.coupled.server import Answer, Store, serve


def main(name: str, port: str, ms: str, folder: str) -> None:
    store = Store(Path(folder) / f"{name}.jsonl")
    orders: set[str] = set()

    async def respond(method: str, _path: str, _headers: dict[str, str], body: bytes) -> Answer:
        if method == "GET":
            return 200, {"service": name, "orders": sorted(orders)}
        order = str(json.loads(body)["order_id"])
        await asyncio.sleep(float(ms) / 1000)
        store.write({"order_id": order})
        orders.add(order)
        return 200, {"order_id": order}

    serve(int(port), respond)


if __name__ == "__main__":
    main(*sys.argv[1:])
