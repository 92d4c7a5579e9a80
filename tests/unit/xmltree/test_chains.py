"""Chains of overlays in definitions: found in snapshots, added where libvirt left them out, switched for a revert."""

from __future__ import annotations

from reconciler.xmltree.chains import Disk, bases, disks, switched, with_chains
from reconciler.xmltree.document import parse


def disk(target: str, source: str, form: str = "qcow2", kind: str = "file", more: str = "") -> str:
    return f"<disk type='{kind}'><driver name='qemu' type='{form}'/><source {source}/>{more}<target dev='{target}'/></disk>"


def domain(*parts: str) -> str:
    return f"<domain><devices>{''.join(parts)}</devices></domain>"


def taken(overlay: str, *parts: str, target: str = "vda") -> str:
    part = f"<disk name='{target}' snapshot='external'><source file='{overlay}'/></disk>"
    return f"<domainsnapshot><disks>{part}</disks>{domain(*parts)}</domainsnapshot>"


VOLUME = disk("vda", "pool='p' volume='a'", kind="volume")
ONE = taken("/p/a.one", VOLUME)
TWO = taken(
    "/p/a.two", disk("vda", "file='/p/a.one' index='3'", more="<backingStore type='file'><source file='/old'/></backingStore>")
)


def chain(text: str, target: str = "vda") -> list[tuple[str | None, str | None, str | None]]:
    """(type, format, file or volume) of each layer below the top."""
    found = []
    for element in parse(text).iterfind("devices/disk"):
        at = element.find("target")
        layer = element.find("backingStore") if at is not None and at.get("dev") == target else None
        while layer is not None:
            source, form = layer.find("source"), layer.find("format")
            assert source is not None
            assert form is not None
            assert source.get("index") is None
            found.append((layer.get("type"), form.get("type"), source.get("file") or source.get("volume")))
            layer = layer.find("backingStore")
    return found


def test_a_disk_is_what_its_definition_says() -> None:
    cdrom = "<disk type='file' device='cdrom'><source file='/iso'/><target dev='hdc'/><readonly/></disk>"
    empty = "<disk type='file' device='cdrom' snapshot='no'><target dev='hdd'/><readonly/></disk>"
    assert disks(parse(domain(VOLUME, cdrom, empty))) == (
        Disk("vda", "volume", "qcow2", pool="p", volume="a"),
        Disk("hdc", "file", "raw", path="/iso", device="cdrom", writable=False),
        Disk("hdd", "file", "raw", device="cdrom", writable=False, present=False, left_out=True),
    )


def test_the_whole_chain_is_added_below_an_overlay_and_ends_in_the_words_of_the_manifest() -> None:
    text = with_chains(domain(disk("vda", "file='/p/a.two'"), disk("vdb", "file='/p/b'")), bases([ONE, TWO]))
    assert text is not None
    assert chain(text) == [("file", "qcow2", "/p/a.one"), ("volume", "qcow2", "a")]
    assert chain(text, "vdb") == []


def test_a_definition_that_has_its_chains_is_left_alone() -> None:
    known = bases([ONE])
    text = with_chains(domain(disk("vda", "file='/p/a.one'")), known)
    assert text is not None
    assert with_chains(text, known) is None
    assert with_chains(domain(VOLUME), known) is None


def test_snapshots_that_name_each_other_make_no_endless_chain() -> None:
    known = bases([taken("/x", disk("vda", "file='/y'")), taken("/y", disk("vda", "file='/x'"))])
    text = with_chains(domain(disk("vda", "file='/x'")), known)
    assert text is not None
    assert [layer[2] for layer in chain(text)] == ["/y", "/x"]


def test_a_revert_gives_fresh_overlays_and_keeps_what_was_not_in_the_snapshot() -> None:
    then = domain(VOLUME, disk("vdb", "file='/p/b'", "raw"), disk("vdc", "file='/p/gone'", "raw"))
    store = "<backingStore type='file'><format type='raw'/><source file='/p/b'/></backingStore>"
    now = domain(disk("vda", "file='/p/a.one'"), disk("vdb", "file='/p/b.other'", more=store))
    text = switched(parse(then), {"vda": "/p/a.one.r1"}, bases([ONE]), parse(now))
    vda, vdb, vdc = disks(parse(text))
    assert (vda, chain(text)) == (Disk("vda", "file", "qcow2", "/p/a.one.r1"), [("volume", "qcow2", "a")])
    assert (vdb, chain(text, "vdb")) == (Disk("vdb", "file", "qcow2", "/p/b.other"), [("file", "raw", "/p/b")])
    assert vdc.path == "/p/gone"
