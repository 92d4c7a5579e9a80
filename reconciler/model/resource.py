"""What manifests say: where a document stands, which resource it declares. No rendering, no defaults."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a manifest file, 1-based as editors count."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: plain data, and where each key and item of it stands.

    `positions` maps a path into the data (keys and list indexes) to its (line, column). `texts` maps the path of a block text
    (``|`` or ``>``) to the line on which the text itself begins.
    """

    file: str
    data: Any
    positions: Mapping[Path, tuple[int, int]]
    texts: Mapping[Path, int] = field(default_factory=dict)

    def locate(self, path: Sequence[str | int] = ()) -> Location:
        """The place of `path`, or of its nearest ancestor that is written in the file."""
        at = tuple(path)
        while at and at not in self.positions:
            at = at[:-1]
        line, column = self.positions.get(at, (1, 1))
        return Location(self.file, line, column)


@dataclass(frozen=True, slots=True, order=True)
class ResourceId:
    """`Kind/name` on a host. A volume's name is unique within its pool only: `pool` is empty for all other kinds."""

    kind: str
    name: str
    host: str
    pool: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.pool}/{self.name}" if self.pool else f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One declared object. `spec` is plain data as the schema accepted it, with the schema's own defaults filled in.

    `note` is what a person should know of where it was placed.
    """

    id: ResourceId
    spec: Mapping[str, Any]
    document: Document
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    protect: bool = False
    adopt: bool = False
    note: str = ""

    @property
    def location(self) -> Location:
        return self.document.locate()


@dataclass(frozen=True, slots=True)
class Ignore:
    """A path that compare and apply leave alone, and why. The path may begin with the root element's name."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Project:
    """All manifests that are applied together; the name marks what it owns on the hosts."""

    name: str
    prune: bool = False
    prune_limit: int | None = None  # deletions in one run; None: 5, or a quarter of the project if that is more
    allow: str = "live"
    drift: str = "correct-safe"
    templates: str | None = None  # absolute path of the user's own template folder
    ignore: tuple[Ignore, ...] = ()


class HostUse(enum.StrEnum):
    """What a host is there for: ``drain`` moves domains away that can go elsewhere; ``ignore`` leaves it wholly alone."""

    ACTIVE = "active"
    DRAIN = "drain"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What may happen at once on a host. 0 is no limit; `bandwidth` is in bytes a second, for all migrations together."""

    parallel_starts: int = 0
    migrations_in: int = 2
    migrations_out: int = 2
    bandwidth: int = 0


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A libvirt host of the project, as declared or as given on the command line."""

    name: str
    uri: str
    labels: Mapping[str, str] = field(default_factory=dict)
    limits: HostLimits = HostLimits()
    use: HostUse = HostUse.ACTIVE


@dataclass(frozen=True, slots=True)
class ManifestSet:
    """A whole project as read from files: valid, references not yet resolved against hosts."""

    project: Project
    hosts: tuple[HostSpec, ...]
    resources: tuple[Resource, ...]
    root: str = ""  # absolute folder that relative paths in manifests start from
