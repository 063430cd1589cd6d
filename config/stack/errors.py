from __future__ import annotations


class CannotStart(Exception):
    """The stack cannot start here. The message is one line that says what is wrong and what to do."""
