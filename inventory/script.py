"""A Lua script by its name: EVALSHA, and the text itself when Redis does not know it (first use, flush, restart)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from redis.exceptions import NoScriptError

from inventory import link
from queueing.brokers.lua import load


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    sha: str

    def run(self, keys: Sequence[str], args: Sequence[str | int | float]) -> Any:
        client = link.client()
        try:
            return client.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self.text, len(keys), *keys, *args)

    async def arun(self, keys: Sequence[str], args: Sequence[str | int | float]) -> Any:
        client = link.async_client()
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *args)

    def run_acknowledged(self, keys: Sequence[str], args: Sequence[str | int | float]) -> tuple[Any, bool]:
        """Also whether settings.REPLICAS_TO_ACK replicas have what it wrote: WAIT follows on the same connection."""
        wanted: int = settings.REPLICAS_TO_ACK
        if not wanted:
            return self.run(keys, args), True
        for command, text in (("EVALSHA", self.sha), ("EVAL", self.text)):
            with link.client().pipeline(transaction=False) as pipe:
                pipe.execute_command(command, text, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
                pipe.execute_command("WAIT", wanted, link.WAIT_MS)  # type: ignore[no-untyped-call]
                reply, on = pipe.execute(raise_on_error=False)
            if not isinstance(reply, NoScriptError):
                break
        for answer in (reply, on):
            if isinstance(answer, Exception):
                raise answer
        return reply, on >= wanted


@cache
def script(name: str) -> Script:
    """`inventory/lua/<name>.lua`, read once."""
    text = load(Path(__file__).parent / "lua" / f"{name}.lua")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
