"""One purchase in a real browser on the real house, from log-in to "shipped": what the README promises a newcomer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from config.stack import leftovers
from config.stack.tests.conftest import Watched
from config.stack.valkey import free_port
from shop.demo import SHOPPERS_PASSWORD
from tests.conftest import DESK, MUCH_LATER_MS, keep

pytestmark = [pytest.mark.browser, pytest.mark.drill]

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 180  # 10 s on an idle machine; other tests may start stacks of their own at the same time
POLLED = r"/api/sales/\d+|/orders/[0-9a-f-]{36}/live"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The whole stack on a port and a data folder of its own: its address, and the environment that names it."""
    folder, port = tmp_path / "data", free_port()
    env = {"DATA_DIR": str(folder), "PORT": str(port), "DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY": ""}
    stack = Watched([sys.executable, "-m", "config.stack"], env={**env, "CARRIER_STEP_S": "1"})
    stack.line("Sluice is ready", within_s=READY_WITHIN_S)
    yield f"http://127.0.0.1:{port}", {"DATA_DIR": str(folder), "PORT": str(port)}
    stack.close()
    leftovers.end(folder)


def busy(said: ConsoleMessage) -> bool:
    """A page asks again by itself what it asks all the time: a crowded machine may answer once that it is busy.
    Both who load it say so: the browser, and htmx."""
    path, refused = urlsplit(said.location["url"]).path, "the server responded with a status of 503"
    loaded = re.fullmatch(POLLED, path) is not None and refused in said.text
    return loaded or re.fullmatch(rf"Response Status Error Code 503 from ({POLLED})", said.text) is not None


@pytest.fixture
def page(chromium: Browser, house: tuple[str, dict[str, str]]) -> Iterator[Page]:
    context = chromium.new_context(base_url=house[0], viewport=DESK)
    context.set_default_timeout(MUCH_LATER_MS)
    complaints: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" and not busy(said) else None)
    yield page
    context.close()
    assert complaints == []


def test_from_log_in_to_shipped(page: Page, house: tuple[str, dict[str, str]]) -> None:
    page.goto("/login")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(SHOPPERS_PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Nightjar lamp").first.click()
    keep(page, "purchase-1-sale")

    page.get_by_role("button", name="Buy now").click()
    page.wait_for_url("**/orders/*")
    keep(page, "purchase-2-queued")
    pay = page.get_by_role("button", name="Pay €79.00")
    pay.wait_for()
    keep(page, "purchase-3-confirmed")

    pay.click()
    page.get_by_role("heading", name="Demo bank").wait_for()
    page.get_by_role("button", name="Pay €79.00").click()
    page.wait_for_url("**/orders/*")
    page.get_by_role("heading", name="On its way").or_(page.get_by_role("heading", name="Delivered")).wait_for()
    # The phone beside the order says so too, by itself.
    expect(page.get_by_text("Tracking number", exact=False).first).to_be_visible()
    keep(page, "purchase-4-shipped")

    page.get_by_role("link", name="My orders").click()
    expect(page.get_by_text("Nightjar lamp").first).to_be_visible()
    keep(page, "purchase-5-my-orders")

    audit = _audit(house[1])
    assert audit["broken"] == 0, audit


def _audit(env: dict[str, str]) -> dict[str, object]:
    """As an operator types it beside a running stack."""
    kept = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"}
    }
    said = subprocess.run(
        [sys.executable, "manage.py", "audit", "--json", "--wait", "30"],
        cwd=ROOT,
        env={**kept, **env},
        capture_output=True,
        text=True,
        timeout=90,
    )
    found: dict[str, object] = json.loads(said.stdout)
    return found
