"""Emptying a domain before its definition goes: what its guest wrote into files of its own is wiped, or deleted.

Its volumes are not its own files: each has a step of its own. Can be repeated from any point: what is gone is not found again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from reconciler.errors import HostError
from reconciler.host import audit
from reconciler.host.drivers import domain as definitions
from reconciler.host.drivers.options import Wipe
from reconciler.host.drivers.ownership import uuid_of
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.states import is_active
from reconciler.host.drivers.step import Step
from reconciler.host.drivers.users import refuse_in_use
from reconciler.host.drivers.wiping.belongings import Belonging, look, of_libvirt, of_snapshots
from reconciler.host.drivers.wiping.volumes import recorded


def check_wipe(_step: Step) -> None:
    """Before anything of a plan is done: can it be written down? Raises HostError."""
    audit.check()


def wipe(step: Step) -> None:
    """Managed save image, NVRAM, TPM state, overlays and memory images: overwritten with zeros and read back.

    Overlays and memory images are deleted, too; the others libvirt deletes with the definition.
    """
    domain = definitions.ours(step)
    if domain is None:
        return
    if is_active(step, domain):
        raise HostError(f"{step.id}: it runs, so nothing of it was wiped", hint="plan again")
    with Places(step) as places:
        _empty(step, places, (*of_libvirt(step, domain, places), *of_snapshots(step, domain, places)), wiped=True)


def delete(step: Step) -> None:
    """Overlays and memory images of snapshots, by virStorageVolDelete."""
    domain = definitions.ours(step)
    if domain is None:
        return
    if is_active(step, domain):
        raise HostError(f"{step.id}: it runs, so nothing of it was deleted", hint="plan again")
    with Places(step) as places:
        _empty(step, places, of_snapshots(step, domain, places), wiped=False)


def _empty(step: Step, places: Places, files: Iterable[Belonging], *, wiped: bool) -> None:
    given = tuple(files)
    going = frozenset(each.path for each in given)
    for each in given:
        volume = look(places, each.path)
        if volume is None:
            continue
        refuse_in_use(step, volume, own=uuid_of(step), going=going)
        name = f"{each.what} {posixpath.basename(each.path)}"
        if wiped:
            step.report(f"wiping the {name}", None)
            recorded(step, places.pool(posixpath.dirname(each.path)), volume, Wipe(), each.path)
        if each.ours:
            step.report(f"deleting the {name}", None)
            step.call("virStorageVolDelete", volume.delete, 0)
