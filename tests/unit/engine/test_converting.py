from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.engine.converting import Host, Imported, Refused
from reconciler.kinds import KINDS
from reconciler.manifest import render, schema
from reconciler.manifest.catalogue import Catalogue
from reconciler.manifest.importing.generated import ungenerated
from reconciler.manifest.importing.residual import missing, overlay_for
from reconciler.model.resource import ResourceId
from reconciler.model.state import HostFacts, HostState, Observed
from reconciler.planning.identity import Settling, settle
from reconciler.xmltree.document import parse
from reconciler.xmltree.merge import overlay
from tests.domain_cases import CASES, HOST, ROOT

RULES = KINDS["Domain"].rules
FACTS = replace(HOST, emulators={("x86_64", "qemu"): "/usr/bin/qemu-system-x86_64"})
GOLDEN = sorted(path.parent for path in ROOT.glob("tests/cases/Import/*/persistent.xml"))
LONGEST_MEDIAN = 40  # lines: what a person reads at a glance


def observed(text: str, **changes: object) -> Observed:
    text = settle(text, (), Settling("shop", ResourceId("Domain", "vm", ""), KINDS["Domain"], {}), derive=False)
    root = parse(text)
    name = root.findtext("name") or ""
    seen = Observed(ResourceId("Domain", name, FACTS.name), root.findtext("uuid") or "", "stopped", text, None, False)
    return replace(seen, **changes)  # type: ignore[arg-type]


def converted(*seen: Observed, facts: HostFacts = FACTS) -> list[Imported]:
    host = Host(HostState(facts, {one.id: one for one in seen}))
    found = [host.convert(one) for one in seen]
    assert all(isinstance(one, Imported) for one in found), found
    return [one for one in found if isinstance(one, Imported)]


def rendered(manifest: Imported, folder: Path) -> str:
    """What `vireo render` makes of the text that was written, without any host."""
    path = folder / "manifest.yaml"
    path.write_text(manifest.text, encoding="utf-8")
    manifests = schema.load([str(path)], connect=None)
    [resource] = manifests.resources
    return render.render(resource, manifests.project, HostFacts("localhost", "qemu:///system"), Catalogue()).xml


def essence(text: str) -> str:
    return ungenerated(text, FACTS.emulators)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_a_definition_becomes_the_manifest_that_a_person_would_write(case: Path, regenerate: bool) -> None:
    [manifest] = converted(observed((case / "persistent.xml").read_text(encoding="utf-8")))
    golden = case / "manifest.yaml"
    if regenerate:
        golden.write_text(manifest.text, encoding="utf-8")
    assert manifest.text == golden.read_text(encoding="utf-8")
    assert manifest.inexact == ()


@pytest.mark.parametrize("source", [*(c / "rendered.xml" for c in CASES), *(c / "persistent.xml" for c in GOLDEN)], ids=str)
def test_the_rendering_of_an_imported_manifest_says_what_the_definition_says(source: Path, tmp_path: Path) -> None:
    text = source.read_text(encoding="utf-8")
    [manifest] = converted(observed(text))
    assert manifest.inexact == ()
    before, after = essence(manifest.observed.persistent or ""), essence(rendered(manifest, tmp_path))
    assert missing(before, after, RULES) == []
    assert missing(after, before, RULES) == []


def test_the_median_manifest_can_be_read_at_a_glance() -> None:
    texts = [(case / "persistent.xml").read_text(encoding="utf-8") for case in GOLDEN]
    lines = [len(manifest.text.splitlines()) for text in texts for manifest in converted(observed(text))]
    assert statistics.median(lines) <= LONGEST_MEDIAN, lines


def domain(devices: str = "", more: str = "", name: str = "vm") -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><uuid>4dea22b3-1d52-48f3-a516-782e98ab3fa0</uuid>"
        f"<memory unit='KiB'>65536</memory>"
        f"<currentMemory unit='KiB'>65536</currentMemory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>{more}"
        f"<devices>{devices}</devices></domain>"
    )


CARD = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"


def test_what_no_field_can_say_goes_into_the_overlay() -> None:
    [manifest] = converted(observed(domain(f"{CARD}<nvram><address type='spapr-vio' reg='0x3000'/></nvram>")))
    assert "nvram" in manifest.data["spec"]["xml"]
    assert manifest.data["spec"]["interfaces"] == [{"user": True, "mac": "52:54:00:00:00:01"}]
    assert manifest.inexact == ()


