"""Lines of a bounded width: hanging indents and aligned columns. Knows nothing of plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

_GAP = 2
_LEAST = 28  # cells that the last column needs to be read; less: it gets a line of its own
_WIDEST = 44  # cells that a column may take before longer cells stick out of it
_DEEPER = 4
_MEASURE = Console(width=80, color_system=None)


def hang(prefix: Text, body: Text, width: int | None) -> list[Text]:
    """`prefix` and `body` on one line; where `width` cells (None: no limit) are not enough, the body goes on below itself."""
    room = None if width is None else width - prefix.cell_len
    if room is None or body.cell_len <= room:
        return [_trimmed(prefix + body)]
    parts = body.wrap(_MEASURE, max(room, 16))
    blank = Text(" " * prefix.cell_len)
    return [_trimmed((prefix if index == 0 else blank) + part) for index, part in enumerate(parts)]


def columns(rows: Iterable[Sequence[Text]], *, indent: int, width: int | None) -> list[Text]:
    """Aligned columns. The last one hangs below itself, or moves to a line of its own where the others leave it no room."""
    return [line for group in blocks(rows, indent=indent, width=width) for line in group]


def blocks(rows: Iterable[Sequence[Text]], *, indent: int, width: int | None) -> list[list[Text]]:
    """As `columns`, with the lines of each row by themselves."""
    table = [list(row) for row in rows]
    count = max((len(row) for row in table), default=0)
    sizes = [_size([row[column].cell_len for row in table if column < len(row)], width) for column in range(count - 1)]
    return [_block(row[: count - 1], row[count - 1 :], sizes, indent=indent, width=width) for row in table]


def _size(cells: Sequence[int], width: int | None) -> int:
    """The cells that a column takes: those of its longest entry, but for a few very long ones."""
    most = _WIDEST if width is None else width * 2 // 5
    return max((size for size in cells if size <= most), default=0)


def _block(head: Sequence[Text], last: Sequence[Text], sizes: Sequence[int], *, indent: int, width: int | None) -> list[Text]:
    prefix = Text(" " * indent)
    for cell, size in zip(head, sizes, strict=False):
        prefix = prefix + cell + Text(" " * (max(size - cell.cell_len, 0) + _GAP))
    body = last[0] if last else Text()
    if not body.plain:
        return hang(Text(" " * indent), _trimmed(prefix[indent:]), width)
    if width is None or width - prefix.cell_len >= min(body.cell_len, _LEAST):
        return hang(prefix, body, width)
    return [*hang(Text(" " * indent), _trimmed(prefix[indent:]), width), *hang(Text(" " * (indent + _DEEPER)), body, width)]


def _trimmed(line: Text) -> Text:
    copy = line.copy()
    copy.rstrip()
    return copy
