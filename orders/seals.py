"""Sealed text: fields that anybody may read and nobody can change. Order tokens, passes and challenges are sealed.

    <key id>.<field>.<field>.….<HMAC-SHA256 in hex>

The MAC is taken over each field *with its length*, so no character moves from one field into the next, and over the
purpose: what was sealed for one is nothing for another. `bound` is covered and not carried: whoever opens must know it.
The key id says which key to try, so SECRET_KEY is rotated through SECRET_KEY_FALLBACKS and old seals stay good.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

_LONGEST = 1_000


class BrokenSeal(Exception):
    """Not sealed by us for this, or changed since."""


class _Key:
    """HMAC-SHA256 (RFC 2104) under one key, whose two halves are hashed once and copied for each seal.

    hmac's own copy takes half as long again, and every request of the hot second pays it once or twice.
    """

    def __init__(self, key: bytes) -> None:
        """key: at most the hash's block of 64 bytes."""
        padded = key.ljust(64, b"\0")
        self._inner, self._outer = (hashlib.sha256(bytes(byte ^ pad for byte in padded)) for pad in (0x36, 0x5C))

    def mac(self, text: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.hexdigest()


class Seal:
    """Seals of one purpose, with a fixed number of fields."""

    def __init__(self, purpose: str, *, fields: int) -> None:
        self._purpose = purpose
        self._dots = fields + 1
        self._key_id = ""  # of the key that seals
        self._keys: dict[str, _Key] = {}  # every key that opens
        setting_changed.connect(self._forget)

    def close(self, *fields: str, bound: str = "") -> str:
        """Fields are ASCII without dots."""
        if not self._keys:
            self._derive()
        text = ".".join((self._key_id, *fields, self._mac(self._key_id, fields, bound)))
        assert text.count(".") == self._dots, f"{fields} would not come apart again"
        return text

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

    def _mac(self, key_id: str, fields: Sequence[str], bound: str) -> str:
        """Over all lengths, then all fields."""
        if not self._keys:
            self._derive()
        key = self._keys.get(key_id)
        if key is None:
            raise BrokenSeal("a key that we don't have")
        lengths = ",".join([str(len(field)) for field in fields])
        return key.mac(f"{len(bound)},{lengths}:{bound}{''.join(fields)}".encode())

    def _derive(self) -> None:
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            key = hmac.digest(secret.encode(), f"seal:{self._purpose}".encode(), "sha256")
            key_id = hashlib.sha256(b"id:" + key).hexdigest()[:8]
            self._keys[key_id] = _Key(key)
            self._key_id = self._key_id or key_id

    def _forget(self, *, setting: str, **_: Any) -> None:
        if setting.startswith("SECRET_KEY"):
            self._key_id, self._keys = "", {}
