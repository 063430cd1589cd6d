"""Sealed text: fields that anybody may read and nobody can change. Order tokens, passes and challenges are sealed.

    <key id>.<field>.<field>.….<HMAC-SHA256 in hex>

The MAC is taken over each field *with its length*, so no character moves from one field into the next, and over the
purpose: what was sealed for one is nothing for another. `bound` is covered and not carried: whoever opens must know it.
The key id says which key to try, so SECRET_KEY is rotated through SECRET_KEY_FALLBACKS and old seals stay good.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache

from django.conf import settings

_FIELD = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_LONGEST = 1_000


class BrokenSeal(Exception):
    """Not sealed by us for this, or changed since."""


class Seal:
    """Seals of one purpose, with a fixed number of fields."""

    def __init__(self, purpose: str, *, fields: int) -> None:
        self._purpose = purpose
        self._dots = fields + 1

    def close(self, *fields: str, bound: str = "") -> str:
        """Fields are letters, digits, `_` and `-`, at least one."""
        assert len(fields) == self._dots - 1, f"{len(fields)} fields, not {self._dots - 1}"
        assert all(map(_FIELD.fullmatch, fields)), f"{fields} would not come apart again"
        key_id, _ = _ring(self._purpose, settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))
        return ".".join((key_id, *fields, self._mac(key_id, fields, bound)))

    def open(self, text: str, *, bound: str = "") -> list[str]:
        """The fields.

        Raises:
            BrokenSeal: one byte, or what it is bound to, is not as it was sealed.
        """
        if len(text) > _LONGEST or text.count(".") != self._dots or not text.isascii():
            raise BrokenSeal("not of this form")
        key_id, *fields, mac = text.split(".")
        if not hmac.compare_digest(self._mac(key_id, fields, bound), mac):
            raise BrokenSeal("the MAC is another one")
        return fields

    def _mac(self, key_id: str, fields: list[str] | tuple[str, ...], bound: str) -> str:
        _, keys = _ring(self._purpose, settings.SECRET_KEY, tuple(settings.SECRET_KEY_FALLBACKS))
        key = keys.get(key_id)
        if key is None:
            raise BrokenSeal("a key that we don't have")
        mac = key.copy()  # the key is hashed once, not for each seal
        mac.update("".join([f"{len(field)}:{field}," for field in (bound, *fields)]).encode())
        return mac.hexdigest()


@lru_cache(maxsize=64)
def _ring(purpose: str, secret: str, fallbacks: tuple[str, ...]) -> tuple[str, dict[str, hmac.HMAC]]:
    """The id of the key that seals, and every key that opens by its id."""
    derived = [hmac.digest(each.encode(), f"seal:{purpose}".encode(), "sha256") for each in (secret, *fallbacks)]
    by_id = {hashlib.sha256(b"id:" + key).hexdigest()[:8]: hmac.new(key, digestmod="sha256") for key in derived}
    return next(iter(by_id)), by_id
