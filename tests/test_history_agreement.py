"""The load generator and the audit speak one language, though neither imports the other."""

from __future__ import annotations

from pathlib import Path

from config.audit import history as audit
from loadtests.history import History, read


def test_the_audit_reads_what_shoppers_write(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    told = History(path)
    told.write(
        "place", "ok", user="ada", sale_id=3, key="k", quantity=1, order_id="o", token="t", price_cents=49, ms=3.1
    )
    told.write("place", "info", user="bob", sale_id=3, key="l", quantity=1, code="http_0")
    told.write("pay", "ok", user="ada", sale_id=3, order_id="o")
    rows = list(audit.read(path))
    assert [row[2:5] for row in rows] == [("place", "ok", None), ("place", "info", "http_0"), ("pay", "ok", None)]
    assert [row[14] for row in rows] == ["ada", "bob", "ada"]
    assert rows[0][7:12] == ("k", "o", "t", 1, 49)
    assert len(read(path)) == 3


def test_one_sale_of_many(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for sale_id in (3, 4):
        History(path).write("place", "info", user="ada", sale_id=sale_id, key="k", quantity=1)
    assert [row[6] for row in audit.read(path, sale_id=4)] == [4]
