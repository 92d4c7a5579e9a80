"""What counts as a difference, on which path, and why."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kinds import KINDS
from reconciler.model.difference import Cause, Impact
from reconciler.planning.compare import Sides, compare, normalisations
from tests.unit.planning.building import (
    DISK,
    UUID,
    applied,
    desired,
    differences,
    domain,
    mark,
    minimal,
    network,
    nic,
    observed,
    paths,
    rid,
)

DOMAIN = KINDS["Domain"]
HOST: dict[str, Any] = {"uuid": UUID, "machine": "pc-i440fx-7.2"}


def causes(*args: Any, **more: Any) -> dict[str, Cause]:
    return {difference.path: difference.cause for difference in differences(*args, **more)}


def impacts(*args: Any, **more: Any) -> dict[str, Impact]:
    return {difference.path: difference.impact for difference in differences(*args, **more)}


# --- what is nobody's business --------------------------------------------------------------------------------


def test_what_libvirt_generated_is_no_difference() -> None:
    generated = (
        "<emulator>/usr/bin/qemu</emulator><controller type='pci' index='0' model='pci-root'/><input type='mouse' bus='ps2'/>"
        "<memballoon model='virtio'/><audio id='1' type='none'/>"
    )
    host = domain("<on_crash>destroy</on_crash><clock offset='utc'/>", generated + DISK, **HOST)
    assert paths(domain(devices=DISK), host, domain(devices=DISK)) == []
    assert paths(domain(devices=DISK), host) == []


@pytest.mark.parametrize(
    "declared, given_back",
    [
        ("<genid/>", "<genid>e3749429-825b-44be-bb92-a4ddb5ebc877</genid>"),
        ("<devices><rng model='virtio'><backend model='random'/></rng></devices>", None),
    ],
)
def test_an_element_declared_without_text_says_nothing_about_its_text(declared: str, given_back: str | None) -> None:
    host = given_back or declared.replace("<backend model='random'/>", "<backend model='random'>/dev/random</backend>")
    for before in (None, f"<domain><uuid>{UUID}</uuid>{declared}</domain>"):
        assert (
            paths(f"<domain><uuid>{UUID}</uuid>{declared}</domain>", f"<domain><uuid>{UUID}</uuid>{host}</domain>", before) == []
        )


def test_a_text_that_left_the_manifest_is_a_difference() -> None:
    rng = "<rng model='virtio'><backend model='random'>%s</backend></rng>"
    found = paths(domain(devices=rng % ""), domain(devices=rng % "/dev/urandom", **HOST), domain(devices=rng % "/dev/urandom"))
    assert found == ["devices/rng[0]/backend"]


@pytest.mark.parametrize("kind, device", [("disk", DISK.replace("vda", "vdb")), ("interface", nic("b", mac="52:54:00:00:00:07"))])
def test_a_device_of_an_owned_collection_that_nobody_declared_is_drift(kind: str, device: str) -> None:
    (found,) = differences(domain(), domain(devices=device, **HOST), domain())
    assert found.path.startswith(f"devices/{kind}[")
    assert (found.cause, found.desired) == (Cause.DRIFT, None)


def test_a_missing_device_is_one_difference_and_not_one_for_each_part() -> None:
    assert paths(domain(devices=DISK), domain(**HOST), domain(devices=DISK)) == ["devices/disk[vda]"]


def test_what_was_never_declared_and_is_not_there_is_no_difference_when_it_leaves_the_manifest() -> None:
    assert paths(domain(), domain(**HOST), domain("<title>t</title>")) == []


# --- causes ---------------------------------------------------------------------------------------------------


def test_the_cause_is_who_moved() -> None:
    title = "<title>{}</title>".format
    assert causes(domain(title("b")), domain(title("a"), **HOST), domain(title("a"))) == {"title": Cause.MANIFEST}
    assert causes(domain(title("a")), domain(title("x"), **HOST), domain(title("a"))) == {"title": Cause.DRIFT}
    assert causes(domain(title("b")), domain(title("x"), **HOST), domain(title("a"))) == {"title": Cause.MANIFEST}
    assert causes(domain(title("a")), domain(title("x"), **HOST)) == {"title": Cause.MANIFEST}
    assert causes(domain(), domain(title("a"), **HOST), domain(title("a"))) == {"title": Cause.MANIFEST}


def test_a_running_guest_that_lags_behind_its_definition_waits_for_a_restart() -> None:
    before, now = "<memory unit='MiB'>64</memory>", "<memory unit='MiB'>128</memory>"
    want = domain(memory=now)
    (found,) = differences(want, domain(memory=now, **HOST), want, live=domain(memory=before, **HOST))
    assert (found.path, found.cause, found.impact) == ("memory", Cause.PENDING_RESTART, Impact.RESTART)
    assert (found.desired, found.persistent, found.live) == ("134217728", "134217728", "67108864")


def test_pending_restart_clears_by_itself() -> None:
    want = domain(memory="<memory unit='MiB'>128</memory>")
    host = domain(memory="<memory unit='MiB'>128</memory>", **HOST)
    assert differences(want, host, want, live=host) == []


def test_a_change_that_the_running_guest_already_has_costs_nothing() -> None:
    title = "<title>{}</title>".format
    assert impacts(domain(title("b")), domain(title("a"), **HOST), domain(title("a")), live=domain(title("b"), **HOST)) == {
        "title": Impact.NONE
    }
    assert impacts(domain("<on_crash>restart</on_crash>"), domain("<on_crash>destroy</on_crash>", **HOST)) == {
        "on_crash": Impact.NONE
    }


LIVE_BY_NATURE = [
    ("<memory>65537</memory>", "", "<memory>66560</memory>", ""),
    (
        "",
        "<cpu mode='host-model' check='partial'/>",
        "",
        "<cpu mode='custom' match='exact' check='full'><model>EPYC</model></cpu>",
    ),
    ("", "<cpu mode='maximum'/>", "", "<cpu mode='custom' match='exact' check='full'><model>max</model></cpu>"),
]


@pytest.mark.parametrize("memory, inner, live_memory, live_inner", LIVE_BY_NATURE)
def test_how_a_running_guest_differs_by_nature_is_not_pending(memory: str, inner: str, live_memory: str, live_inner: str) -> None:
    size, live_size = memory or "<memory>65536</memory>", live_memory or "<memory>65536</memory>"
    want = domain(inner, memory=size)
    host = domain(inner, memory=size, **HOST)
    assert differences(want, host, want, live=domain(live_inner, memory=live_size, **HOST)) == []


def test_the_port_of_a_running_guest_is_not_pending_where_it_is_automatic() -> None:
    automatic, fixed = "<graphics type='vnc' port='-1' autoport='yes'/>", "<graphics type='vnc' port='5900' autoport='yes'/>"
    want = domain(devices=automatic)
    assert differences(want, domain(devices=automatic, **HOST), want, live=domain(devices=fixed, **HOST)) == []


# --- secrets that libvirt does not give back -------------------------------------------------------------------

VNC = "<graphics type='vnc'{}/>".format
ONE, TWO = VNC(" passwd='vireo-secret-1'"), VNC(" passwd='vireo-secret-2'")


@pytest.mark.parametrize(
    "now, before, found",
    [
        (ONE, ONE, []),
        (TWO, ONE, ["devices/graphics[vnc]/@passwd"]),
        (ONE, VNC(""), ["devices/graphics[vnc]/@passwd"]),
        (VNC(""), ONE, ["devices/graphics[vnc]/@passwd"]),
        (VNC(""), VNC(""), []),
        ("", ONE, ["devices/graphics[vnc]"]),
    ],
)
def test_a_password_is_compared_with_what_was_applied(now: str, before: str, found: list[str]) -> None:
    assert paths(domain(devices=now), domain(devices=VNC(""), **HOST), domain(devices=before)) == found


def test_a_password_of_graphics_that_are_gone_is_no_difference_of_its_own() -> None:
    assert paths(domain(devices=ONE), domain(**HOST), domain(devices=ONE)) == ["devices/graphics[vnc]"]


# --- what libvirt makes of what it is given ---------------------------------------------------------------------


def test_what_libvirt_made_of_a_declared_value_is_no_difference_and_later_drift_is() -> None:
    id_ = rid("Domain/d")
    want = desired(id_, domain("<vcpu current='2'>2</vcpu>", uuid=UUID))
    there = observed(id_, "stopped", domain("<vcpu placement='static'>2</vcpu>", **HOST))
    known = applied(want, there)
    assert known.normalised == {"vcpu/@current": None}
    now = known.xml
    assert compare(DOMAIN, Sides(now, now, there.persistent, None), known) == ()
    drifted = domain("<vcpu placement='static' current='1'>2</vcpu>", **HOST)
    assert [d.path for d in compare(DOMAIN, Sides(now, now, drifted, None), known)] == ["vcpu/@current"]


def test_withheld_paths_are_no_normalisations() -> None:
    want, there = "<domain><title>a</title><on_crash>restart</on_crash></domain>", "<domain><title>b</title></domain>"
    assert normalisations(DOMAIN, want, there, ["title"]) == {"on_crash": None}
    assert normalisations(DOMAIN, want, there, ["on_crash"]) == {"title": "b"}


def test_a_path_below_a_withheld_one_is_withheld() -> None:
    assert normalisations(DOMAIN, domain(devices=DISK), domain(), ["devices/disk[vda]"]) == {}


def test_a_declared_value_that_changed_is_not_forgiven_by_what_libvirt_made_of_the_old_one() -> None:
    known = mark(desired(rid("Domain/d")), normalised={"title": "x"})
    before, now, host = (
        "<domain><title>a</title></domain>",
        "<domain><title>b</title></domain>",
        "<domain><title>x</title></domain>",
    )
    assert compare(DOMAIN, Sides(before, before, host, None), known) == ()
    assert [d.path for d in compare(DOMAIN, Sides(now, before, host, None), known)] == ["title"]


# --- other kinds ----------------------------------------------------------------------------------------------


def test_a_transient_object_is_compared_by_its_running_definition() -> None:
    want = domain("<title>a</title>", uuid=UUID)
    assert compare(DOMAIN, Sides(want, want, None, want), None) == ()
    assert [d.path for d in compare(DOMAIN, Sides(want, want, None, domain("<title>b</title>", uuid=UUID)), None)] == ["title"]


def test_what_only_says_how_to_make_a_volume_is_no_difference_later() -> None:
    want = minimal(rid("Volume/p/v")).replace(
        "<target>", "<allocation>0</allocation><target><permissions><mode>0600</mode></permissions>"
    )
    host = minimal(rid("Volume/p/v")).replace("</volume>", "<allocation unit='bytes'>4096</allocation></volume>")
    assert compare(KINDS["Volume"], Sides(want, want, host, None), None) == ()


def test_the_sizes_of_a_pool_are_no_difference() -> None:
    want = minimal(rid("Pool/p"))
    host = want.replace("<target>", "<capacity unit='bytes'>9</capacity><allocation unit='bytes'>9</allocation><source/><target>")
    assert compare(KINDS["Pool"], Sides(want, want, host, host), None) == ()


def test_a_live_network_with_its_connections_is_not_pending() -> None:
    ours = "<forward mode='nat'/><ip address='10.7.0.1' prefix='24'/>"
    live = network(ours.replace("'nat'/>", "'nat'><nat><port start='1024' end='65535'/></nat></forward>"), uuid=UUID)
    live = live.replace("<network>", "<network connections='3'>")
    assert differences(network(ours), network(ours, uuid=UUID), network(ours), kind="Network", live=live) == []
