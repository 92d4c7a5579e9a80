"""Where the keys and items of a document stand, found out again from its text when somebody asks.

Most documents are never asked: keeping all places of thousands of manifests would take more memory than all that they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from reconciler.model.resource import Path

Place: TypeAlias = tuple[int, int]
Places: TypeAlias = tuple[dict[Path, Place], dict[Path, int]]


class LazyPlaces:
    """The `positions` and `texts` of a Document: `find` computes both, at most once. `start` is the document's own place."""

    __slots__ = ("_find", "_found", "start")

    def __init__(self, start: Place, find: Callable[[], Places]) -> None:
        self.start = start
        self._find = find
        self._found: Places | None = None

    def found(self) -> Places:
        if self._found is None:
            self._found = self._find()
        return self._found


class Positions(Mapping[Path, Place]):
    """path -> (line, column), both from 1."""

    __slots__ = ("_places",)

    def __init__(self, places: LazyPlaces) -> None:
        self._places = places

    def __getitem__(self, path: Path) -> Place:
        return self._places.found()[0][path] if path else self._places.start

    def __iter__(self) -> Iterator[Path]:
        return iter(self._places.found()[0])

    def __len__(self) -> int:
        return len(self._places.found()[0])


class Texts(Mapping[Path, int]):
    """path of a block text -> the line, from 1, on which the text itself begins."""

    __slots__ = ("_places",)

    def __init__(self, places: LazyPlaces) -> None:
        self._places = places

    def __getitem__(self, path: Path) -> int:
        return self._places.found()[1][path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._places.found()[1])

    def __len__(self) -> int:
        return len(self._places.found()[1])


def dotted(path: Sequence[str | int]) -> str:
    """``spec.disks[0].bus``: a path as people write it."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out
