"""YAML files -> Documents: plain data and the place of each key and item. Knows nothing of kinds and fields."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from reconciler.errors import Problem
from reconciler.manifest import files, syntax
from reconciler.manifest.builder import Builder
from reconciler.manifest.files import File, ProblemError
from reconciler.model.resource import Document


def read(paths: Sequence[str], problems: list[Problem]) -> list[Document]:
    """All documents of all files under `paths`; what is wrong with any of them is added to `problems`."""
    documents: list[Document] = []
    for file in files.find(paths, problems):
        try:
            documents += parse(files.read(file), file, problems)
        except ProblemError as error:
            problems.append(error.problem)
    return documents


def parse(text: str, file: File, problems: list[Problem]) -> list[Document]:
    """The documents in `text`; empty ones are passed over, but not an empty file. Every problem is added to `problems`."""
    if not text.strip():
        hint = "it may have been cut off: a file that is not meant to say anything is better deleted"
        problems.append(Problem(file.name, 1, 1, "", "the file is empty", hint))
        return []
    bad = syntax.unprintable(file.name, text)
    if bad is not None:
        problems.append(bad)
        return []
    builder = Builder(file.name, text, problems)
    try:
        builder.run()
    except yaml.MarkedYAMLError as error:
        problems.append(syntax.problem(file.name, error, text))
    except ProblemError as error:
        problems.append(error.problem)
    return builder.documents
