"""Emptying a domain on a real host: what its guest wrote beside its volumes is gone, and nothing else is touched.

Each file gets a second name (a hard link) before: what was deleted without being overwritten can still be read there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from reconciler.errors import HostError
from reconciler.host import audit
from reconciler.host.drivers.places import Places
from reconciler.host.drivers.wiping.belongings import Belonging, tpm_state
from reconciler.host.drivers.wiping.domains import wipe
from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from reconciler.xmltree.document import parse
from tests.driving import Hands, desired, domain_xml
from tests.lab.nodes import Lab
from tests.qemu.conftest import DOMAIN, NETWORK, POOL, VOLUME, Vireo
from tests.snapshotting import UUID, Album, disk

OTHER = "99999999-2222-5333-8444-555555555555"
BIOS = "/usr/share/seabios/bios-256k.bin"
OS = "<os><type arch='x86_64' machine='pc'>hvm</type>"
LOADER = f"{OS}<loader type='pflash' readonly='yes'>{BIOS}</loader>"
TPM = "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>"


@pytest.fixture
def hands(host_uri: str) -> Iterator[Hands]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Hands(session)


@pytest.fixture
def album(hands: Hands, lab: Lab) -> Album:
    return Album(hands, lab)


def state(lab: Lab) -> Path:
    """What the node sees as /var/lib/libvirt."""
    return lab.directory / "node1" / "lib"


def linked(lab: Lab, *paths: Path) -> list[Path]:
    """Second names of these files, out of every pool's reach."""
    folder = lab.directory / "kept"
    folder.mkdir(exist_ok=True)
    out = []
    for path in paths:
        link = folder / f"{len(list(folder.iterdir()))}-{path.name}"
        os.link(path, link)
        out.append(link)
    return out


@pytest.fixture(autouse=True)
def _no_links_left(lab: Lab) -> Iterator[None]:
    yield
    for path in (lab.directory / "kept").glob("*"):
        path.unlink()


def wiped(path: Path) -> bool:
    return path.stat().st_size > 0 and not any(path.read_bytes())


def over(lab: Lab, base: str, name: str) -> None:
    """A new overlay of that name over a qcow2 file."""
    base = f"{lab.images}/{base}"
    lab.run(1, ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, f"{lab.images}/{name}"])


def pools(hands: Hands) -> list[str]:
    return [pool.name() for pool in hands.conn.listAllStoragePools()]


@pytest.fixture
def grown(album: Album) -> Album:
    """A stopped guest whose disk goes on in two overlays, with a memory image; each file holds a byte of its own."""
    album.define(disk(album.image("a.qcow2")))
    album.write(0xA1)
    album.bring("running")
    album.take("one", mode="external", memory="true")
    album.write(0xB2)
    album.take("two", mode="external", memory="false")
    album.write(0xC3)
    album.domain.destroy()
    return album


FILES = ("a.qcow2.one", "a.qcow2.two", "a.qcow2.one.memory")


def test_overlays_and_memory_images_are_wiped_and_deleted_and_the_base_stays(grown: Album, lab: Lab, hands: Hands) -> None:
    base = (lab.images / "a.qcow2").read_bytes()
    links = linked(lab, *(lab.images / name for name in FILES))
    hands.twice(Verb.WIPE, grown.want, uuid=UUID)
    assert grown.files() == {"a.qcow2"}
    assert (lab.images / "a.qcow2").read_bytes() == base
    assert all(map(wiped, links))
    records, _ = audit.read()
    assert {(Path(one.path).name, one.resource, one.verified, one.pool) for one in records} == {
        (name, "Domain/snap1", True, "") for name in FILES
    }
    hands.twice(Verb.UNDEFINE, replace(grown.want, options={"onDelete": {"volumes": "wipe"}}), uuid=UUID)
    assert hands.conn.listAllDomains() == []
    assert pools(hands) == []


def test_with_delete_they_are_deleted_as_they_are(grown: Album, lab: Lab, hands: Hands) -> None:
    base = (lab.images / "a.qcow2").read_bytes()
    links = linked(lab, *(lab.images / name for name in FILES))
    before = [link.read_bytes() for link in links]
    hands.twice(Verb.DELETE, grown.want, uuid=UUID)
    assert grown.files() == {"a.qcow2"}
    assert (lab.images / "a.qcow2").read_bytes() == base
    assert [link.read_bytes() for link in links] == before
    assert audit.read() == ((), 0)


@pytest.mark.parametrize("at", FILES)
def test_wherever_it_ends_the_next_time_finds_what_is_left(grown: Album, lab: Lab, hands: Hands, at: str) -> None:
    links = linked(lab, *(lab.images / name for name in FILES))

    def report(text: str, fraction: float | None) -> None:
        if text.startswith("deleting") and text.endswith(f" {at}"):
            raise HostError("killed")

    with pytest.raises(HostError, match="killed"):
        wipe(replace(hands.step(Verb.WIPE, grown.want, uuid=UUID), report=report))
    assert (lab.images / at).exists()
    hands.do(Verb.WIPE, grown.want, uuid=UUID)
    assert grown.files() == {"a.qcow2"}
    assert all(map(wiped, links))


def test_an_overlay_that_another_domain_stands_on_stays_and_is_named(grown: Album, lab: Lab, hands: Hands) -> None:
    lab.run(
        1, ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{lab.images}/a.qcow2.two", f"{lab.images}/x.qcow2"]
    )
    hands.conn.defineXML(domain_xml("theirs", OTHER, devices=disk(lab.images / "x.qcow2")))
    before = (lab.images / "a.qcow2.two").read_bytes()
    for verb in (Verb.WIPE, Verb.DELETE):
        with pytest.raises(HostError, match=r"stands on it"):
            hands.do(verb, grown.want, uuid=UUID)
    assert (lab.images / "a.qcow2.two").read_bytes() == before


