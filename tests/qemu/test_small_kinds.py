"""Every golden case of a pool, a volume and a network is taken by a real libvirt, and found there again as it was declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from reconciler.kinds import KINDS
from reconciler.planning.compare import Sides, compare

CASES = Path(__file__).resolve().parents[1] / "cases"
BASES = {"base.qcow2": "qcow2", "golden": "qcow2", "base.vmdk": "vmdk"}  # what the cases of volumes stand on
WITHOUT_BACKEND = {"rbd"}  # its driver is a package of its own, which wants all of Ceph


def cases(kind: str) -> list[str]:
    return sorted(path.parent.name for path in (CASES / kind).glob("*/manifest.yaml"))


def golden(kind: str, name: str) -> str:
    return (CASES / kind / name / "rendered.xml").read_text(encoding="utf-8")


def left_over(kind: str, declared: str, found: str) -> list[str]:
    """The paths that libvirt did not keep as they were declared."""
    return [difference.path for difference in compare(KINDS[kind], Sides(declared, None, found, None), None)]


@pytest.fixture
def connection(host_uri: str) -> Iterator[libvirt.virConnect]:
    opened = libvirt.open(host_uri)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", sorted({*cases("Pool")} - WITHOUT_BACKEND))
def test_a_pool_is_defined_as_it_was_declared(connection: libvirt.virConnect, name: str) -> None:
    xml = golden("Pool", name)
    pool = connection.storagePoolDefineXML(xml, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE)
    assert left_over("Pool", xml, pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE)) == []


@pytest.mark.parametrize("name", cases("Network"))
def test_a_network_is_defined_as_it_was_declared(connection: libvirt.virConnect, name: str) -> None:
    xml = golden("Network", name)
    network = connection.networkDefineXMLFlags(xml, libvirt.VIR_NETWORK_DEFINE_VALIDATE)
    assert left_over("Network", xml, network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)) == []


@pytest.mark.parametrize("name", cases("Volume"))
def test_a_volume_is_made_as_it_was_declared(connection: libvirt.virConnect, name: str) -> None:
    folder = "/var/lib/libvirt/images"
    pool = connection.storagePoolDefineXML(f"<pool type='dir'><name>p</name><target><path>{folder}</path></target></pool>")
    pool.create()
    for base, form in BASES.items():
        target = f"<target><format type='{form}'/></target>"
        pool.createXML(f"<volume><name>{base}</name><capacity unit='MiB'>1</capacity>{target}</volume>")
    xml = golden("Volume", name).replace("/srv/base.vmdk", f"{folder}/base.vmdk")
    volume = pool.createXML(xml)
    try:
        assert left_over("Volume", xml, volume.XMLDesc()) == []
    finally:
        volume.delete()
