"""What we know of storage volumes (virStorageVol*). libvirt knows a volume by its pool and name; its key is mostly its path."""

from __future__ import annotations

from reconciler.kinds.kind import Kind, Lifecycle, Reference, Rules, Transition, Way
from reconciler.kinds.spellings import octal
from reconciler.model.difference import Impact
from reconciler.model.plan import Verb

_ANEW = "libvirt cannot change it in place: the volume would have to be made anew, and its data would be lost"

VOLUME = Kind(
    name="Volume",
    root="volume",
    rng="storagevol.rng",
    lifecycle=Lifecycle(
        states=("absent", "present"),
        absent="absent",
        active=frozenset(),
        transitions=(
            Transition(Verb.CREATE, "absent", "present"),
            Transition(Verb.DELETE, "present", "absent", Impact.DATA_LOSS),
        ),
    ),
    rules=Rules(
        quantities={"capacity": "bytes", "allocation": "bytes", "physical": "bytes"},
        rounding={"capacity": 1024},
        spellings={"target/permissions/mode": octal},
        hidden=(
            "key",
            "physical",
            "source",
            "target/timestamps/**",
            "backingStore/timestamps/**",
            "backingStore/permissions/**",
            "@type",
        ),
        create_only=(
            "allocation",
            "target/path",
            "target/compat",
            "target/permissions/**",
            "target/clusterSize",
            "target/nocow",
            "target/features/**",
        ),
    ),
    ways=(
        Way(
            "capacity",
            Verb.RESIZE,
            Impact.NONE,
            how="made larger by virStorageVolResize; where a running guest uses it by virDomainBlockResize, so that it sees it",
            since="0.9.10",
            grows_only="a volume is never made smaller: what a guest has at its end would be lost",
        ),
        Way("**", Verb.CREATE, Impact.DATA_LOSS, refusal=_ANEW),
    ),
    references=(Reference("Volume", "backingStore/path", name="", by_path=True),),
    has_uuid=False,
    remade=Impact.DATA_LOSS,
    filled_by=("clone", "upload"),
    copied_from="clone",
    made_as=("target/format/@type",),
    emptied_by={"wipe": Verb.WIPE},
    held={Verb.DELETE: "any", Verb.WIPE: "any"},
)
