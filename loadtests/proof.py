"""The human check, solved as a browser solves it: the number that makes SHA-256(salt + number) the challenge."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any


def solve(challenge: dict[str, Any]) -> str:
    """What to send back as `altcha`. It takes up to `maxnumber` hashes, half of them on average."""
    salt, wanted = challenge["salt"].encode(), challenge["challenge"]
    for number in range(challenge["maxnumber"] + 1):
        if hashlib.sha256(b"%s%d" % (salt, number)).hexdigest() == wanted:
            kept = {name: challenge[name] for name in ("algorithm", "challenge", "salt", "signature")}
            return base64.b64encode(json.dumps({**kept, "number": number}).encode()).decode()
    raise ValueError(f"no number up to {challenge['maxnumber']} solves {wanted}")
