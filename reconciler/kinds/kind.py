"""The vocabulary in which each libvirt kind is described: tables of data, no effects, no branches on a kind's name.

Paths are those of the canonical mapping (see xmltree.canonical): element names below the root joined by ``/``, repeated
elements with their key in brackets, attributes with ``@``: ``devices/disk[vda]/driver/@cache``. A pattern is such a path in
which ``*`` stands for any part of one step and a final ``/**`` for everything below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model.difference import Impact
from reconciler.model.plan import Verb
from reconciler.xmltree.rules import Key, Rules

__all__ = ["Belonging", "Key", "Kind", "Lifecycle", "Reference", "Rules", "Transition", "Way"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a lifecycle. `cost` chooses between ways of equal impact; `only` limits it to one sort of objects."""

    verb: Verb
    source: str
    target: str
    impact: Impact = Impact.NONE
    cost: int = 1
    only: Literal["persistent", "transient", ""] = ""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The states of a kind and the steps between them. `absent` is the state of what does not exist.

    `active` are the states in which a live definition exists.
    """

    states: tuple[str, ...]
    absent: str
    active: frozenset[str]
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """How differences at `pattern` are repaired, and what that does to an active object.

    The first way of a kind whose pattern matches counts. `verb` repairs it in the definition; `impact` is what bringing it into
    effect does to an active object (to an inactive one: nothing). `refusal` says why there is no way at all; `grows_only` that
    an amount may become larger only, and why; `awaits` what a running object has to do itself for an amount that was asked of
    it: where it has another one, that is told and is no difference. `within` is the path of the amount that a running object
    has at most; `fixed` says why a running object can neither get such a value nor lose it, but only have another one. For
    people: `how` it is done, in one sentence, `since` which version libvirt has the call, and what it `needs` beside that.
    """

    pattern: str
    verb: Verb
    impact: Impact
    refusal: str = ""
    grows_only: str = ""
    awaits: str = ""
    within: str = ""
    fixed: str = ""
    how: str = ""
    since: str = ""
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the XML names another resource: `path` is an ElementPath below the root whose element carries the names.

    `name` and `pool` are attributes of that element; an empty `name` means its text. With `by_path` the value is a file's path:
    the volume with that path is meant; with `below` it is a folder's: every volume in it is used, and none of them needed.
    `own` says that what is there is the object's own data, unless the element is among those that the kind lists as `lent`.
    """

    kind: str
    path: str
    name: str
    pool: str = ""
    by_path: bool = False
    below: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Belonging:
    """Something that an object has beside its definition and its volumes, and that its removal must deal with.

    It is there if the observed object has the `detail`, or its XML the element at `path`. `retained` says what becomes of it
    where the data are kept; empty where the way to the removal ends it. `beside` says that it is in a file of its own.
    """

    word: str
    detail: str = ""
    path: str = ""
    retained: str = ""
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """All that the rest of Vireo needs to know of one libvirt kind.

    `root` is the XML's root element, `rng` the libvirt schema file that checks it. `marked` says that the mark lives in the
    object's own XML as well as in the inventory. `remade` is the impact of making an object again that was there and is gone.
    `restarts` says that an active object can be restarted so that its definition takes effect. `has_uuid` is false where libvirt
    knows the object by a key that cannot be chosen. `held` says which verbs must not happen while another object uses this one:
    any user, or only an active one; `interrupts` which ones cut active users off and connect them again. `filled_by` are the
    options that fill a new object with data: one that was not finished is made again; `copied_from` is the one of them that names
    the object of this kind that a new one is copied from. `made_as` are the paths that stay as they were made: where they do not,
    another object has the name. `emptied_by` maps a data policy (`onDelete`) to the verb that goes before the last step of a
    removal, `belongings` are what goes or stays with it, `lent` the elements whose references are not the object's own data.
    `layered` is the ElementPath of devices that may go on in an overlay on top of the declared file. `migrates`: it can move to
    another host, and its mark with it.
    `later` are options that manifests may carry already and that this version does not act on.
    """

    name: str
    root: str
    rng: str
    lifecycle: Lifecycle
    rules: Rules
    ways: tuple[Way, ...]
    references: tuple[Reference, ...] = ()
    marked: bool = False
    has_uuid: bool = True
    restarts: bool = False
    remade: Impact = Impact.NONE
    filled_by: tuple[str, ...] = ()
    copied_from: str = ""
    made_as: tuple[str, ...] = ()
    emptied_by: Mapping[str, Verb] = field(default_factory=dict)
    belongings: tuple[Belonging, ...] = ()
    lent: tuple[str, ...] = ()
    layered: str = ""
    migrates: bool = False
    later: tuple[str, ...] = ()
    held: Mapping[Verb, Literal["any", "active"]] = field(default_factory=dict)
    interrupts: frozenset[Verb] = frozenset()
