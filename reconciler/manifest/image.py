"""The size that a guest sees of a disk image in a local file. Reads a header, nothing else."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_QCOW2 = b"QFI\xfb"
_SIZE_AT = 24  # a qcow2 header has the virtual size here, 8 bytes, big endian


class ImageError(Exception):
    """The file of an upload cannot be read; `path` is the field below spec that names it."""

    path = ("upload", "path")

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def virtual_size(path: str) -> int:
    """Bytes: those that a qcow2 header states, or else the file's own size. Raises ImageError."""
    try:
        with Path(path).open("rb") as stream:
            header = stream.read(_SIZE_AT + 8)
            if header.startswith(_QCOW2) and len(header) == _SIZE_AT + 8:
                return int(struct.unpack_from(">Q", header, _SIZE_AT)[0])
            return os.fstat(stream.fileno()).st_size
    except OSError as error:
        message = f"the file to upload cannot be read: {path}: {error.strerror}"
        raise ImageError(message, "check the path; a relative one starts from the manifest's own folder") from None