def test_what_the_manifest_names_and_what_an_inventory_lists_is_not_the_domains_own(album: Album, lab: Lab, hands: Hands) -> None:
    """A volume that stands on an image that is shared: each is somebody's own."""
    album.image("base.qcow2")
    top, listed = lab.images / "top.qcow2", lab.images / "listed.qcow2"
    for path, below in ((listed, "base.qcow2"), (top, "listed.qcow2")):
        over(lab, below, path.name)
    hands.list_as(desired("Volume", "listed.qcow2", "<volume/>", pool="p"), uuid=str(listed))
    album.define(disk(top))
    before = {path: path.read_bytes() for path in lab.images.glob("*.qcow2")}
    for verb in (Verb.WIPE, Verb.DELETE):
        hands.do(verb, album.want, uuid=UUID)
    assert {path: path.read_bytes() for path in lab.images.glob("*.qcow2")} == before


def test_a_running_domain_is_not_emptied(grown: Album, hands: Hands) -> None:
    grown.domain.create()
    for verb in (Verb.WIPE, Verb.DELETE):
        with pytest.raises(HostError, match="it runs"):
            hands.do(verb, grown.want, uuid=UUID)
    assert set(FILES) < grown.files()


def test_a_managed_save_image_and_nvram_are_wiped_before_libvirt_deletes_them(hands: Hands, lab: Lab) -> None:
    xml = domain_xml("web1", UUID).replace(
        "<os><type arch='x86_64' machine='pc'>hvm</type>", f"{LOADER}<nvram template='{BIOS}'/>"
    )
    want = desired("Domain", "web1", xml, onDelete={"volumes": "wipe"})
    hands.list_as(want, UUID, pending=False)
    hands.do(Verb.DEFINE, want)
    hands.do(Verb.START, want)
    guest = hands.conn.lookupByName("web1")
    nvram = Path(re.findall(r"<nvram[^>]*>(.*?)</nvram>", guest.XMLDesc())[0].replace("/var/lib/libvirt", str(state(lab))))
    guest.managedSave()
    saved = state(lab) / "qemu" / "save" / "web1.save"
    links = linked(lab, saved, nvram)
    assert not any(map(wiped, links))
    hands.twice(Verb.WIPE, want, uuid=UUID)
    assert all(map(wiped, links))
    assert pools(hands) == []
    hands.twice(Verb.UNDEFINE, want, uuid=UUID)
    assert not saved.exists()
    assert not nvram.exists()


def test_nvram_that_another_domain_has_too_is_not_wiped(hands: Hands, lab: Lab) -> None:
    shared = state(lab) / "qemu" / "nvram" / "shared.fd"
    shared.write_bytes(b"settings" * 512)
    place = "/var/lib/libvirt/qemu/nvram/shared.fd"
    xml = domain_xml("web1", UUID).replace(OS, f"{LOADER}<nvram>{place}</nvram>")
    want = desired("Domain", "web1", xml)
    hands.list_as(want, UUID, pending=False)
    hands.do(Verb.DEFINE, want)
    hands.conn.defineXML(xml.replace("web1", "theirs").replace(UUID, OTHER))
    with pytest.raises(HostError, match="the domain theirs uses it"):
        hands.do(Verb.WIPE, want, uuid=UUID)
    assert shared.read_bytes() == b"settings" * 512
    shared.unlink()
    hands.conn.lookupByName("theirs").undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)


def test_the_state_of_an_emulated_tpm_is_found_where_libvirt_keeps_it(hands: Hands, lab: Lab) -> None:
    """A definition with one is refused where swtpm is missing, so only the finding is shown here."""
    root = parse(domain_xml("web1", UUID, devices=TPM))
    step = hands.step(Verb.WIPE, desired("Domain", "web1", ""))
    with Places(step) as places:
        assert list(tpm_state(step, root, places)) == []
    folder = state(lab) / "swtpm" / UUID / "tpm2"
    folder.mkdir(parents=True)
    (folder / "tpm2-00.permall").write_bytes(b"key")
    with Places(step) as places:
        (found,) = tpm_state(step, root, places)
    assert found == Belonging(f"/var/lib/libvirt/swtpm/{UUID}/tpm2/tpm2-00.permall", "TPM state", ours=False)
    shutil.rmtree(folder)


def test_a_machine_with_snapshots_goes_with_all_that_it_wrote(vireo: Vireo, lab: Lab) -> None:
    vireo.add(POOL, VOLUME, NETWORK, DOMAIN)
    vireo.spec("Domain/web1")["snapshots"] = [{"name": name, "mode": "external"} for name in ("one", "two")]
    vireo.spec("Domain/web1")["onDelete"] = {"volumes": "wipe"}
    vireo.apply()
    pool = lab.images / "pool"
    names = {"web1.qcow2", *(f"web1.qcow2.{end}" for end in ("one", "one.memory", "two", "two.memory"))}
    assert {path.name for path in pool.iterdir()} == names
    vireo.spec("Domain/web1")["state"] = "saved"
    vireo.apply()
    links = linked(lab, *pool.iterdir(), state(lab) / "qemu" / "save" / "web1.save")
    vireo.spec("Domain/web1")["state"] = "undefined"
    vireo.apply()
    assert list(pool.iterdir()) == []
    assert all(map(wiped, links))
    assert vireo.connection.listAllDomains() == []
    vireo.assert_in_sync()
