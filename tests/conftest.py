"""Debian's Chromium for every test here. Pictures go to reports/screenshots/."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from shop.models import User

PICTURES = Path(__file__).parent.parent / "reports" / "screenshots"
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
MUCH_LATER_MS = 25_000  # this machine may be busy; a browser that waits on a condition loses nothing


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing: make deps")
        pytest.skip("Chromium is not installed: make deps")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu", *QUIET])
        expect.set_options(timeout=MUCH_LATER_MS)
        # Playwright's event loop runs in this thread, which makes Django refuse every query as unsafe.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        yield browser
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        browser.close()


@pytest.fixture
def empty_redis() -> Iterator[None]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield
        client.flushdb()


@pytest.fixture
def open_page(chromium: Browser, live_server: Any, empty_redis: None) -> Iterator[Callable[..., Page]]:
    """A fresh browser profile on the shop. A script error or a broken security policy fails the test.

    who: has logged in before; the log-in's own pages cost a second.
    """
    contexts, complaints = [], []

    def complain(about: str) -> None:
        # A page that is 404 or 409 on purpose; a stream that is led to the log-in page.
        if not about.startswith(("Failed to load resource", "EventSource's response has a MIME type")):
            complaints.append(about)

    def open_it(
        *, who: User | None = None, viewport: dict[str, int] = DESK, scripts: bool = True, **options: object
    ) -> Page:
        context = chromium.new_context(
            base_url=live_server.url, viewport=viewport, java_script_enabled=scripts, **options
        )
        context.set_default_timeout(MUCH_LATER_MS)
        contexts.append(context)
        if who is not None:
            browser = Client()
            browser.force_login(who)
            session = browser.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complain(said.text) if said.type == "error" else None)
        page.on("response", lambda got: complain(got.url) if "/static/" in got.url and got.status >= 400 else None)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def come(open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open a page of somebody who has logged in before."""

    def open_it(path: str, user: User, **options: object) -> Page:
        page = open_page(who=user, **options)
        page.goto(path)
        return page

    return open_it


def keep(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def fits(page: Page) -> bool:
    """Nothing sticks out to the right: there is no sideways scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
