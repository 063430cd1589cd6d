"""An operator in a real browser: begins faults with a click, and takes pictures of what the pages show."""

from __future__ import annotations

import contextlib
import http.client
import json
import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, sync_playwright

from loadtests.stack import Stack, StackFailed

ROOM, DASHBOARD = "/admin/room/faults/", "/admin/queueing/queue/"
EVERY_S = 0.25
WIDE = {"width": 1280, "height": 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the room said of one group. at_s: monotonic. why: the autoscaler's last reason."""

    at_s: float
    lag: int
    alive: int
    desired: int
    why: str


@dataclass(slots=True)
class Operator:
    """pictures: the folder for them. taken: their names, with what is to be seen."""

    dashboard: Page
    room: Page
    pictures: Path
    taken: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, kind: str, *, group: str = "", seconds: int) -> None:
        """One click in the fault room. group: "" for a fault of the whole house.

        Raises:
            StackFailed: the room does not show that it acts.
        """
        self.room.goto(ROOM)
        card = self.room.locator(f'[data-kind="{kind}"]')
        if group:
            card.locator('select[name="group"]').select_option(group)
        card.locator('select[name="seconds"]').select_option(str(seconds))
        card.get_by_role("button", name="Begin").click()
        if not card.locator("li").count():
            raise StackFailed(
                f"the fault {kind} of {group} did not begin: {self.room.locator('.console').inner_text()}"
            )

    def end_all(self) -> int:
        """End now whatever acts; how many there were."""
        ended = 0
        while True:
            self.room.goto(ROOM)
            buttons = self.room.get_by_role("button", name="End now")
            if not buttons.count():
                return ended
            buttons.first.click()
            ended += 1

    def picture(self, name: str, what: str) -> None:
        for page, of in ((self.dashboard, "dashboard"), (self.room, "room")):
            page.bring_to_front()  # who is not looked at hears nothing
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(1_100)
            file = f"{len(self.taken) + 1:02}-{name}-{of}.png"
            page.screenshot(path=self.pictures / file, full_page=True)
            self.taken.append((file, f"{what} ({of})"))


@contextlib.contextmanager
def operator(stack: Stack, pictures: Path, *, group: str) -> Iterator[Operator]:
    """group: the one that the dashboard's charts show.

    Raises:
        StackFailed: there is no Chromium, no fault room, or no password for the admin.
    """
    program = shutil.which("chromium")
    if program is None:
        raise StackFailed("Chromium is missing: make deps")
    password = Path(stack.environment.get("DATA_DIR", ".data")) / "admin_password"
    if not password.exists():
        raise StackFailed(f"there is no {password}: DATA_DIR names the folder of the shop that answers")
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sluice-browser-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_yielding(program, Path(folder)), args=FLAGS)
        try:
            context = browser.new_context(base_url=stack.url, viewport=WIDE)
            context.set_default_timeout(30_000)
            dashboard, room = context.new_page(), context.new_page()
            _log_in(dashboard, password.read_text().strip())
            dashboard.locator("select[data-group]").select_option(group)
            answer = room.goto(ROOM)
            if answer is None or not answer.ok:
                raise StackFailed("this shop has no fault room: FAULT_ROOM=true")
            yield Operator(dashboard, room, pictures)
        finally:
            browser.close()


def _yielding(program: str, folder: Path) -> str:
    """The browser draws when nobody else wants the cores: a picture should not hold up what it shows."""
    script = folder / "chromium"
    script.write_text(
        "#!/bin/sh\n"
        "echo 19 2>/dev/null >/proc/self/autogroup  # it leads a session, and those share the cores first\n"
        f'exec nice -n 19 {shlex.quote(program)} "$@"\n'
    )
    script.chmod(0o755)
    return str(script)


def _log_in(page: Page, password: str) -> None:
    page.goto(DASHBOARD)
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{DASHBOARD}")


@contextlib.contextmanager
def watching(stack: Stack, context: BrowserContext, group: str) -> Iterator[list[Moment]]:
    """What the room says of this group, four times a second, growing while inside."""
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in context.cookies())
    seen: list[Moment] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(EVERY_S):
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError):
                seen.append(_moment(stack.url, cookies, group))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(10)


def _moment(url: str, cookies: str, group: str) -> Moment:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)
    try:
        connection.request("GET", f"{ROOM}live/", headers={"Cookie": cookies})
        told: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    row = next(row for row in told["groups"] if row["group"] == group)
    return Moment(time.monotonic(), row["points"], row["alive"], row["desired"] or 0, row["why"])
