"""A file system in a node of the lab whose disk is a file: what is on the disk itself can be read, whatever its files say.

Mounted by a loop device, with the kernel's own page cache and delayed allocation: what hides data from a careless wipe is there,
as it is on a real disk. Files on it are seen in the node only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.nodes import Lab

MIB = 1 << 20
_LOOPS = """
test -e /dev/loop-control || mknod /dev/loop-control c 10 237
for i in $(seq 0 63); do test -e /dev/loop$i || mknod /dev/loop$i b 7 $i; done
"""


@dataclass(frozen=True, slots=True)
class Disk:
    """`folder` is where its files are, in the node; `device` holds the disk's bytes."""

    lab: Lab
    folder: Path
    device: Path

    def count(self, pattern: bytes) -> int:
        """How often the pattern is on the disk, at multiples of its own length or not."""
        found, rest = 0, b""
        with self.device.open("rb") as stream:
            while piece := stream.read(4 * MIB):
                found += (rest + piece).count(pattern)
                rest = piece[1 - len(pattern) :] if len(pattern) > 1 else b""
        return found

    def blocks(self, name: str) -> list[tuple[int, int]]:
        """Where the file lies on the disk by the file system's own map (filefrag): (offset, length) in bytes."""
        said = self.run("filefrag", "-b512", "-v", str(self.folder / name))
        rows = re.findall(r"^\s*\d+:\s+\d+\.\.\s*\d+:\s+(\d+)\.\.\s*\d+:\s+(\d+):", said, re.MULTILINE)
        return [(int(first) * 512, int(count) * 512) for first, count in rows]

    def at(self, blocks: list[tuple[int, int]]) -> bytes:
        """What the disk has there."""
        with self.device.open("rb") as stream:
            out = []
            for offset, length in blocks:
                stream.seek(offset)
                out.append(stream.read(length))
        return b"".join(out)

    def run(self, *argv: str) -> str:
        """A command in the node, and what it says."""
        return self.lab.run(1, argv).stdout

    def sync(self) -> None:
        """Everything that was written is on the disk afterwards."""
        self.run("sync", "-f", str(self.folder))


@contextmanager
def disk(lab: Lab, size: int = 256 * MIB) -> Iterator[Disk]:
    """An empty one of that size in bytes, on node 1."""
    device, folder = lab.images / "disk.img", lab.images / "disk"
    folder.mkdir()
    with device.open("wb") as stream:
        stream.truncate(size)
    lab.run(1, ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(device)])
    lab.run(1, ["sh", "-c", _LOOPS], check=False)
    if lab.run(1, ["mount", "-o", "loop", str(device), str(folder)], check=False).returncode:
        pytest.xfail("the kernel of this machine gives no loop device: what is on the disk itself cannot be read")
    lab.run(1, ["rmdir", str(folder / "lost+found")])
    try:
        yield Disk(lab, folder, device)
    finally:
        lab.run(1, ["umount", str(folder)])
