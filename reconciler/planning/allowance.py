"""What the person, or the project, gives leave for in one run. A value."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.difference import Impact


@dataclass(frozen=True, slots=True)
class Policy:
    """`allow` is the ceiling; `destroy` asks for the removal of all that is owned, `correct_reverted` to undo reverts."""

    allow: Impact = Impact.LIVE
    prune: bool = False
    destroy: bool = False
    adopt: bool = False
    allow_mass_delete: bool = False
    correct_reverted: bool = False
    targets: frozenset[str] | None = None  # Kind/name; None: everything
