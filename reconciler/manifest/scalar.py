"""Plain YAML scalars by YAML 1.2's core schema, and the characters that a manifest may hold. Text in, values out.

Only true and false are booleans; ``010`` is ten and ``0o10`` is eight; dates, ``52:54:00``, ``1_000``, on, yes and no are text.
Unlike the core schema, ``.inf`` and ``.nan`` are text too, and so is a number that is too long to be one (a digest, perhaps).
"""

from __future__ import annotations

import re

MAX_DIGITS = 40

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What neither YAML nor XML can hold."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NUMBER_START = frozenset("+-.0123456789")


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a scalar that is written without quotes."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in _NUMBER_START and len(text) <= MAX_DIGITS:
        if _INTEGER.match(text):
            return int(text, 0) if text[1:2] in {"o", "x"} else int(text)
        if _FLOAT.match(text):
            return float(text)
    return text
