"""Domain verbs on real QEMU guests, each of them repeated."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import GuestTimeoutError, HostError, LibvirtCallError, NotOursError
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.model.state import Desired
from reconciler.xmltree import mark as marks
from tests.driving import Hands, desired, domain_xml
from tests.lab.nodes import Lab

UUID = "11111111-2222-5333-8444-555555555555"
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")


@pytest.fixture
def hands(host_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Hands(session)


@pytest.fixture
def disk(lab: Lab, guest_image: Path) -> Path:
    """The disk of a guest that ends when it is asked to."""
    return Path(shutil.copy(guest_image, lab.images / "guest.img"))


@pytest.fixture
def stubborn_disk(lab: Lab, stubborn_guest_image: Path) -> Path:
    """The disk of a guest that does not."""
    return Path(shutil.copy(stubborn_guest_image, lab.images / "stubborn.img"))


def on(disk: Path) -> str:
    source = f"<driver name='qemu' type='raw'/><source file='{disk}'/>"
    return f"<disk type='file' device='disk'>{source}<target dev='vda' bus='virtio'/></disk>"


def wanted(state: str = "running", devices: str = "", inner: str = "", memory: int = 32, **options: object) -> Desired:
    xml = domain_xml("web1", UUID, inner=inner, devices=devices, memory=memory)
    return desired("Domain", "web1", xml, state=state, **options)


def domain(hands: Hands) -> libvirt.virDomain:
    return hands.conn.lookupByUUIDString(UUID)


def state(hands: Hands) -> int:
    return int(domain(hands).state()[0])


def test_a_persistent_domain_through_all_its_states_with_each_verb_repeated(hands: Hands) -> None:
    hands.twice(Verb.DEFINE, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF
    hands.twice(Verb.START_PAUSED, wanted("paused"))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED
    hands.twice(Verb.RESUME, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.twice(Verb.SUSPEND, wanted("paused"))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED
    hands.twice(Verb.SAVE, wanted("saved"))
    assert domain(hands).hasManagedSaveImage()
    hands.twice(Verb.RESTORE, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.twice(Verb.SAVE, wanted("saved"))
    hands.twice(Verb.RESTORE_PAUSED, wanted("paused"))
    assert state(hands) == libvirt.VIR_DOMAIN_PAUSED
    hands.do(Verb.SAVE, wanted("saved"))
    hands.twice(Verb.DISCARD_SAVED, wanted("stopped"))
    assert not domain(hands).hasManagedSaveImage()
    hands.twice(Verb.START, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.twice(Verb.AUTOSTART, wanted(autostart=True))
    assert domain(hands).autostart()
    hands.twice(Verb.STOP, wanted("stopped"))
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF
    hands.twice(Verb.UNDEFINE, wanted("undefined"), uuid=UUID)
    assert hands.conn.listAllDomains() == []


def test_a_guest_that_listens_is_shut_down_by_acpi_though_it_has_no_agent(hands: Hands, disk: Path) -> None:
    hands.do(Verb.DEFINE, wanted(devices=on(disk)))
    hands.do(Verb.START, wanted())
    hands.twice(Verb.SHUTDOWN, wanted("stopped", shutdown={"timeout": 60, "method": ["agent", "acpi"], "force": False}))
    assert domain(hands).state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN]
    assert any(message.startswith("waiting for the guest") for message, _ in hands.reports)


def test_a_guest_that_does_not_listen_goes_on_unless_force_is_given(hands: Hands, stubborn_disk: Path) -> None:
    hands.do(Verb.DEFINE, wanted(devices=on(stubborn_disk)))
    hands.do(Verb.START, wanted())
    with pytest.raises(GuestTimeoutError, match="has not shut down within 2 s"):
        hands.do(Verb.SHUTDOWN, wanted("stopped", shutdown={"timeout": 2, "method": ["acpi"], "force": False}))
    assert state(hands) == libvirt.VIR_DOMAIN_RUNNING
    hands.do(Verb.SHUTDOWN, wanted("stopped", shutdown={"timeout": 2, "method": ["acpi"], "force": True}))
    assert domain(hands).state() == [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED]


def test_a_method_that_the_guest_cannot_hear_at_all_fails_at_once(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    with pytest.raises(LibvirtCallError, match="agent"):
        hands.do(Verb.SHUTDOWN, wanted("stopped", shutdown={"timeout": 600, "method": ["agent"]}))


@pytest.mark.parametrize("paused", [False, True])
def test_restart_takes_up_the_new_definition_gracefully(hands: Hands, disk: Path, paused: bool) -> None:
    first = wanted("running", devices=on(disk))
    hands.do(Verb.DEFINE, first)
    hands.do(Verb.START, first)
    want = wanted("paused" if paused else "running", devices=on(disk), memory=48)
    if paused:
        hands.do(Verb.SUSPEND, want)
    hands.do(Verb.DEFINE, want, uuid=UUID, intent=first.xml)
    assert domain(hands).info()[1] == 32 * 1024
    hands.do(Verb.RESTART, want, uuid=UUID)
    assert domain(hands).info()[1] == 48 * 1024
    assert state(hands) == (libvirt.VIR_DOMAIN_PAUSED if paused else libvirt.VIR_DOMAIN_RUNNING)


def test_a_transient_domain_through_its_life(hands: Hands, disk: Path) -> None:
    want = wanted("paused", devices=on(disk), persistent=False)
    hands.twice(Verb.CREATE, want)
    assert (domain(hands).isPersistent(), state(hands)) == (0, libvirt.VIR_DOMAIN_PAUSED)
    hands.do(Verb.RESUME, want)
    before = domain(hands).ID()
    hands.do(Verb.RESTART, wanted("running", devices=on(disk), persistent=False))
    assert domain(hands).ID() != before
    hands.twice(Verb.SHUTDOWN, wanted("undefined"), uuid=UUID)
    assert hands.conn.listAllDomains() == []


def test_persistent_and_transient_change_without_a_restart(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    running = domain(hands).ID()
    hands.twice(Verb.UNDEFINE, wanted(persistent=False), uuid=UUID)
    assert (domain(hands).ID(), domain(hands).isPersistent()) == (running, 0)
    hands.twice(Verb.DEFINE, wanted(), uuid=UUID)
    assert (domain(hands).ID(), domain(hands).isPersistent()) == (running, 1)
    mark = hands.settle(wanted(), UUID)
    assert mark.live
    assert mark.readback


DEVICES = (
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng><graphics type='vnc' passwd='PASSWORD'/>"
)


def identity(xml: str) -> list[str]:
    return re.findall(r"<uuid>.*?</uuid>|<mac address.*?/>|machine='.*?'|<genid>.*?</genid>", xml)


def addresses(xml: str) -> dict[str, str]:
    """Each device's first words -> its PCI address."""
    found = re.findall(r"<(disk|interface|rng|memballoon|video|sound|controller) ?([^>]*)>(.*?)</\1>", xml, re.DOTALL)
    return {f"{name} {attributes}": "".join(re.findall(r"<address type='pci'.*?/>", inner)) for name, attributes, inner in found}


