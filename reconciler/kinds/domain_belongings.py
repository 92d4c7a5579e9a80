"""What a domain names and has beside its definition: volumes, networks, what libvirt keeps for it. Data for kinds/domain.py."""

from __future__ import annotations

from reconciler.kinds.kind import Belonging, Reference

REFERENCES = (
    Reference("Volume", "devices/disk/source", name="volume", pool="pool", own=True),
    Reference("Pool", "devices/disk/source", name="pool"),
    Reference("Volume", "devices/disk/source", name="file", by_path=True, own=True),
    Reference("Volume", "devices/disk/source", name="dev", by_path=True, own=True),
    Reference("Volume", "devices/disk//backingStore/source", name="file", by_path=True),
    Reference("Volume", "devices/disk//backingStore/source", name="dev", by_path=True),
    Reference("Volume", "devices/disk//backingStore/source", name="volume", pool="pool"),
    Reference("Volume", "devices/disk/mirror/source", name="file", by_path=True),
    Reference("Volume", "devices/disk/mirror/source", name="dev", by_path=True),
    Reference("Volume", "devices/memory/source/path", name="", by_path=True),
    Reference("Volume", "devices/filesystem/source", name="dir", by_path=True, below=True),
    Reference("Volume", "devices/filesystem/source", name="file", by_path=True),
    Reference("Volume", "devices/filesystem/source", name="dev", by_path=True),
    Reference("Volume", "devices/filesystem/source", name="volume", pool="pool"),
    Reference("Volume", "devices/*/source", name="path", by_path=True),
    Reference("Volume", "devices/*/log", name="file", by_path=True),
    Reference("Volume", "os/kernel", name="", by_path=True),
    Reference("Volume", "os/initrd", name="", by_path=True),
    Reference("Volume", "os/dtb", name="", by_path=True),
    Reference("Volume", "os/loader", name="", by_path=True),
    Reference("Volume", "os/nvram", name="", by_path=True),
    Reference("Volume", "os/nvram", name="template", by_path=True),
    Reference("Volume", "os/nvram/source", name="file", by_path=True),
    Reference("Volume", "os/acpi/table", name="", by_path=True),
    Reference("Network", "devices/interface/source", name="network"),
)

LENT = (
    "devices/disk[@device='cdrom']/source",
    "devices/disk[@device='floppy']/source",
    "devices/disk[readonly]/source",
)
"""Media that are put in and disks that are only read: no guest wrote what is on them."""

BELONGINGS = (
    Belonging("managed save image", detail="managed_save"),
    Belonging(
        "snapshots",
        detail="snapshots",
        retained="libvirt forgets them with the definition, what they hold stays in the disks and their overlays",
    ),
    Belonging(
        "checkpoints",
        detail="checkpoints",
        retained="libvirt forgets them with the definition, their bitmaps stay in the disks",
    ),
    Belonging("NVRAM", detail="nvram", retained="stays", beside=True),
    Belonging("TPM state", path="devices/tpm/backend[@type='emulator']", retained="stays", beside=True),
)
