"""Text from a message, made harmless for the eye and the terminal: what would not be seen is spelled out."""

from __future__ import annotations

import unicodedata

# Control characters move a terminal's cursor; format characters and odd line ends reorder what a reader sees.
_SPELLED = {"Cc", "Cf", "Zl", "Zp", "Cs"}
_KEPT = "\n\t"


def visible(text: str) -> str:
    """U+2028, escape sequences, bidirectional overrides and the like become \\uXXXX. Markup stays for the template."""
    return "".join(
        f"\\u{ord(char):04x}" if char not in _KEPT and unicodedata.category(char) in _SPELLED else char for char in text
    )
