"""Files on a host, reached through libvirt alone: by the pool of their folder, or by a passing one that is made for it.

Nothing here knows what a file is for. It changes no file. A passing pool ends with the last one in this process that uses it; one
that a killed process has left is used, and ended, by the next.
"""

from __future__ import annotations

import posixpath
import threading
import uuid
from collections import Counter
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape

import libvirt

from reconciler.errors import ConnectionLostError, HostError, LibvirtCallError
from reconciler.host import failures
from reconciler.host.drivers.calls import find
from reconciler.host.drivers.step import Step
from reconciler.host.reading.storage import REFRESHED
from reconciler.kinds.spellings import location
from reconciler.xmltree.document import parse

PATIENCE = 60.0  # seconds that the making of another volume in the same pool may hold up a look into its folder
PREFIX = "vireo-passing-"

_users: Counter[tuple[str, str]] = Counter()
_guard = threading.Lock()


class Places:
    """The folders of one host, each looked into once. A context manager."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._pools: dict[str, libvirt.virStoragePool] = {}
        self._passing: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        lost: ConnectionLostError | None = None
        for folder in self._passing:
            try:
                self._leave(folder)
            except ConnectionLostError as failure:
                lost = failure  # whoever repeats the work finds the pool, and ends it
            except HostError as failure:
                self._step.report(f"the passing pool over {folder} could not be ended: {failure.detail}", None)
        if lost is not None and error is None:
            raise lost

    def find(self, path: str) -> libvirt.virStorageVol | None:
        """The file as a volume; None if there is no such file. Raises HostError if its folder cannot be looked into."""
        folder, name = posixpath.split(location(path))
        pool = self.pool(folder)
        return find(self._step.session, "virStorageVolLookupByName", pool.storageVolLookupByName, name)

    def pool(self, folder: str) -> libvirt.virStoragePool:
        """The active pool over that folder, refreshed, so that it knows all files that are there."""
        folder = location(folder)
        if folder not in self._pools:
            with _guard:
                pool = self._over(folder) or self._make(folder)
                if pool.name().startswith(PREFIX):
                    self._passing.append(folder)
                    _users[self._step.session.spec.uri, folder] += 1
                self._pools[folder] = pool
            self._refresh(pool)
        return self._pools[folder]

    def _over(self, folder: str) -> libvirt.virStoragePool | None:
        conn, active = self._step.session.conn, libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
        for pool in self._step.call("virConnectListAllStoragePools", conn.listAllStoragePools, active):
            text = find(self._step.session, "virStoragePoolGetXMLDesc", pool.XMLDesc, 0)
            root = None if text is None else parse(text)
            if root is None or root.get("type") not in REFRESHED:
                continue
            if location(root.findtext("target/path") or "") == folder:
                return pool
        return None

    def _refresh(self, pool: libvirt.virStoragePool) -> None:
        deadline = self._step.clock() + PATIENCE
        while True:
            try:
                self._step.call("virStoragePoolRefresh", pool.refresh, 0)
            except LibvirtCallError as error:
                busy = "asynchronous jobs" in error.detail
                if error.code in failures.ABSENT or not busy or self._step.clock() > deadline:
                    raise
                self._step.sleep(0.5)
            else:
                return

    def _make(self, folder: str) -> libvirt.virStoragePool:
        name = f"{PREFIX}{uuid.uuid4()}"
        text = f"<pool type='dir'><name>{name}</name><target><path>{escape(folder)}</path></target></pool>"
        conn = self._step.session.conn
        try:
            return self._step.call("virStoragePoolCreateXML", conn.storagePoolCreateXML, text, 0)
        except LibvirtCallError as error:
            if error.code != libvirt.VIR_ERR_OPERATION_FAILED or "conflict with pool" not in error.detail:
                raise
            raise HostError(
                f"{self._step.id}: nothing can be known of the files in {folder}: its pool is not active",
                detail=error.detail,
                hint="start the pool (virsh pool-start), or declare it with `state: active`",
            ) from error

    def _leave(self, folder: str) -> None:
        with _guard:
            _users[self._step.session.spec.uri, folder] -= 1
            if not _users[self._step.session.spec.uri, folder]:
                self._step.call("virStoragePoolDestroy", self._pools[folder].destroy)
