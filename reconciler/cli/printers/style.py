"""How single words look: symbols, colours, values. Everything that came from a manifest or a host goes through `printable`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import assert_never

from rich.text import Text

from reconciler.model.difference import Cause, Difference, Impact
from reconciler.model.plan import ResourcePlan, Status
from reconciler.model.resource import ResourceId
from reconciler.xmltree.quantity import binary

STATE = "state"  # the path under which the planner compares states
_SECRET = re.compile(r"vireo-secret-[0-9a-f]+")
_LONGEST = 240  # characters of one value; more is in the JSON plan


@dataclass(frozen=True, slots=True)
class Symbols:
    """The marks in front of lines; `ascii_only()` is for terminals and files that cannot show the others."""

    arrow: str = "→"
    done: str = "✓"
    failed: str = "✗"
    skipped: str = "↷"
    pending: str = "↻"
    foreign: str = "×"  # noqa: RUF001 (meant: it looks like a cross)
    ellipsis: str = "…"
    dot: str = "·"

    @classmethod
    def ascii_only(cls) -> Symbols:
        return cls(arrow="->", done="ok", failed="FAILED", skipped="skip", pending="*", foreign="x", ellipsis="...", dot="-")

    @classmethod
    def for_encoding(cls, encoding: str | None) -> Symbols:
        """The full set if every one of its characters can be written in `encoding`."""
        full = cls()
        try:
            "".join(getattr(full, name) for name in cls.__slots__).encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return cls.ascii_only()
        return full


def printable(text: str) -> str:
    """`text` on one line, with control characters (a terminal would obey them) shown as escapes."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def resource(identity: ResourceId) -> str:
    """``Kind/name`` as it may be shown."""
    return printable(str(identity))


def status_mark(status: Status, symbols: Symbols) -> Text:
    """The symbol of a status, in its colour."""
    match status:
        case Status.CREATE:
            return Text("+", "bold green")
        case Status.UPDATE:
            return Text("~", "bold yellow")
        case Status.DELETE:
            return Text("-", "bold red")
        case Status.BLOCKED:
            return Text("!", "bold magenta")
        case Status.PENDING_RESTART:
            return Text(symbols.pending, "bold cyan")
        case Status.NOT_OURS:
            return Text(symbols.foreign, "bold magenta")
        case Status.UNREACHABLE:
            return Text("?", "bold red")
        case Status.IN_SYNC:
            return Text("=", "dim")
        case _:
            assert_never(status)


def is_news(item: ResourcePlan) -> bool:
    """Whether a plan has something to say of a resource: unchanged ones are counted only."""
    return item.status is not Status.IN_SYNC or bool(item.differences) or bool(item.note)


def state(item: ResourcePlan, symbols: Symbols) -> Text:
    """The state that a resource has, and the one it is to have; with the word drift if it left it by itself."""
    if item.observed_state == item.desired_state:
        return Text(item.observed_state)
    drift = any(d.path == STATE and d.cause is Cause.DRIFT for d in item.differences)
    text = f"{item.observed_state} {symbols.arrow} {item.desired_state}"
    return Text.assemble(text, "  (", ("drift", "cyan"), ")") if drift else Text(text)


def impact_style(impact: Impact) -> str:
    """The more a guest feels of it, the louder."""
    if impact >= Impact.RECREATE:
        return "bold red"
    return "yellow" if impact is Impact.RESTART else ""


def value(kind: str, path: str, text: str | None) -> str:
    """One value of a difference: amounts in the largest exact unit, secrets hidden, absent as (none)."""
    if text is None:
        return "(none)"
    if text.isascii() and text.isdigit() and _is_amount(kind, path):
        return amount(int(text))
    shown = _SECRET.sub("(secret)", printable(text))
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}... ({len(text)} characters)"
    return shown if shown and shown == shown.strip() else f'"{shown}"'


def _is_amount(kind: str, path: str) -> bool:
    from reconciler.kinds import KINDS  # brings lxml with it, which most commands' help does not need

    return kind in KINDS and re.sub(r"\[[^\]]*\]", "", path) in KINDS[kind].rules.quantities


def amount(size: int) -> str:
    """Bytes in the largest binary unit that shows them exactly."""
    return binary(size)


def change(kind: str, difference: Difference) -> tuple[str, str, str]:
    """What is there now, what is wanted, and a remark where the running guest has a third value."""
    old = difference.persistent if difference.persistent != difference.desired else difference.live
    show = [value(kind, difference.path, text) for text in (old, difference.desired, difference.live)]
    third = difference.live is not None and difference.live not in (old, difference.desired)
    return show[0], show[1], f"running with {show[2]}" if third else ""


def plural(count: int, word: str) -> str:
    """``1 resource``, ``2 resources``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def seconds(duration: float) -> str:
    """A duration as people say it: 0.4 s, 12 s, 3 min 05 s."""
    if duration < 10:  # noqa: PLR2004
        return f"{duration:.1f} s"
    whole = round(duration)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"  # noqa: PLR2004
