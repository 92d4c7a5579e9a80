"""Everything that forbids a migration, brought about on two hosts: named, with its remedy, before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import HostError
from reconciler.host.drivers.migration import guests, hosts, preflight
from reconciler.host.drivers.migration.pair import Pair
from reconciler.host.drivers.migration.standing import Standing
from reconciler.host.session import Session
from reconciler.model.migration import Check, MigrationSpec, Mode, Storing
from reconciler.model.resource import HostSpec
from reconciler.xmltree.document import parse
from tests.driving import domain_xml
from tests.migrating import NAME, SHARED, UUID, Road

OTHER = "99999999-2222-5333-8444-555555555577"
LAN = "<network><name>lan</name><bridge name='{}'/><ip address='{}' netmask='255.255.255.0'/></network>"
CDROM = "<disk type='file' device='cdrom'><source file='/var/lib/libvirt/local/a.iso'/><target dev='hdc'/><readonly/></disk>"


@pytest.fixture(scope="module")
def ready(long_road: Road, guest_image: Path) -> Road:
    """A guest that could be moved."""
    long_road.start(guest_image)
    return long_road


@contextmanager
def domain(road: Road, node: int, xml: str, *, started: bool = False) -> Iterator[libvirt.virDomain]:
    """Another definition on one of the hosts, as long as it is needed."""
    made = road.conn(node).defineXML(xml)
    try:
        if started:
            made.create()
        yield made
    finally:
        if made.isActive():
            made.destroy()
        made.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


def with_a_past(domain: libvirt.virDomain) -> libvirt.virDomainSnapshot:
    """A snapshot of it, as far as libvirt knows."""
    xml = (
        f"<domainsnapshot><name>s</name><state>shutoff</state><creationTime>1</creationTime>{domain.XMLDesc(0)}</domainsnapshot>"
    )
    return domain.snapshotCreateXML(xml, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)


def fails(check: Check, detail: str, remedy: str) -> None:
    """It forbids the migration and says what to do."""
    assert check.forbids, check
    assert detail in check.detail
    assert remedy in check.remedy


def test_nothing_is_touched_and_nothing_forbids(ready: Road) -> None:
    before = [road_files(ready), [p.name() for n in (1, 2) for p in ready.conn(n).listAllStoragePools()]]
    found = ready.examine()
    assert found.failures == ()
    assert {check.name for check in found.checks if check.ok} >= {
        *(
            "hosts",
            "options",
            "state",
            "name",
            "hypervisor",
            "machine",
            "cpu",
            "memory",
            "devices",
            "snapshots",
            "jobs",
            "disk vda",
        )
    }
    assert [road_files(ready), [p.name() for n in (1, 2) for p in ready.conn(n).listAllStoragePools()]] == before


def road_files(road: Road) -> set[str]:
    return {path.name for path in road.lab.images.iterdir()}


def test_one_host_twice(ready: Road) -> None:
    with Session.open(HostSpec("again", ready.lab.uri(1))) as again:
        found = preflight.examine(ready.sessions[1], again, UUID, MigrationSpec())
    fails(found.failures[0], "both connections lead to the host", "host_uuid")


def test_a_connection_without_the_right_to_change_anything(ready: Road) -> None:
    uri = ready.lab.uri(2) + "-ro"
    with Session.open(HostSpec("watched", uri)) as watched:
        found = preflight.examine(ready.sessions[1], watched, UUID, MigrationSpec())
    check = next(check for check in found.checks if check.name == "rights")
    fails(check, "the connection to watched is read-only", "with the right to change")


def test_a_host_that_is_gone(ready: Road) -> None:
    with Session.open(HostSpec("gone", ready.lab.uri(2))) as gone:
        gone.close()
        with pytest.raises(HostError, match="the connection to"):
            preflight.examine(ready.sessions[1], gone, UUID, MigrationSpec())


def test_a_domain_that_is_not_there(ready: Road) -> None:
    with pytest.raises(HostError, match=f"node1 has no domain {OTHER}"):
        preflight.examine(*ready.way(), OTHER, MigrationSpec())


def test_a_mode_that_does_not_fit_the_state(ready: Road) -> None:
    fails(ready.check("state", mode="offline"), "the guest runs", "mode: auto")
    one, two = ready.sessions[1], ready.sessions[2]
    with domain(ready, 1, domain_xml("off", OTHER)):
        found = preflight.examine(one, two, OTHER, MigrationSpec(mode=Mode.LIVE))
    fails(found.failures[0], "does not run", "offline")


def test_a_name_or_a_uuid_that_is_taken(ready: Road) -> None:
    with domain(ready, 2, domain_xml(NAME, OTHER)):
        fails(ready.check("name"), f"another domain {NAME}, {OTHER}", "rename or undefine")
    with domain(ready, 2, domain_xml("elsewhere", UUID)):
        fails(ready.check("name"), "under the name elsewhere", "undefine")
    with domain(ready, 2, domain_xml(NAME, UUID)) as old:
        assert ready.check("name").ok
        snapshot = with_a_past(old)
        fails(ready.check("name"), "has snapshots", "snapshot-delete --metadata")
        snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        old.create()
        old.managedSave()
        fails(ready.check("name"), "has a saved state", "managedsave-remove")


def test_an_emulator_that_the_destination_lacks(ready: Road) -> None:
    path = ready.lab.directory / "node1" / "lib" / "only-here"
    path.symlink_to("/usr/bin/qemu-system-x86_64")
    try:
        only = domain_xml("only", OTHER, devices="<emulator>/var/lib/libvirt/only-here</emulator>")
        with domain(ready, 1, only):
            found = preflight.examine(*ready.way(), OTHER, MigrationSpec())
        fails(found.failures[0], "Cannot check QEMU binary /var/lib/libvirt/only-here", "install the same QEMU")
    finally:
        path.unlink()


def test_a_cpu_that_the_destination_lacks(ready: Road) -> None:
    cpu = "<cpu mode='custom' match='exact'><model fallback='forbid'>Skylake-Server</model></cpu>"
    with domain(ready, 1, domain_xml("strong", OTHER, inner=cpu)):
        found = preflight.examine(*ready.way(), OTHER, MigrationSpec())
    check = next(check for check in found.checks if check.name == "cpu")
    fails(check, "does not provide required features", "a CPU model that both have")


def test_networks_that_are_missing_inactive_or_others(ready: Road, guest_image: Path) -> None:
    ready.conn(1).networkDefineXML(LAN.format("virbr5", "10.5.0.1")).create()
    card = (
        "<interface type='network'><source network='lan'/></interface><interface type='bridge'><source bridge='br9'/></interface>"
    )
    ready.lab.run(1, ["ip", "link", "add", "br9", "type", "bridge"])
    with domain(ready, 1, domain_xml("wired", OTHER, devices=card), started=True):
        fails(wired(ready, "network lan"), "none of this name", "declare it")
        fails(wired(ready, "bridge br9"), "none of this name", "set it up there")
        there = ready.conn(2).networkDefineXML(LAN.format("virbr5", "10.6.0.1"))
        fails(wired(ready, "network lan"), "not active", "virsh net-start lan")
        there.create()
        fails(wired(ready, "network lan"), "addresses: 10.5.0.1/24 here, 10.6.0.1/24 there", "alike on both hosts")
        there.destroy()
        ready.conn(2).networkDefineXML(LAN.format("virbr6", "10.5.0.1").replace("<network>", network_of(there))).create()
        ready.lab.run(2, ["ip", "link", "add", "br9", "type", "bridge"])
        assert wired(ready, "network lan").ok
        assert wired(ready, "bridge br9").ok


def network_of(network: libvirt.virNetwork) -> str:
    return f"<network><uuid>{network.UUIDString()}</uuid>"


def wired(road: Road, name: str) -> Check:
    found = preflight.examine(road.sessions[1], road.sessions[2], OTHER, MigrationSpec())
    return next(check for check in found.checks if check.name == name)


def test_a_port_of_the_graphics_that_is_taken(ready: Road) -> None:
    screen = "<graphics type='vnc' port='5999' autoport='no'/>"
    with (
        domain(ready, 1, domain_xml("seen", OTHER, devices=screen), started=True),
        domain(ready, 2, domain_xml("there", OTHER.replace("9", "8"), devices=screen), started=True),
    ):
        fails(wired(ready, "graphics"), "port 5999 of the destination belongs to there", "autoport")


def test_a_past_that_cannot_travel(ready: Road) -> None:
    with domain(ready, 1, domain_xml("past", OTHER)) as past:
        snapshot = with_a_past(past)
        fails(wired(ready, "snapshots"), "the domain has 1", "delete them first")
        snapshot.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
        past.create()
        past.managedSave()
        fails(wired(ready, "saved state"), "is saved here", "virsh start past")


def test_a_block_job_that_is_under_way(ready: Road) -> None:
    guest, copy = ready.domain(1), f"<disk type='file'><source file='{SHARED}/copy.img'/><driver type='raw'/></disk>"
    guest.blockCopy("vda", copy, {}, libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB)
    try:
        fails(ready.check("jobs"), "a block job of the disk vda", "virsh blockjob mover vda --abort")
    finally:
        guest.blockJobAbort("vda")


def test_an_address_that_leads_nowhere(ready: Road) -> None:
    fails(ready.check("address", uri="http://node2"), "http://node2 is no address", "tcp://HOST:PORT")
    ready.lab.run(2, ["hostname", "localhost"])
    try:
        fails(ready.check("address"), "calls itself localhost", "tcp://HOST")
        assert ready.check("address", uri="tcp://node2").ok
    finally:
        ready.lab.run(2, ["hostname", "node2"])


@pytest.mark.parametrize(
    "uri, detail",
    [
        ("qemu+tcp://node2:1234/system", "Connection refused"),
        ("qemu+tcp://nowhere/system", "Unable to resolve address 'nowhere'"),
        (None, "leads to the destination from this machine only"),
    ],
)
def test_a_daemon_that_the_source_does_not_reach(ready: Road, uri: str | None, detail: str) -> None:
    fails(ready.check("peer", p2p=True, uri=uri), detail, "")
    assert ready.check("peer", p2p=True, uri="qemu+tcp://node2/system").ok
    assert ready.standing() is Standing.AT_SOURCE


def test_disks_that_are_not_surely_the_same(ready: Road) -> None:
    ready.local(1).joinpath("a.iso").touch()
    ready.local(2)
    with domain(ready, 1, domain_xml("disks", OTHER, devices=CDROM)):
        fails(wired(ready, "disk hdc"), "the destination has no /var/lib/libvirt/local/a.iso", "copy the image there")
        ready.local(2).joinpath("a.iso").touch()
        assert wired(ready, "disk hdc").ok
    block = "<disk type='block' device='disk'><source dev='/dev/full'/><target dev='vdb'/></disk>"
    with domain(ready, 1, domain_xml("disks", OTHER, devices=block)):
        fails(wired(ready, "disk vdb"), "not known to be shared", "storage: shared")
    pooled = "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vdb'/></disk>"
    with domain(ready, 1, domain_xml("disks", OTHER, devices=pooled)):
        fails(wired(ready, "pool p"), "the destination has none of this name", "declare it")


def test_a_secret_that_the_destination_lacks(ready: Road) -> None:
    auth = f"<auth username='u'><secret type='ceph' uuid='{OTHER}'/></auth>"
    source = "<source protocol='rbd' name='p/i'><host name='ceph'/></source>"
    disk = f"<disk type='network' device='disk'>{auth}{source}<target dev='vdb'/></disk>"
    secret = f"<secret><uuid>{OTHER}</uuid><usage type='ceph'><name>u</name></usage></secret>"
    with domain(ready, 1, domain_xml("remote", OTHER, devices=disk)):
        fails(wired(ready, f"secret {OTHER}"), "none of this name", "virsh secret-define")
        made = ready.conn(2).secretDefineXML(secret)
        assert wired(ready, f"secret {OTHER}").ok
        made.undefine()
    with domain(ready, 1, domain_xml("remote", OTHER, devices=disk.replace(f"uuid='{OTHER}'", "usage='u'"))):
        fails(wired(ready, "secret u"), "none of this name", "virsh secret-define")


@pytest.mark.parametrize(
    "xml, detail",
    [
        ("<os><nvram>/n</nvram></os>", "its UEFI variables would stay"),
        ("<devices><tpm><backend type='emulator'/></tpm></devices>", "what its TPM holds would stay"),
    ],
)
def test_what_a_stopped_domain_keeps_at_its_host(ready: Road, xml: str, detail: str) -> None:
    pair = Pair.of(ready.sessions[1], ready.sessions[2], UUID, MigrationSpec())
    stopped = replace(pair, root=parse(f"<domain>{xml}</domain>"), guest=replace(pair.guest, active=False))
    (check,) = guests.belongings(stopped)
    fails(check, detail, "start the domain")
    (check,) = guests.belongings(replace(stopped, spec=MigrationSpec(storage=Storing.NONE)))
    assert not check.forbids
    assert list(guests.belongings(replace(stopped, guest=pair.guest))) == []


def test_cache_modes_that_could_lose_writes(ready: Road) -> None:
    images = [ready.lab.images / f"{mode}.img" for mode in ("none", "unsafe")]
    for image in images:
        image.write_bytes(bytes(1 << 20))
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='{image.stem}'/>"
        f"<source file='{SHARED}/{image.name}'/><target dev='vd{letter}'/></disk>"
        for image, letter in zip(images, "bc", strict=True)
    )
    with domain(ready, 1, domain_xml("cached", OTHER, devices=disks), started=True):
        fails(wired(ready, "cache of vdc"), "unsafe", "cache `none`")
        found = preflight.examine(ready.sessions[1], ready.sessions[2], OTHER, MigrationSpec())
        trusting = preflight.examine(ready.sessions[1], ready.sessions[2], OTHER, MigrationSpec(unsafe=True))
    assert "cache of vdb" not in {check.name for check in found.checks}
    assert "relabel='no'" in next(check.remedy for check in trusting.checks if check.name == "owners")


@pytest.mark.parametrize(
    "question, xml, detail",
    [
        (hosts.memory, "<memory unit='TiB'>900</memory>", "the guest needs 943718400 MiB"),
        (guests.devices, "<devices><hostdev mode='subsystem' type='pci'/></devices>", "a device of the host"),
        (guests.devices, "<devices><filesystem type='mount'/></devices>", "a folder of the host"),
        (guests.devices, "<devices><tpm><backend type='passthrough'/></tpm></devices>", "the host's TPM"),
    ],
)
def test_what_no_host_of_the_lab_could_run(
    ready: Road, question: Callable[[Pair], Iterator[Check]], xml: str, detail: str
) -> None:
    pair = Pair.of(ready.sessions[1], ready.sessions[2], UUID, MigrationSpec())
    (check,) = question(replace(pair, root=parse(f"<domain>{xml}</domain>")))
    assert check.forbids
    assert detail in check.detail
    assert check.remedy


def test_memory_that_is_set_aside_in_huge_pages_is_not_counted(ready: Road) -> None:
    pair = Pair.of(ready.sessions[1], ready.sessions[2], UUID, MigrationSpec())
    xml = "<domain><memory unit='TiB'>900</memory><memoryBacking><hugepages/></memoryBacking></domain>"
    (check,) = hosts.memory(replace(pair, root=parse(xml)))
    assert check.ok is None
