"""The events of libyaml's C parser -> documents, in one pass, with the place of each key and item.

Tags are refused, aliases and depth are bounded. Knows nothing of files, kinds and fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from reconciler.errors import Problem
from reconciler.manifest.files import ProblemError
from reconciler.manifest.places import LazyPlaces, Places, Positions, Texts, dotted
from reconciler.manifest.scalar import UNPRINTABLE, resolve
from reconciler.model.resource import Document, Path

MAX_DEPTH = 64
MAX_ALIASED = 20_000  # values that the aliases of one file may repeat

_MERGE = "<<"


def find_places(file: str, text: str, before: int) -> Places:
    """The places in a document whose text was read without problem before; `before` lines of the file precede it."""
    builder = Builder(file, text, [], before)
    builder.run()
    return builder.places


@dataclass(slots=True)
class _Frame:
    """A mapping or list under construction; `anchor` names it, `start` counts the places known before it."""

    value: Any
    path: Path
    anchor: str | None
    start: int
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)
    merged: list[Any] = field(default_factory=list)

    @property
    def wants_key(self) -> bool:
        return self.key is None and type(self.value) is dict


class Builder:
    """Turns the events of one file into its documents. Iterative, so that no depth of nesting can exhaust the stack."""

    def __init__(self, file: str, text: str, problems: list[Problem], before: int = 0) -> None:
        self.documents: list[Document] = []
        self.places: Places = ({}, {})
        self._file = file
        self._text = text
        self._parser = CParser(text)
        self._problems = problems
        self._before = before
        self._aliased = 0
        self._begin(None)

    def run(self) -> None:
        """Read to the end. Raises ProblemError or yaml.MarkedYAMLError where nothing after the place can be trusted."""
        next_event = self._parser.get_event
        while True:
            event = next_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._open(event, {})
            elif kind is yaml.SequenceStartEvent:
                self._open(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                self._begin(event)
            elif kind is yaml.DocumentEndEvent:
                self._finish(event)
            elif kind is yaml.StreamEndEvent:
                return

    # --- one event each ----------------------------------------------------------------------------------------

    def _begin(self, event: Any) -> None:
        self._start = event
        self._root: Any = None
        self._stack: list[_Frame] = []
        self._path: Path = ()  # what is being read
        self._positions: dict[Path, tuple[int, int]] = {}
        self._texts: dict[Path, int] = {}
        self._anchors: dict[str, tuple[Any, Path, list[Path]]] = {}

    def _finish(self, event: Any) -> None:
        self.places = (self._positions, self._texts)
        if self._root is None:
            return
        begin = self._start.start_mark
        text = self._text[begin.index - begin.column : event.end_mark.index]
        places = LazyPlaces(self._positions[()], partial(find_places, self._file, text, self._before + begin.line))
        self.documents.append(Document(self._file, self._root, Positions(places), Texts(places)))

    def _scalar(self, event: Any) -> None:
        text, style = event.value, event.style
        if event.tag is not None:
            raise self._fail(
                event, f"the tag {event.tag} is not allowed", "write plain values; what shall be text goes in quotes"
            )
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.wants_key:
            self._key(event, frame, text)
            return
        path = self._place(event, frame)
        value: Any = text
        if not style:
            value = resolve(text)
        elif style == '"':
            bad = UNPRINTABLE.search(text)
            if bad:
                raise self._fail(event, f"the text holds U+{ord(bad.group()):04X}, which XML cannot hold", "leave it out")
        elif style in "|>":
            self._texts[path] = self._at(event)[0] + 1
        if event.anchor:
            self._anchors[event.anchor] = (value, path, [])
        self._put(frame, value)

    def _key(self, event: Any, frame: _Frame, text: str) -> None:
        if not text and not event.style:
            raise self._fail(event, "a key without a name", "a text that holds ': ' or begins with ':' needs quotes")
        if event.anchor:
            raise self._fail(event, "an anchor on a key is not allowed", "put it on the value")
        frame.key = text
        if text == _MERGE and not event.style:
            return
        at = self._at(event)
        self._path = path = (*frame.path, text)
        if text in frame.keys:
            message = f'the key "{text}" is there twice (first on line {frame.keys[text]})'
            self._problems.append(Problem(self._file, *at, dotted(path), message, "keep one of them"))
        frame.keys[text] = at[0]
        self._positions[path] = at

    def _open(self, event: Any, value: Any) -> None:
        if event.tag is not None:
            raise self._fail(event, f"the tag {event.tag} is not allowed", "write plain values")
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.wants_key:
            raise self._fail(event, "a key must be plain text", "a text that begins with { or [ needs quotes")
        if len(self._stack) >= MAX_DEPTH:
            raise self._fail(event, f"nested deeper than {MAX_DEPTH} levels")
        path = self._place(event, frame)
        self._stack.append(_Frame(value, path, event.anchor, len(self._positions)))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.merged:
            self._merge(frame)
        if frame.anchor:
            inside = list(self._positions)[frame.start :]
            self._anchors[frame.anchor] = (frame.value, frame.path, inside)
        self._put(self._stack[-1] if self._stack else None, frame.value)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.wants_key:
            raise self._fail(event, "an alias as a key is not allowed", "write the key")
        if any(open_frame.anchor == name for open_frame in self._stack):
            raise self._fail(event, f"the alias *{name} stands inside of what it names")
        if name not in self._anchors:
            raise self._fail(event, f"the alias *{name} names nothing above it", f"mark a value with &{name}, or quote the text")
        value, source, inside = self._anchors[name]
        self._aliased += 1 + len(inside)
        if self._aliased > MAX_ALIASED:
            raise self._fail(event, f"the aliases of this file repeat more than {MAX_ALIASED} values", "write the values out")
        path = self._place(event, frame)
        if frame is None or frame.key != _MERGE:
            for other in inside:
                self._positions[path + other[len(source) :]] = self._positions[other]
        self._put(frame, value)

    # --- where the values go -----------------------------------------------------------------------------------

    def _at(self, event: Any) -> tuple[int, int]:
        mark = event.start_mark
        return (mark.line + 1 + self._before, mark.column + 1)

    def _fail(self, event: Any, message: str, hint: str = "") -> ProblemError:
        return ProblemError(Problem(self._file, *self._at(event), dotted(self._path), message, hint))

    def _place(self, event: Any, frame: _Frame | None) -> Path:
        """The path of the value that begins with `event`; the place of a list's item is written down."""
        path: Path
        if frame is None:
            path = ()
        elif type(frame.value) is list:
            path = (*frame.path, len(frame.value))
        else:
            return (*frame.path, str(frame.key))
        self._positions[path] = self._at(event)
        self._path = path
        return path

    def _put(self, frame: _Frame | None, value: Any) -> None:
        if frame is None:
            self._root = value
        elif type(frame.value) is list:
            frame.value.append(value)
        elif frame.key == _MERGE and _MERGE not in frame.keys:
            frame.merged.append(value)
            frame.key = None
        else:
            frame.value[frame.key] = value
            frame.key = None

    def _merge(self, frame: _Frame) -> None:
        """YAML's merge key: the fields of other mappings, where this one does not have them itself."""
        sources = [item for value in frame.merged for item in (value if isinstance(value, list) else [value])]
        for source in sources:
            if not isinstance(source, dict):
                at = self._positions[frame.path]
                raise ProblemError(Problem(self._file, *at, dotted(frame.path), "<< needs a mapping", "write <<: *name"))
            for key, value in source.items():
                frame.value.setdefault(key, value)
