"""Documents written as YAML as people write manifests: small things in one line, long ones in blocks, comments where they help.

PyYAML's emitter knows neither comments nor lines that are short enough, and quotes for YAML 1.1; what is written here, our own
reader (YAML 1.2) gives back as the same data. Plain data in, text out; knows no kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.manifest.scalar import resolve

WIDTH = 130
LIST_WIDTH = 100  # of several mappings in one line
MANY, SHORT = 6, 64  # a longer list of entries that are shorter than this is folded: the ports of a PCI Express root
_PLAIN = re.compile(r"[A-Za-z0-9_/.+(][A-Za-z0-9_/.+()=@~%^*$;-]*(?: [A-Za-z0-9_/.+()=@~%^*$;-]+)*\Z")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_SWITCHES = frozenset({"y", "n", "yes", "no", "on", "off"})  # what readers of YAML 1.1 take for true and false
_SPECIAL = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udfff]")
_LITERAL = re.compile("[\t\n\x20-\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


def document(data: Mapping[str, Any], comments: Mapping[str, str] | None = None, heading: str = "") -> str:
    """One YAML document. `comments` are put before the fields of `spec` that they are named by, `heading` before all."""
    lines = [*_comment(heading, ""), *_mapping(data, "", comments or {})]
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"{indent}# {line}".rstrip()


def _mapping(data: Mapping[str, Any], indent: str, comments: Mapping[str, str]) -> Iterator[str]:
    for name, value in data.items():
        if indent:
            yield from _comment(comments.get(name, ""), indent)
        yield from _entry(f"{indent}{key(name)}:", value, indent, comments, opened=name == "spec" and not indent)


def _entry(head: str, value: Any, indent: str, comments: Mapping[str, str], *, opened: bool = False) -> Iterator[str]:
    """A field: in the line of its name if that is short enough."""
    if isinstance(value, str) and "\n" in value and _is_literal(value):
        yield f"{head} {_block_mark(value)}"
        yield from (f"{indent}  {line}" if line else "" for line in value.rstrip("\n").split("\n"))
        yield from [""] * (len(value) - len(value.rstrip("\n")) - 1)
        return
    line = f"{head} {flow(value)}"
    many = isinstance(value, list) and len(value) > 1 and any(isinstance(item, dict | list) for item in value)
    if not isinstance(value, dict | list) or not value or (len(line) <= (LIST_WIDTH if many else WIDTH) and not opened):
        yield line
        return
    yield head
    if isinstance(value, dict):
        yield from _mapping(value, f"{indent}  ", comments if opened else {})
    elif len(value) > MANY and all(isinstance(item, dict) and len(flow(item)) <= SHORT for item in value):
        yield from _folded([flow(item) for item in value], f"{indent}  ")
    else:
        yield from _items(value, indent)


def _items(value: list[Any], indent: str) -> Iterator[str]:
    """A list in block style, each entry in one line if it is short enough."""
    for item in value:
        line = f"{indent}  - {flow(item)}"
        if len(line) <= WIDTH or not isinstance(item, dict) or not item:
            yield line
            continue
        first, *rest = _mapping(item, f"{indent}    ", {})
        yield f"{indent}  - {first.lstrip()}"
        yield from rest


def _folded(items: list[str], indent: str) -> Iterator[str]:
    """A list in flow style over several lines."""
    line = f"{indent}["
    for number, item in enumerate(items):
        piece = f"{item}{']' if number == len(items) - 1 else ','}"
        if len(line) + len(piece) > WIDTH:
            yield line.rstrip()
            line = f"{indent} "
        line += piece if line.endswith(("[", f"{indent} ")) else f" {piece}"
    yield line


def flow(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key(name)}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return scalar(str(value))


def key(name: str) -> str:
    """A name of a field; what could be anything but a text is quoted."""
    return name if _KEY.match(name) and resolve(name) == name else _quoted(name)


def scalar(text: str) -> str:
    """A text, in quotes where a reader of YAML 1.1 or 1.2 could take it for something else."""
    plain = _PLAIN.match(text) is not None and resolve(text) == text and text.lower() not in _SWITCHES
    return text if plain and not _like_a_number(text) else _quoted(text)


def _like_a_number(text: str) -> bool:
    """What readers of other versions take for a number or a date: ``0o7``, ``1e3``, ``2026-01-01``, ``.5``; no IP address."""
    return re.fullmatch(r"[-+.]?[0-9][0-9_]*\.?[0-9_eExXoO+-]*|[-+]?\.(inf|nan)|0x[0-9a-f_]+", text, re.IGNORECASE) is not None


def _quoted(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))


def _is_literal(text: str) -> bool:
    """Whether a block keeps the text: nothing that cannot be printed, a first line that says the indent, text at all."""
    first = text.split("\n", 1)[0]
    return bool(_LITERAL.fullmatch(text) and first and not first[0].isspace() and text.strip("\n").strip())


def _block_mark(text: str) -> str:
    ends = len(text) - len(text.rstrip("\n"))
    return "|-" if ends == 0 else "|" if ends == 1 else "|+"
