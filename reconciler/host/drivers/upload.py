"""A local file into a volume (virStorageVolUpload): checked before anything is made on the host, holes kept as holes.

Nothing here makes or deletes a volume, see volume.py.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import libvirt

from reconciler.errors import HostError, UsageError
from reconciler.host.drivers.options import Upload
from reconciler.host.drivers.step import Step

CHUNK = 4 << 20  # bytes read at once
_QCOW2 = b"QFI\xfb"
_SIZE_AT = 24  # a qcow2 header has the guest's disk size here: 8 bytes, big endian


@dataclass(frozen=True, slots=True)
class Image:
    """An open local file, unbuffered, because its descriptor's position is moved, too.

    `length` and `capacity` are in bytes: of the file, and of the disk that a guest sees in it.
    """

    stream: FileIO
    path: str
    length: int
    capacity: int
    format: str
    stamp: int

    def unchanged(self) -> bool:
        """Whether the file is still as it was when it was opened."""
        now = os.fstat(self.stream.fileno())
        return (now.st_size, now.st_mtime_ns) == (self.length, self.stamp)


@contextmanager
def checked(step: Step, upload: Upload, wanted_format: str) -> Iterator[Image]:
    """The file, open, once it is what the manifest says it is. Raises UsageError; the host is not touched."""
    try:
        stream = FileIO(upload.path)
    except OSError as error:
        raise UsageError(
            f"{step.id}: cannot read {upload.path}: {error.strerror}", hint="the upload's file is on this machine"
        ) from error
    with stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise UsageError(f"{step.id}: {upload.path} is no plain file", hint="copy its content into one, and upload that")
        image = _describe(stream, upload.path)
        if "qcow2" in (image.format, wanted_format) and image.format != wanted_format:
            raise UsageError(
                f"{step.id}: {upload.path} is {image.format}, the volume's format is {wanted_format}",
                hint=f"write `format: {image.format}`, or convert the file: qemu-img convert -O {wanted_format}",
            )
        if upload.sha256:
            found = _sha256(step, image)
            if found != upload.sha256:
                raise UsageError(
                    f"{step.id}: {upload.path} has not the SHA-256 that the manifest states",
                    detail=f"stated {upload.sha256}, found {found}",
                    hint="fetch the file again, or correct upload.sha256; nothing was uploaded",
                )
        yield image


def _describe(stream: FileIO, path: str) -> Image:
    status = os.fstat(stream.fileno())
    header = stream.read(_SIZE_AT + 8)
    is_qcow2 = header.startswith(_QCOW2) and len(header) == _SIZE_AT + 8
    return Image(
        stream=stream,
        path=path,
        length=status.st_size,
        capacity=int(struct.unpack_from(">Q", header, _SIZE_AT)[0]) if is_qcow2 else status.st_size,
        format="qcow2" if is_qcow2 else "raw",
        stamp=status.st_mtime_ns,
    )


def _sha256(step: Step, image: Image) -> str:
    digest = hashlib.sha256()
    progress = _progress(step, "checking", image)
    image.stream.seek(0)
    while chunk := image.stream.read(CHUNK):
        digest.update(chunk)
        progress()
    return digest.hexdigest()


def send(step: Step, image: Image, volume: libvirt.virStorageVol) -> None:
    """The whole file into the volume, from its beginning. Raises HostError; what is in the volume then is of no use."""
    stream = step.call("virStreamNew", step.session.conn.newStream, 0)
    step.call("virStorageVolUpload", volume.upload, stream, 0, 0, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
    sender = _Sender(image, _progress(step, "uploading", image))
    image.stream.seek(0)
    try:
        step.call("virStreamSparseSendAll", stream.sparseSendAll, sender.data, sender.extent, sender.skip, None)
        step.call("virStreamFinish", stream.finish)
    except OSError as error:
        raise HostError(f"{step.id}: reading {image.path} failed: {error.strerror}", hint="is its disk in order?") from error
    if not image.unchanged():
        raise UsageError(
            f"{step.id}: {image.path} was changed while it was uploaded", hint="apply again when the file is complete"
        )


@dataclass(frozen=True, slots=True)
class _Sender:
    """What virStreamSparseSendAll asks for: data, how far the data or the hole goes, and to pass over a hole."""

    image: Image
    progress: Callable[[], None]

    def data(self, _stream: object, count: int, _opaque: object) -> bytes:
        chunk = self.image.stream.read(count)
        self.progress()
        return chunk

    def extent(self, _stream: object, _opaque: object) -> tuple[bool, int]:
        """Whether there are data at the position, and the bytes up to where that changes."""
        file = self.image.stream.fileno()
        here = self.image.stream.tell()
        if here >= self.image.length:
            return False, 0
        try:
            begin = os.lseek(file, here, os.SEEK_DATA)
            end = os.lseek(file, here, os.SEEK_HOLE) if begin == here else begin
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            begin, end = self.image.length, self.image.length  # a hole up to the end
        self.image.stream.seek(here)
        return begin == here, end - here

    def skip(self, _stream: object, length: int, _opaque: object) -> int:
        self.image.stream.seek(length, os.SEEK_CUR)
        return 0


def _progress(step: Step, doing: str, image: Image) -> Callable[[], None]:
    """A function that reports how far the file has been read, once for each hundredth."""
    told = -1

    def tell() -> None:
        nonlocal told
        fraction = min(1.0, image.stream.tell() / image.length) if image.length else 1.0
        if int(fraction * 100) > told:
            told = int(fraction * 100)
            step.report(f"{doing} {Path(image.path).name}", fraction)

    return tell