def test_a_redefinition_keeps_identity_addresses_and_password_and_adds_a_device_at_a_free_place(hands: Hands, disk: Path) -> None:
    devices = on(disk) + DEVICES.replace("PASSWORD", "TOKEN")
    first = wanted(devices=devices, inner="<genid/>", secrets={"TOKEN": "old&pass"})
    hands.do(Verb.DEFINE, first)
    before = domain(hands).XMLDesc(INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    assert "passwd='old&amp;pass'" in before
    nic = "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>"
    more = wanted(devices=nic + devices.replace(" passwd='TOKEN'", ""), inner="<genid/><title>t</title>")
    hands.twice(Verb.DEFINE, more, uuid=UUID, intent=more.xml)
    after = domain(hands).XMLDesc(INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    assert "passwd='old&amp;pass'" in after
    assert set(identity(before)) <= set(identity(after))
    kept = addresses(before)
    assert len(kept) > 3
    for device, address in kept.items():
        assert address in after, device


def test_definition_errors_of_the_schema_are_found_unless_validation_is_off(hands: Hands) -> None:
    with pytest.raises(LibvirtCallError, match="schema"):
        hands.do(Verb.DEFINE, wanted(inner="<bogus/>"))
    assert hands.conn.listAllDomains() == []
    hands.do(Verb.DEFINE, wanted(inner="<bogus/>", validate=False))
    assert "bogus" not in marks.strip(domain(hands).XMLDesc())


def test_settle_marks_live_and_persistent_and_the_digests_hold_over_pause_and_resume(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    mark = hands.settle(wanted(), UUID)
    for flags in (0, INACTIVE):
        assert marks.read(domain(hands).XMLDesc(flags), "host") == mark
    hands.do(Verb.SUSPEND, wanted("paused"))
    hands.do(Verb.RESUME, wanted())
    assert marks.digest(domain(hands).XMLDesc(0)) == mark.live
    assert marks.digest(domain(hands).XMLDesc(INACTIVE)) == mark.readback


def test_adopting_a_running_domain_changes_nothing_but_the_mark(hands: Hands) -> None:
    foreign = hands.conn.defineXML(wanted(devices=DEVICES).xml)
    foreign.create()
    before = [foreign.XMLDesc(flags) for flags in (0, INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)]
    with pytest.raises(NotOursError):
        hands.do(Verb.STOP, wanted(), uuid=UUID)
    hands.twice(Verb.ADOPT, wanted(), uuid=UUID)
    after = [foreign.XMLDesc(flags) for flags in (0, INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)]
    assert [marks.strip(text) for text in after] == [marks.strip(text) for text in before]
    hands.do(Verb.STOP, wanted(), uuid=UUID)


def test_title_and_metadata_change_while_the_guest_runs_in_both_definitions(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted())
    hands.do(Verb.START, wanted())
    inner = "<title>T</title><metadata><a:app xmlns:a='urn:a'><a:tier xmlns:b='urn:b' b:x='1'>prod</a:tier></a:app></metadata>"
    want = wanted(inner=inner)
    hands.do(Verb.DEFINE, want, uuid=UUID, intent=wanted().xml)
    hands.twice(Verb.UPDATE, want, uuid=UUID, intent=wanted().xml, paths=("title", "metadata/{urn:a}app/{urn:a}tier"))
    for flags in (0, INACTIVE):
        text = domain(hands).XMLDesc(flags)
        assert "<title>T</title>" in text
        assert "prod" in text
        assert marks.read(text, "host") is not None
    hands.twice(Verb.DEFINE, want, uuid=UUID, intent=want.xml)
    assert domain(hands).XMLDesc(INACTIVE).count("prod") == 1


@pytest.mark.parametrize("kind", ["snapshot", "checkpoint"])
def test_undefine_takes_snapshot_and_checkpoint_metadata_along_and_a_saved_state_with_leave_only(
    hands: Hands, lab: Lab, kind: str
) -> None:
    lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", str(lab.images / "s.qcow2"), "8M"])
    disk = on(lab.images / "s.qcow2").replace("type='raw'", "type='qcow2'")
    hands.do(Verb.DEFINE, wanted(devices=disk))
    hands.do(Verb.START, wanted())
    if kind == "snapshot":
        domain(hands).snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
    else:
        domain(hands).checkpointCreateXML("<domaincheckpoint><name>one</name></domaincheckpoint>")
    hands.do(Verb.SAVE, wanted())
    with pytest.raises(HostError, match="saved meanwhile"):
        hands.do(Verb.UNDEFINE, wanted("undefined"), uuid=UUID)
    assert domain(hands).hasManagedSaveImage()
    hands.twice(Verb.UNDEFINE, wanted("undefined", onDelete={"volumes": "delete"}), uuid=UUID)
    assert hands.conn.listAllDomains() == []


def test_a_start_that_fails_says_why(hands: Hands) -> None:
    hands.do(Verb.DEFINE, wanted(devices=on(Path("/var/lib/libvirt/images/missing.img"))))
    with pytest.raises(HostError, match=r"missing\.img"):
        hands.do(Verb.START, wanted())
    assert state(hands) == libvirt.VIR_DOMAIN_SHUTOFF


# --- UEFI -----------------------------------------------------------------------------------------------------


def uefi(state: str = "running", memory: int = 64, **options: object) -> Desired:
    xml = (
        f"<domain type='qemu'><name>web1</name><uuid>{UUID}</uuid><memory unit='MiB'>{memory}</memory>"
        "<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type>"
        "<firmware><feature enabled='no' name='secure-boot'/></firmware></os>"
        "<features><acpi/></features></domain>"
    )
    return desired("Domain", "web1", xml, state=state, **options)


@pytest.fixture
def nvram(lab: Lab, hands: Hands) -> Path:
    """A running UEFI guest's NVRAM file, as the machine outside of the lab sees it."""
    if not OVMF.exists():
        pytest.skip("the UEFI firmware is missing (package ovmf; make test installs it)")
    hands.do(Verb.DEFINE, uefi())
    hands.do(Verb.START, uefi())
    path = re.findall(r"<nvram[^>]*>(.*?)</nvram>", domain(hands).XMLDesc(0))[0]
    return Path(str(path).replace("/var/lib/libvirt", str(lab.directory / "node1" / "lib")))


def test_nvram_survives_a_redefinition_and_a_restart(hands: Hands, nvram: Path) -> None:
    inode = nvram.stat().st_ino
    hands.do(Verb.DEFINE, uefi(memory=80), uuid=UUID, intent=uefi().xml)
    hands.do(Verb.STOP, uefi())
    hands.do(Verb.START, uefi())
    assert nvram.stat().st_ino == inode
    assert domain(hands).info()[1] == 80 * 1024


@pytest.mark.parametrize("policy, stays", [("retain", True), ("delete", False)])
def test_nvram_is_kept_or_deleted_as_the_policy_for_volumes_says(hands: Hands, nvram: Path, policy: str, stays: bool) -> None:
    hands.do(Verb.STOP, uefi())
    hands.twice(Verb.UNDEFINE, uefi("undefined", onDelete={"domain": "undefine", "volumes": policy}), uuid=UUID)
    assert nvram.exists() is stays


def test_nvram_of_a_guest_that_goes_on_as_transient_is_never_deleted(hands: Hands, nvram: Path) -> None:
    hands.do(Verb.UNDEFINE, uefi(persistent=False, onDelete={"volumes": "delete"}), uuid=UUID)
    assert domain(hands).isActive()
    assert nvram.exists()
