"""A Lua script by its name: EVALSHA, and the text itself when Redis does not know it (first use, flush, restart)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

from inventory import link
from queueing.brokers.lua import load


@dataclass(frozen=True, slots=True)
class Script:
    text: str
    sha: str

    def run(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        client = link.client()
        try:
            return client.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self.text, len(keys), *keys, *args)

    async def arun(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        client = link.async_client()
        try:
            return await client.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *args)


@cache
def script(name: str) -> Script:
    """`inventory/lua/<name>.lua`, read once."""
    text = load(Path(__file__).parent / "lua" / f"{name}.lua")
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
