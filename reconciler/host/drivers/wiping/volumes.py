"""The wipe of a volume (Verb.WIPE), around erasing.py: is it ours and nobody's, written down before, recorded afterwards.

A volume that is wiped stays marked as being wiped until it is deleted and forgotten. That the wipe was finished stands in the
mark, too, with what the file looked like then: only such a one is deleted, and a repeated wipe of it does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import libvirt

from reconciler.errors import HostError, NotOursError
from reconciler.host import audit, process
from reconciler.host.drivers.finding import lookup, pool_of
from reconciler.host.drivers.options import Wipe
from reconciler.host.drivers.ownership import check_listed, listed
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.users import refuse_in_use
from reconciler.host.drivers.wiping.algorithms import check
from reconciler.host.drivers.wiping.erasing import Erased, erase
from reconciler.xmltree.document import parse

_DONE = "wiped "


def check_wipe(step: Step) -> None:
    """Before anything of a plan is done: can it be written down, and can the host do the algorithm? Raises HostError."""
    audit.check()
    check(step, pool_of(step, step.id.pool), Wipe.of(step.options).algorithm)


def wipe(step: Step) -> None:
    """By virStorageVolUpload and virStorageVolWipePattern. Nothing if it is gone, or wiped already as the manifest says."""
    pool = pool_of(step, step.id.pool)
    volume = lookup(step, pool, step.id.name)
    if volume is None:
        return
    if step.plan.uuid and volume.key() != step.plan.uuid:
        raise NotOursError(f"{step.id}: another volume has this name now", detail=f"its key is {volume.key()}", hint="plan again")
    check_listed(step, volume.key())
    refuse_in_use(step, volume)
    mark, given = listed(step), Wipe.of(step.options)
    if mark is None or (mark.wiping and mark.readback == _evidence(step, volume, given)):
        return
    check(step, pool, given.algorithm)
    step.record(replace(mark, wiping=True, readback=""))
    path = str(step.call("virStorageVolGetPath", volume.path))
    recorded(step, pool, volume, given, path)
    step.record(replace(mark, wiping=True, readback=_evidence(step, volume, given)))


def recorded(
    step: Step,
    pool: libvirt.virStoragePool,
    volume: libvirt.virStorageVol,
    given: Wipe,
    path: str,
    now: Callable[[], float] = time.time,
) -> None:
    """The wipe itself, and its line in the audit, also if it fails. `now` gives seconds since 1970."""
    begun, result, erased = now(), "wiped", Erased(0, verified=False)
    try:
        erased = erase(step, pool, volume, given)
    except HostError as error:
        result = f"failed: {error.summary}"
        raise
    finally:
        audit.append(
            audit.Record(
                project=step.project,
                kind=step.id.kind,
                name=step.id.name,
                host=step.id.host,
                uri=step.session.spec.uri,
                pool=step.id.pool,
                path=path,
                algorithm=given.algorithm,
                passes=given.passes,
                verified=erased.verified,
                bytes=erased.length,
                begun=begun,
                ended=now(),
                by=process.who(),
                result=result,
            )
        )


def refuse_unfinished(step: Step, volume: libvirt.virStorageVol) -> None:
    """Raises HostError if the volume's wiping was begun and not finished, or if it was written to since."""
    mark = listed(step)
    if mark is not None and mark.wiping and mark.readback != _evidence(step, volume, Wipe.of(step.options)):
        raise HostError(
            f"{step.id}: its wiping was begun and is not finished, so it is not deleted",
            hint="apply again: it is wiped from the beginning, and then deleted",
        )


def _evidence(step: Step, volume: libvirt.virStorageVol, given: Wipe) -> str:
    """How it was wiped, and what its file looks like: its length and when it was last written to."""
    root = parse(step.call("virStorageVolGetXMLDesc", volume.XMLDesc, 0))
    facts = (root.findtext("physical") or "", root.findtext("target/timestamps/mtime") or "")
    return f"{_DONE}{given.algorithm} {given.passes} {given.verify} {' '.join(facts)}"
