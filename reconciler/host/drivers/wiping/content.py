"""A volume's bytes as they lie on the host, through libvirt's streams: where data are, overwriting them, reading them back.

A volume of any format is taken as what it is on the host: a file or a device. Nothing is kept of what is read but where it was,
and digests. Memory is bounded by one piece of a stream and by the number of pieces that the data lie in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import libvirt

from reconciler.errors import HostError
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.wiping.progress import Progress

Span: TypeAlias = tuple[int, int]
"""From (inclusive) and to (exclusive), in bytes."""

PIECE = 256 << 10  # bytes; libvirt sends no more in one message
BLOCK = 4096  # bytes of a fingerprint
_SAMPLES = 256
_HOLE = -3  # virStreamRecvFlags: a hole comes next
_ZEROS = bytes(PIECE)


@dataclass(frozen=True, slots=True)
class Size:
    """`length` in bytes as read from the beginning to the end, `allocated` in bytes on the host's disk."""

    length: int
    allocated: int

    @property
    def has_holes(self) -> bool:
        """Whether libvirt's zero algorithm would only give the blocks back."""
        return self.allocated < self.length


def size_of(step: Step, volume: libvirt.virStorageVol) -> Size:
    """As they are now: libvirt looks at the file for it."""
    allocated = step.call("virStorageVolGetInfo", volume.info)[2]
    length = step.call("virStorageVolGetInfoFlags", volume.infoFlags, libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]
    return Size(int(length), int(allocated))


class Survey:
    """What one reading of a volume found: where data lie, and keyed digests of some blocks of them that are not all zero."""

    def __init__(self, length: int) -> None:
        self.spans: list[Span] = []
        self._every = max(BLOCK, length // _SAMPLES // BLOCK * BLOCK)
        self._key = secrets.token_bytes(32)
        self._next = 0
        self._prints: dict[Span, bytes] = {}

    def add(self, offset: int, data: bytes) -> None:
        """A piece of data as it comes, in order."""
        if self.spans and self.spans[-1][1] == offset:
            self.spans[-1] = (self.spans[-1][0], offset + len(data))
        else:
            self.spans.append((offset, offset + len(data)))
        at = max(self._next, -(-offset // BLOCK) * BLOCK)
        while at + BLOCK <= offset + len(data):
            block = data[at - offset : at - offset + BLOCK]
            if block.strip(b"\0"):
                self._prints[at, at + BLOCK] = self._digest(block)
                at += self._every
            else:
                at += BLOCK
        self._next = at

    @property
    def total(self) -> int:
        return sum(end - begin for begin, end in self.spans)

    @property
    def sampled(self) -> tuple[Span, ...]:
        return tuple(self._prints)

    def is_still(self, span: Span, data: bytes) -> bool:
        """Whether a sampled block has the content that it had."""
        return self._prints[span] == self._digest(data)

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()


def survey(step: Step, volume: libvirt.virStorageVol, doing: str, length: int) -> Survey:
    """Reads the volume from the beginning to the end; holes are passed over."""
    found, progress = Survey(length), Progress(step, doing, length)
    for offset, data in pieces(step, volume, (0, length), progress):
        found.add(offset, data)
    return found


def first_not_zero(step: Step, volume: libvirt.virStorageVol, doing: str, length: int) -> int | None:
    """Reads the volume back: near which byte something is that is not zero; None if there is nothing. Raises HostError."""
    progress = Progress(step, doing, length)
    for offset, data in pieces(step, volume, (0, length), progress):
        if data != _ZEROS[: len(data)]:
            return offset
    if progress.done < length:
        raise HostError(f"{step.id}: only {progress.done} of {length} bytes could be read back", hint="apply again")
    return None


def pieces(
    step: Step, volume: libvirt.virStorageVol, span: Span, progress: Progress | None = None
) -> Iterator[tuple[int, bytes]]:
    """(offset, data) of a part of the volume by virStorageVolDownload, without its holes."""
    offset, end = span
    with _stream(step) as stream:
        flags = libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM
        step.call("virStorageVolDownload", volume.download, stream, offset, end - offset, flags)
        while True:
            data = step.call("virStreamRecvFlags", stream.recvFlags, PIECE, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
            hole = data == _HOLE
            if hole:
                count = int(step.call("virStreamRecvHole", stream.recvHole, 0))
            elif data:
                yield offset, data
                count = len(data)
            else:
                break
            offset += count
            if progress is not None:
                progress.add(count, hole=hole)
        step.call("virStreamFinish", stream.finish)


def overwrite(step: Step, volume: libvirt.virStorageVol, spans: Sequence[Span], doing: str) -> float:
    """Zeros into these parts of the volume, in place, by virStorageVolUpload. They need not be on the disk afterwards.

    The answer is the rate in bytes a second.
    """
    progress = Progress(step, doing, sum(end - begin for begin, end in spans))
    for begin, end in spans:
        write(step, volume, begin, zeros(end - begin), end - begin, progress)
    return progress.rate


def zeros(count: int) -> Iterator[bytes]:
    """So many zero bytes, in pieces."""
    while count > 0:
        yield _ZEROS[:count]
        count -= PIECE


def write(
    step: Step, volume: libvirt.virStorageVol, offset: int, data: Iterable[bytes], length: int, progress: Progress | None = None
) -> None:
    """These bytes at that place. Never as a sparse stream: a hole that is sent makes libvirt give blocks back."""
    with _stream(step) as stream:
        step.call("virStorageVolUpload", volume.upload, stream, offset, length, 0)
        for piece in data:
            sent = 0
            while sent < len(piece):
                sent += int(step.call("virStreamSend", stream.send, piece[sent:] if sent else piece))
            if progress is not None:
                progress.add(len(piece))
        step.call("virStreamFinish", stream.finish)


@contextmanager
def _stream(step: Step) -> Iterator[libvirt.virStream]:
    """A stream that is ended in any case: one that is left open keeps the volume busy."""
    stream = step.call("virStreamNew", step.session.conn.newStream, 0)
    try:
        yield stream
    except BaseException:
        with suppress(libvirt.libvirtError):
            stream.abort()
        raise


def gaps(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    """What lies between them, up to `length`."""
    edges = [0, *(edge for span in spans for edge in span), length]
    return tuple((begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end)


def joined(spans: Sequence[Span], most: int) -> tuple[Span, ...]:
    """The same in at most so many pieces, by taking the smallest gaps in: each piece costs calls, each gap space."""
    if len(spans) <= most:
        return tuple(spans)
    between = sorted(later[0] - sooner[1] for sooner, later in pairwise(spans))
    limit = between[len(spans) - most - 1]
    out = [spans[0]]
    for begin, end in spans[1:]:
        if begin - out[-1][1] <= limit:
            out[-1] = (out[-1][0], end)
        else:
            out.append((begin, end))
    return tuple(out)


def unchanged(step: Step, volume: libvirt.virStorageVol, found: Survey) -> Span | None:
    """The first sampled block that has the content that it had; None if there is none."""
    for span in found.sampled:
        data = b"".join(piece for _, piece in pieces(step, volume, span))
        if found.is_still(span, data):
            return span
    return None
