"""Words for values, types and examples in messages about manifests. Pure text."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from reconciler.manifest.shape import Schema, is_type

TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_LONGEST = 60
_MANY = 14


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest to `word`, or '' if none is near."""
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean "x"?`` for the known word that is nearest to `word`, or ''."""
    meant = nearest(word, known)
    return f'did you mean "{meant}"?' if meant else ""


def shown(value: Any) -> str:
    """`value` as one would write it, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f'{text[: _LONGEST - 4]}..."'


def kind_of(value: Any) -> str:
    """``a list``, ``true or false`` ...: what sort of thing `value` is."""
    return next((word for name, word in TYPES.items() if is_type(value, name)), "something else")


def example(schemas: Iterable[Schema]) -> str:
    """``for example "x"`` from the first of `schemas` that has a short one, or ''."""
    for schema in schemas:
        for sample in schema.get("examples", ())[:1]:
            text = json.dumps(sample, ensure_ascii=False)
            return f"for example {text}" if len(text) <= _LONGEST * 2 else ""
    return ""


def joined(names: Sequence[str]) -> str:
    """``"a", "b" and "c"``."""
    quoted = [f'"{name}"' for name in dict.fromkeys(names)]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def listing(names: Iterable[Any], before: str = "known here: ") -> str:
    """All of `names` behind `before`, if they are few enough to be read."""
    known = [str(name) for name in names]
    return before + ", ".join(known) if known and len(known) <= _MANY else ""
