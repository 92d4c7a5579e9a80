"""Which line of a manifest names another object: for problems of planning, which knows documents by their beginning only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.errors import Problem
from reconciler.model.resource import Document, ManifestSet, Path


def located(problems: Sequence[Problem], manifests: ManifestSet) -> list[Problem]:
    """The problems, each at the field that names what it refers to, where there is such a field."""
    documents = {(at.file, at.line, at.column): r.document for r in manifests.resources for at in (r.location,)}
    return [_at_its_field(problem, documents.get((problem.file, problem.line, problem.column))) for problem in problems]


def _at_its_field(problem: Problem, document: Document | None) -> Problem:
    if document is None or not problem.refers_to:
        return problem
    kind, name, pool = problem.refers_to
    found = list(_naming(document.data.get("spec"), _Name(kind.lower(), name, pool), ("spec",)))
    if not found:
        return problem
    where = document.locate(max(found, key=lambda one: one[0])[1])
    return replace(problem, line=where.line, column=where.column)


@dataclass(frozen=True, slots=True)
class _Name:
    """What is looked for; `kind` as fields are called."""

    kind: str
    name: str
    pool: str

    def sureness(self, field: str | int, value: Any, beside: Any) -> int:
        """0 is none: from the end of a path over the name alone to the name in a field of the kind, or beside its pool."""
        if not isinstance(value, str):
            return 0
        if value == self.name:
            with_pool = bool(self.pool) and isinstance(beside, Mapping) and beside.get("pool") == self.pool
            return 3 if field == self.kind or with_pool else 2
        return 1 if value.endswith(f"/{self.name}") else 0


def _naming(data: Any, wanted: _Name, path: Path) -> Iterator[tuple[int, Path]]:
    """The fields that may be meant, each with how surely."""
    entries = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    for part, value in entries:
        at = (*path, part)
        if sure := wanted.sureness(part, value, data):
            yield sure, at
        yield from _naming(value, wanted, at)
