"""What groups and topics may be called: their names become parts of keys, and a group's that of its inbox."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # no colon, brace or '#': those divide what a name stands beside
_OF_A_PARTITION = {"log", "meta", "series", "later", "drafts"}  # a group of such a name would write into these


def check_topic(name: str) -> None:
    """
    Raises:
        ValueError: no topic may be called that.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"topic {name!r}: a name is of letters, digits, '.', '_' and '-'")


def check_group(name: str) -> None:
    """
    Raises:
        ValueError: no group may be called that.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"group {name!r}: a name is of letters, digits, '.', '_' and '-'")
    if name in _OF_A_PARTITION:
        raise ValueError(f"group {name!r}: that is what a partition's own keys are called")
