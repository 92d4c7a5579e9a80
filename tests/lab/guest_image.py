"""The tests' guest: a boot sector that counts on its disk 18 times a second, and obeys the ACPI power button."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "guest"
SIZE = 1024 * 1024


def build(path: Path, *, source: str = "count.S", stubborn: bool = False, dirty: int = 0) -> Path:
    """Writes a raw disk image of one MiB that boots the guest of that source. `stubborn`: it ignores the power button.

    `dirty`: it writes to that many bytes of its memory without rest, instead of counting by a clock.
    """
    compiled = path.with_suffix(".o")
    flags = ["-DSTUBBORN"] * stubborn + [f"-DDIRTY={dirty}"] * bool(dirty)
    subprocess.run(
        ["gcc", "-m32", "-c", "-x", "assembler-with-cpp", *flags, str(SOURCES / source), "-o", str(compiled)], check=True
    )
    link = ["ld", "-m", "elf_i386", "-Ttext", "0x7c00", "-e", "_start", "--oformat", "binary", str(compiled), "-o", str(path)]
    subprocess.run(link, check=True)
    compiled.unlink()
    with path.open("r+b") as image:
        image.truncate(SIZE)
    return path


def count(image: Path) -> int:
    """What the guest has counted up to on its raw disk: it starts at zero with each boot, so that a smaller one is a restart."""
    with image.open("rb") as disk:
        disk.seek(512)
        return int.from_bytes(disk.read(4), "little")
