"""Text from a message, made harmless for the eye and the terminal: what would not be seen is spelled out."""

from __future__ import annotations

import re
import unicodedata

# Control characters move a terminal's cursor; format characters and odd line ends reorder what a reader sees.
_SPELLED = {"Cc", "Cf", "Zl", "Zp", "Cs"}
_PERHAPS = re.compile(r"[^ -~\n\t]")  # all others are seen as they are, and most of a payload is others


def visible(text: str) -> str:
    """U+2028, escape sequences, bidirectional overrides and the like become \\uXXXX. Markup stays for the template."""
    return _PERHAPS.sub(_spell, text)


def _spell(found: re.Match[str]) -> str:
    char = found[0]
    return f"\\u{ord(char):04x}" if unicodedata.category(char) in _SPELLED else char
