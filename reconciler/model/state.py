"""The two sides of every comparison: what is wanted, and what a host has. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.resource import Location, ResourceId


@dataclass(frozen=True, slots=True)
class Desired:
    """What a manifest asks for.

    `xml` holds declared values only (rendered template with the overlay merged in): no generated UUID, MAC or address.
    Secret values in it are replaced by a placeholder; `secrets` maps placeholders to values, and is never stored or printed.
    `options` are the parts of the spec that do not show in the XML, as plain JSON data under their manifest names
    (shutdown, update, onDelete, persistent, upload ...).
    `digest` identifies xml, state, autostart and options together. `note` is what a person should know of it. `declared` is `xml`
    as the manifest says it where `xml` was adapted to what became of it on the host (a disk that goes on in an overlay), else "":
    that is what marks keep.
    """

    id: ResourceId
    xml: str
    state: str
    autostart: bool | None
    options: Mapping[str, Any]
    digest: str
    source: Location
    protect: bool = False
    adopt: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    declared: str = ""
    note: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Mark:
    """What Vireo wrote down on the host about a resource it owns: in the domain's metadata, or in the inventory.

    `uuid` is the object's own UUID (a volume's: its key): another one there means a clone, which is not ours.
    `xml`, `state`, `autostart` and `options` are the intent: the Desired last applied. `digest` is that Desired's digest.
    `readback` is the digest of the persistent XML as libvirt returned it after the last apply, `live` the same of the live XML.
    `normalised` holds what libvirt made of declared paths: path -> the value read back, None if it dropped it.
    `refused` are paths that the running object of `run` (its number on the host) could not take, with the reasons: they wait for
    its next start. `retired` are paths that left the manifest and that the running object still has, with their values; of a
    value that libvirt does not give back, also the one before a refused one. `waiting` are the paths at which that run differed
    from its definition when this was written: what differs beside them was changed since; None where that is not known.
    `pending` is true from before the first call of a creation until its verification, `wiping` from before the first byte of a
    volume is overwritten until it is deleted. `snapshots` are those that Vireo took of a domain: name -> "TIME WAY", as
    model.snapshot.noted says it. `reverted` is the snapshot that a domain was reverted to since its manifest was last applied
    (before it "reverting/", as long as that is not done): what differs since then is not corrected without a word. The last two,
    and `wiping`, are always the inventory's: a revert brings a domain's own metadata back to what they were.
    """

    project: str
    id: ResourceId
    uuid: str
    digest: str = ""
    readback: str = ""
    live: str = ""
    xml: str = ""
    state: str = ""
    autostart: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    normalised: Mapping[str, str | None] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] | None = None
    run: str = ""
    pending: bool = False
    wiping: bool = False
    protect: bool = False
    snapshots: Mapping[str, str] = field(default_factory=dict)
    reverted: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a host has of one resource. Secret values are not in the XML (read without VIR_DOMAIN_XML_SECURE).

    `persistent` is the inactive definition, None for a transient object; `live` the definition of the running one, None
    if it is not active. A volume has its XML in `persistent`. `details` are facts that are not in the XML, by name
    (for a domain: managed_save, snapshots: tuple[model.snapshot.Snapshot, ...], checkpoints: how many).
    """

    id: ResourceId
    uuid: str
    state: str
    persistent: str | None
    live: str | None
    autostart: bool | None
    mark: Mark | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What planning must know of a host before a template can be rendered for it.

    `virt_types` maps an architecture to the domain types that the host offers (virConnectGetCapabilities), best first;
    `machines` maps (architecture, alias) to the canonical machine type. `emulators` maps (architecture, domain type) to the
    program that libvirt starts where a definition names none. `uuid` is the host's UUID, or empty.
    """

    name: str
    uri: str
    uuid: str = ""
    hypervisor: str = ""
    libvirt_version: int = 0
    virt_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    machines: Mapping[tuple[str, str], str] = field(default_factory=dict)
    emulators: Mapping[tuple[str, str], str] = field(default_factory=dict)
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class HostState:
    """Everything observed of one host in one pass; `error` says why it could not be observed, and then nothing else is known.

    `resources` holds all objects of the host, foreign ones included (their `mark` is None).
    `inventory` holds this project's marks, also of objects that are not there any more.
    `foreign_marks` maps objects that other projects own to the project's name, `shared` objects of this project that the
    inventory of another one lists as well.
    """

    facts: HostFacts
    resources: Mapping[ResourceId, Observed] = field(default_factory=dict)
    inventory: Mapping[ResourceId, Mark] = field(default_factory=dict)
    foreign_marks: Mapping[ResourceId, str] = field(default_factory=dict)
    shared: Mapping[ResourceId, str] = field(default_factory=dict)
    error: str = ""

    @property
    def reachable(self) -> bool:
        return not self.error