def test_a_value_that_the_schema_refuses_goes_into_the_overlay_alone() -> None:
    disk = "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>"
    disk += "<target dev='vda' bus='virtio'/>{}</disk>"
    serial = "x" * 50
    [manifest] = converted(observed(domain(disk.format("/a.img", f"<serial>{serial}</serial>"))))
    assert manifest.data["spec"]["disks"] == [{"target": "vda", "file": "/a.img"}]
    assert serial in manifest.data["spec"]["xml"]
    [manifest] = converted(observed(domain(disk.format("relative.img", ""))))
    assert manifest.inexact == ()


def test_a_mac_address_that_two_cards_share_is_declared_in_overlays_only() -> None:
    one, two = observed(domain(CARD, name="one")), observed(domain(CARD, name="two"))
    for manifest in converted(one, replace(two, uuid="x")):
        assert "interfaces" not in manifest.data["spec"]
        assert "52:54:00:00:00:01" in manifest.data["spec"]["xml"]


def test_only_the_second_of_two_like_devices_is_spoken_of_and_hit() -> None:
    whole = domain("<rng model='virtio'><backend model='random'>/a</backend></rng>" * 2)
    said = whole.replace("/a", "/b", 2).replace("/b", "/a", 1)
    over = overlay_for(whole, said, RULES)
    assert over is not None
    assert missing(whole, overlay(said, over, RULES), RULES) == []


def test_a_domain_without_a_definition_of_its_own_is_declared_transient() -> None:
    text = domain(
        "<serial type='pty'><source path='/dev/pts/3'/><target type='isa-serial' port='0'/><alias name='serial0'/></serial>"
        "<interface type='user'><mac address='52:54:00:00:00:01'/><target dev='vnet0'/><model type='virtio'/>"
        "<alias name='net0'/></interface><graphics type='vnc' port='5900' autoport='yes'/>",
        "<resource><partition>/machine</partition></resource>",
    )
    [manifest] = converted(observed(text, persistent=None, live=text, state="running", autostart=None))
    spec = manifest.data["spec"]
    assert (spec["persistent"], spec["state"]) == (False, "running")
    assert spec["serials"] == [{"type": "pty"}]
    assert spec["interfaces"] == [{"user": True, "mac": "52:54:00:00:00:01"}]
    assert "resource" not in spec
    assert spec["videos"] == []
    assert not any(word in manifest.text for word in ("serial0", "net0", "5900", "pts"))


def test_a_name_that_no_manifest_can_have_is_refused_with_the_reason() -> None:
    [found] = [Host(HostState(FACTS, {})).convert(observed(domain(name=" blank")))]
    assert not isinstance(found, Imported)
    assert "name" in found.reason


@pytest.mark.parametrize("emulator, said", [("/usr/bin/qemu-system-x86_64", False), ("/opt/qemu/bin/qemu", True)])
def test_the_emulator_is_said_where_it_is_not_the_hosts_own(emulator: str, said: bool) -> None:
    [manifest] = converted(observed(domain(f"<emulator>{emulator}</emulator>")))
    assert ("emulator" in manifest.data["spec"]) is said


def test_a_password_is_asked_for_in_a_comment_and_never_written() -> None:
    seen = observed(domain("<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>"))
    found = Host(HostState(FACTS, {seen.id: seen}), {seen.id}).convert(seen)
    assert isinstance(found, Imported)
    assert "# A screen of this domain has a password" in found.text
    assert "\n  password" not in found.text


def test_what_libvirt_itself_writes_unreadably_is_refused_and_holds_nothing_else_up() -> None:
    broken = "<network><name>n</name><ip address='10.0.0.1'><dhcp><host name='it's' ip='10.0.0.2'/></dhcp></ip></network>"
    network = Observed(ResourceId("Network", "n", FACTS.name), "u", "inactive", broken, None, False)
    fine = observed(domain())
    host = Host(HostState(FACTS, {network.id: network, fine.id: fine}))
    refused = host.convert(network)
    assert isinstance(refused, Refused)
    assert "libvirt itself writes its definition in a form that cannot be read" in refused.reason
    assert isinstance(host.convert(fine), Imported)
