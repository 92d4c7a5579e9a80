"""What we know of storage pools (virStoragePool*)."""

from __future__ import annotations

from reconciler.kinds.kind import Key, Kind, Lifecycle, Rules, Transition, Way
from reconciler.kinds.spellings import lower, octal
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb

POOL = Kind(
    name="Pool",
    root="pool",
    rng="storagepool.rng",
    lifecycle=Lifecycle(
        states=("absent", "inactive", "active"),
        absent="absent",
        active=frozenset({"active"}),
        transitions=(
            Transition(Verb.DEFINE, "absent", "inactive"),
            Transition(Verb.START, "inactive", "active"),
            Transition(Verb.STOP, "active", "inactive", Impact.LIVE),
            Transition(Verb.UNDEFINE, "inactive", "absent"),
        ),
    ),
    rules=Rules(
        keys={"source/device": Key(("@path",)), "source/host": Key(("@name",)), "source/adapter": Key()},
        quantities={"capacity": "bytes", "allocation": "bytes", "available": "bytes"},
        spellings={"uuid": lower, "target/permissions/mode": octal},
        hidden=("capacity", "allocation", "available"),
        complete=frozenset({"source/device", "source/host"}),
        volatile=("target/permissions/**",),
    ),
    ways=(
        Way("uuid", Verb.DEFINE, Impact.RECREATE, refusal="libvirt knows a pool by its UUID: it cannot change"),
        Way("@type", Verb.DEFINE, Impact.RECREATE, refusal="a pool of another type is another pool: remove this one first"),
        Way("**", Verb.DEFINE, Impact.RESTART),
    ),
    restarts=True,
    held={Verb.STOP: "active", Verb.RESTART: "active", Verb.UNDEFINE: "any"},
)
