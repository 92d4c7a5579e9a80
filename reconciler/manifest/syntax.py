"""What libyaml says of a text that is no YAML -> a Problem in words that help. Reads nothing."""

from __future__ import annotations

import yaml

from reconciler.errors import Problem
from reconciler.manifest.scalar import UNPRINTABLE

# (part of libyaml's message, another part of it, what we say, what to do)
_SENTENCES = (
    ("tab character", "", "a tab cannot indent YAML", "indent with spaces"),
    ("cannot start any token", "", "a text cannot begin with this character", "put the text in quotes"),
    ("mapping values are not allowed", "", "a ':' where none can stand", "check the indentation, or put the text in quotes"),
    ("could not find expected ':'", "", "a key without ':'", "write 'key: value'"),
    ("did not find expected key", "", "a key was expected here", "check the indentation and the quotes above"),
    ("did not find expected '-' indicator", "", "a list item ('- ...') was expected here", "check the indentation"),
    ("did not find expected ',' or '", "", "a ',' or the closing bracket is missing before this", "close every [ and {"),
    ("found unexpected end of stream", "", "the file ends within a quoted text", "close the quotes"),
    ("block sequence entries are not allowed", "", "a list item ('- ...') cannot stand here", "begin the list on its own line"),
    ("did not find expected <document start>", "", "more text after the end of the document", "check the indentation"),
)


def problem(file: str, error: yaml.MarkedYAMLError, text: str) -> Problem:
    """The problem that libyaml met in `text`, where it met it. Of a tab it often says no more than "character"."""
    said = str(error.problem or error)
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if "".join(text.split("\n")[line - 1 : line])[column - 1 : column] == "\t":
        said = "tab character"
    for part, other, message, hint in _SENTENCES:
        if part in said and other in said:
            return Problem(file, line, column, "", f"not valid YAML: {message}", hint)
    return Problem(file, line, column, "", f"not valid YAML: {said}")


def unprintable(file: str, text: str) -> Problem | None:
    """The first character of `text` that no manifest may hold."""
    bad = UNPRINTABLE.search(text)
    if bad is None:
        return None
    line = text.count("\n", 0, bad.start()) + 1
    column = bad.start() - text.rfind("\n", 0, bad.start())
    return Problem(file, line, column, "", f"the control character U+{ord(bad.group()):04X}", "delete it")
