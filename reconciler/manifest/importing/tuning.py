"""How the host treats a domain: processors, disks, nodes, labels, QEMU's own arguments. Tables only."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest.importing.table import Item, Items, Made, Part, Row, amount, integer, pairs, truth
from reconciler.xmltree.document import Element

_QEMU: Final = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_SCHEDULER: Final[tuple[Item, ...]] = (Row("scheduler", "@scheduler"), Row("priority", "@priority", integer))

CPUTUNE: Final[tuple[Item, ...]] = (
    *(
        Row(name, name, integer)
        for name in (
            "shares",
            "period",
            "quota",
            "global_period",
            "global_quota",
            "emulator_period",
            "emulator_quota",
            "iothread_period",
            "iothread_quota",
        )
    ),
    Part("vcpupins", "vcpupin", (Row("vcpu", "@vcpu", integer), Row("cpuset", "@cpuset")), each=True),
    Part("emulatorpin", "emulatorpin", (Row("cpuset", "@cpuset"),)),
    Part("iothreadpins", "iothreadpin", (Row("iothread", "@iothread", integer), Row("cpuset", "@cpuset")), each=True),
    Part("vcpuscheds", "vcpusched", (Row("vcpus", "@vcpus"), *_SCHEDULER), each=True),
    Part("iothreadscheds", "iothreadsched", (Row("iothreads", "@iothreads"), *_SCHEDULER), each=True),
    Part("emulatorsched", "emulatorsched", _SCHEDULER),
)
MEMTUNE: Final[tuple[Item, ...]] = tuple(
    Made(name, name, amount(name)) for name in ("hard_limit", "soft_limit", "swap_hard_limit")
)
BLKIOTUNE: Final[tuple[Item, ...]] = (
    Row("weight", "weight", integer),
    Part(
        "devices",
        "device",
        (
            Row("path", "path"),
            *(
                Row(name, name, integer)
                for name in ("weight", "read_bytes_sec", "write_bytes_sec", "read_iops_sec", "write_iops_sec")
            ),
        ),
        each=True,
    ),
)
NUMATUNE: Final[tuple[Item, ...]] = (
    Part("memory", "memory", (Row("mode", "@mode"), Row("nodeset", "@nodeset"), Row("placement", "@placement"))),
    Part(
        "memnodes",
        "memnode",
        (Row("cellid", "@cellid", integer), Row("mode", "@mode"), Row("nodeset", "@nodeset")),
        each=True,
    ),
)
SECLABEL: Final[tuple[Item, ...]] = (
    Row("type", "@type"),
    Row("model", "@model"),
    Row("relabel", "@relabel", truth),
    Row("label", "label"),
    Row("baselabel", "baselabel"),
)


def _environment(commandline: Element) -> dict[str, Any] | None:
    return pairs(f"{_QEMU}env", "@name", "@value")(commandline)


COMMANDLINE: Final[tuple[Item, ...]] = (
    Items("args", f"{_QEMU}arg", "@value"),
    Made("env", f"{_QEMU}env", _environment),
)
COMMANDLINE_PATH: Final = f"{_QEMU}commandline"
