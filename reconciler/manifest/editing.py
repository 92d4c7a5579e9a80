"""One value of a manifest file changed in place: comments, order and everything else stay as a person wrote them.

The file is read again as it would be after the change, before it is written: if anything but this one value would be another,
nothing is written.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from reconciler.errors import Problem, UsageError
from reconciler.manifest import files, reader
from reconciler.manifest.files import File, ProblemError
from reconciler.manifest.places import dotted
from reconciler.model.resource import Document
from reconciler.model.resource import Path as Steps


def replace_text(document: Document, path: Steps, new: str) -> None:
    """Makes the text at `path` of the document `new`, in its file. Raises UsageError where that cannot be done by itself."""
    where = document.locate(path)
    file = File(document.file, document.file)
    refusal = UsageError(f"{where}: {dotted(path)} cannot be changed without changing more", hint=f"change it to {new} yourself")
    try:
        text = files.read(file)
        before = _data(text, file)
        index = next(
            (n for n, each in enumerate(before) if each.locate() == document.locate() and each.data == document.data), None
        )
        if index is None or path not in before[index].positions:
            raise refusal
        wanted = [_with(each.data, path, new) if n == index else each.data for n, each in enumerate(before)]
        for candidate in _candidates(text, before[index], path, new):
            try:
                after = _data(candidate, file)
            except ProblemError:
                continue
            if [each.data for each in after] == wanted:
                _write(document.file, candidate)
                return
    except (ProblemError, yaml.YAMLError, OSError) as error:
        raise refusal from error
    raise refusal


def _data(text: str, file: File) -> list[Document]:
    problems: list[Problem] = []
    documents = reader.parse(text, file, problems)
    if problems:
        raise ProblemError(problems[0])
    return documents


def _with(data: object, path: Steps, new: str) -> object:
    if not path:
        return new
    if isinstance(data, dict):
        return {key: _with(value, path[1:], new) if key == path[0] else value for key, value in data.items()}
    return data


def _candidates(text: str, document: Document, path: Steps, new: str) -> Iterator[str]:
    """The whole text with the value behind the key at `path` replaced, as it is and in quotes."""
    line, column = document.positions[path]
    nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    value = next((value for key, value in _entries(nodes) if _place(key) == (line, column)), None)
    if isinstance(value, yaml.ScalarNode):
        for written in (new, json.dumps(new)):
            yield text[: value.start_mark.index] + written + text[value.end_mark.index :]


def _entries(nodes: list[yaml.Node]) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """All keys with their values, each once, however often aliases name them."""
    waiting, seen = list(nodes), set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield from node.value
            waiting += [value for _, value in node.value]
        else:
            waiting += node.value


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _write(name: str, text: str) -> None:
    """All of it or nothing, with the file's own rights; a link stays one."""
    target = Path(os.path.realpath(name))
    mark = "\ufeff" if target.read_bytes().startswith(b"\xef\xbb\xbf") else ""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write((mark + text).encode())
        Path(temporary).chmod(target.stat().st_mode & 0o7777)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
