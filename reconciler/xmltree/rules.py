"""What must be known of a kind's XML to compare and merge it, as data. The tables themselves are in kinds/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Key:
    """How repeated elements of one name are told apart: the first of `sources` of which all parts are present.

    A source is an attribute or a descendant's attribute or text (``target/@dev``, ``@type``), or several joined by ``+``.
    A part ``@index=0`` has a value for when it is missing. Where no source is complete, the position among the siblings of that
    name counts. `paired_by` is an attribute that must agree when an element without a complete key is paired with one that
    libvirt has completed.
    """

    sources: tuple[str, ...] = ()
    paired_by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """How a kind's XML becomes a canonical mapping, and what of it is whose.

    Paths and patterns here are without keys: ``devices/disk/driver/@cache``.
    keys: element path -> Key, for elements that may stand several times.
    quantities: path of an element or attribute that is an amount -> the unit it has when @unit is missing.
    rounding: path pattern -> bytes to which libvirt rounds such an amount up.
    live_rounding: the same for a running object.
    spellings: path pattern -> function that brings equal spellings to one.
    owned: element paths of whole collections: an entry that nobody declared is drift.
    complete: the same, but only as soon as one entry is declared.
    sole: paths of elements of which one without a key, if it is the only one, is the only one that the host has.
    shared: paths of elements that others write into as well: never taken out whole, only what was declared in them.
    hidden: patterns that are never part of the mapping (our own mark, run-time numbers).
    write_only: patterns that libvirt does not give back; they are compared with the intent instead of the host.
    create_only: patterns that say how to make the object, and nothing about it later.
    volatile: patterns for which live differing from persistent does not mean that a restart is pending.
    live_only: patterns of what a running object shows by itself: never a remnant of what was declared before.
    only_with: path below a device -> child of that device without which a running object does not show the path.
    automatic: pattern -> persistent values in whose place a running object has a value of its own choice.
    variants: element path -> attribute that, when it changes, makes another thing of the element: it is replaced whole.
    of_variant: element path of variants -> children that belong to a variant: where an overlay names another, only these go.
    placed_by: element path -> sub-paths whose change moves the device: its generated <address> is dropped then.
    rebuilt_by: path -> function to the part of the value whose change makes what libvirt generated for the old value void.
    generated: path of rebuilt_by -> patterns of what is void then, unless it is declared.
    mirrors: (parent, step, step): two steps below one element that libvirt makes of each other; if one of them alone is
        declared, the other is its echo. The steps may be patterns.
    displaced: pattern -> pattern: what matches the first cannot stand beside what matches the second, and gives way to it
        unless it is declared itself.
    falls_with: path with key of a device -> ElementPath of siblings that libvirt made for it and that go with it.
    beside: ElementPath -> child that such an element must have, even an empty one, for libvirt to keep what its attributes say.
    expanded: element path -> attribute with a set of numbers, of which libvirt makes an element each.
    derived_mac: element path of devices whose missing MAC address is derived; derived_serial: of those whose serial is.
    """

    keys: Mapping[str, Key] = field(default_factory=dict)
    quantities: Mapping[str, str] = field(default_factory=dict)
    rounding: Mapping[str, int] = field(default_factory=dict)
    live_rounding: Mapping[str, int] = field(default_factory=dict)
    spellings: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    complete: frozenset[str] = frozenset()
    sole: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    hidden: tuple[str, ...] = ()
    write_only: tuple[str, ...] = ()
    create_only: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    live_only: tuple[str, ...] = ()
    only_with: Mapping[str, str] = field(default_factory=dict)
    automatic: Mapping[str, frozenset[str]] = field(default_factory=dict)
    variants: Mapping[str, str] = field(default_factory=dict)
    of_variant: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    placed_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rebuilt_by: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    generated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mirrors: tuple[tuple[str, str, str], ...] = ()
    displaced: Mapping[str, str] = field(default_factory=dict)
    falls_with: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    expanded: Mapping[str, str] = field(default_factory=dict)
    derived_mac: str = ""
    derived_serial: str = ""
