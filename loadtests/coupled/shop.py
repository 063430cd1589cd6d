"""`python -m loadtests.coupled.shop PORT FOLDER THREADS TIMEOUT_S SERVICE_PORT…`: places an order by calling all three.

POST /api/sales/<id>/orders   202 with an order once all three have answered; 503 when one did not
GET  /                        {"completed": [order ids], "failed": [order ids]}
"""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loadtests.coupled.server import Answer, Store, serve


class Shop:
    """services: ports, in the order they are called."""

    def __init__(self, *, folder: Path, threads: int, timeout_s: float, services: list[int]) -> None:
        self.store = Store(folder / "shop.jsonl")
        self.pool = ThreadPoolExecutor(threads)
        self.timeout_s, self.services = timeout_s, services
        self.completed: list[str] = []
        self.failed: list[str] = []

    async def respond(self, method: str, _path: str, _headers: dict[str, str], _body: bytes) -> Answer:
        if method == "GET":
            return 200, {"completed": self.completed, "failed": self.failed}
        return await asyncio.get_running_loop().run_in_executor(self.pool, self.place)

    def place(self) -> Answer:
        order = uuid.uuid4().hex
        try:
            for port in self.services:
                self.call(port, order)
        except (OSError, http.client.HTTPException) as problem:
            self.store.write({"order_id": order, "failed": type(problem).__name__})
            self.failed.append(order)
            return 503, {"error": {"code": "service_away", "message": "Please try again later."}, "order": order}
        self.store.write({"order_id": order})
        self.completed.append(order)
        return 202, {"order_id": order}

    def call(self, port: int, order: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self.timeout_s)
        try:
            connection.request("POST", "/", json.dumps({"order_id": order}))
            response = connection.getresponse()
            response.read()
            if response.status != http.HTTPStatus.OK:
                raise http.client.HTTPException(str(response.status))
        finally:
            connection.close()


def main(port: str, folder: str, threads: str, timeout_s: str, *services: str) -> None:
    shop = Shop(
        folder=Path(folder), threads=int(threads), timeout_s=float(timeout_s), services=[int(each) for each in services]
    )
    serve(int(port), shop.respond)


if __name__ == "__main__":
    main(*sys.argv[1:])
