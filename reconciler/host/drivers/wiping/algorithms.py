"""libvirt's wipe algorithms by their names, and whether a host can do one: tried before anything is touched."""

from __future__ import annotations

import uuid
from types import MappingProxyType

import libvirt

from reconciler.errors import HostError, LibvirtCallError
from reconciler.host.drivers.step import Step

ZERO = "zero"

NUMBERS = MappingProxyType(
    {
        ZERO: libvirt.VIR_STORAGE_VOL_WIPE_ALG_ZERO,
        "nnsa": libvirt.VIR_STORAGE_VOL_WIPE_ALG_NNSA,
        "dod": libvirt.VIR_STORAGE_VOL_WIPE_ALG_DOD,
        "bsi": libvirt.VIR_STORAGE_VOL_WIPE_ALG_BSI,
        "gutmann": libvirt.VIR_STORAGE_VOL_WIPE_ALG_GUTMANN,
        "schneier": libvirt.VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER,
        "pfitzner7": libvirt.VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7,
        "pfitzner33": libvirt.VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33,
        "random": libvirt.VIR_STORAGE_VOL_WIPE_ALG_RANDOM,
        "trim": libvirt.VIR_STORAGE_VOL_WIPE_ALG_TRIM,
    }
)
"""A manifest's word -> libvirt's number."""

WRITES = MappingProxyType(
    {
        ZERO: 1,
        "nnsa": 4,
        "dod": 4,
        "bsi": 9,
        "gutmann": 35,
        "schneier": 7,
        "pfitzner7": 7,
        "pfitzner33": 33,
        "random": 1,
        "trim": 1,
    }
)
"""How often one pass of the algorithm goes over everything, by scrub's documentation: for estimates."""

_TRIAL = 65536  # bytes of the volume that an algorithm is tried on


def check(step: Step, pool: libvirt.virStoragePool, algorithm: str) -> None:
    """Tries the algorithm on a small volume that is made for it in the same pool. Raises HostError if the host cannot do it.

    zero is libvirt's own and needs no trial.
    """
    if algorithm == ZERO:
        return
    name = f"vireo-trial-{uuid.uuid4()}"
    text = f"<volume><name>{name}</name><capacity>{_TRIAL}</capacity><target><format type='raw'/></target></volume>"
    trial = step.call("virStorageVolCreateXML", pool.createXML, text, 0)
    try:
        step.call("virStorageVolWipePattern", trial.wipePattern, NUMBERS[algorithm], 0)
    except LibvirtCallError as error:
        scrub = "'scrub'" in error.detail
        raise HostError(
            f"{step.id}: the host cannot wipe by the algorithm {algorithm}; nothing was touched",
            detail=error.detail,
            hint=("install the program scrub on the host, or " if scrub else "") + "choose `wipe: {algorithm: zero}`",
        ) from error
    finally:
        step.call("virStorageVolDelete", trial.delete, 0)
