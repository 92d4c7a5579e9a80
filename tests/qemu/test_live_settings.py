"""Settings of a running guest that are no devices, and its share of the host, on a lab node that has cgroups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.host.session import Session
from reconciler.model.plan import Verb
from reconciler.model.resource import HostSpec
from tests.driving import Hands
from tests.lab import nodes
from tests.living import UUID, Living, wanted

SHOWN = "its effect is taken back, but libvirt shows it until the guest restarts"
THREADS = "<iothreads>2</iothreads>"


@pytest.fixture
def living(lab: nodes.Lab, host_uri: str) -> Iterator[Living]:
    with Session.open(HostSpec("host", host_uri)) as session:
        yield Living(Hands(session), lab)


def memory(size: int, current: int) -> str:
    return f"<memory unit='MiB'>{size}</memory><currentMemory unit='MiB'>{current}</currentMemory><vcpu>1</vcpu>"


def vcpus(most: int, current: int) -> str:
    return f"<memory unit='MiB'>32</memory><vcpu current='{current}'>{most}</vcpu>"


WORDS = [
    ("<title>one</title>"),
    ("<title>two</title><description>d</description>"),
    ("<description>e</description><metadata><a:app xmlns:a='urn:a'><a:tier>demo</a:tier></a:app></metadata>"),
    ("<metadata><a:app xmlns:a='urn:a'><a:tier>prod</a:tier></a:app></metadata>"),
    ("<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>preserve</on_crash>"),
    ("<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>"),
    ("<iothreads>1</iothreads>"),
    ("<iothreads>3</iothreads>"),
    ("<iothreads>2</iothreads>"),
    (
        f"{THREADS}<cputune><vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='0'/>"
        "<iothreadpin iothread='1' cpuset='0'/></cputune>"
    ),
    (f"{THREADS}<cputune><vcpupin vcpu='0' cpuset='0-1'/><emulatorpin cpuset='0-1'/></cputune>"),
    (THREADS),
]


def test_words_endings_threads_and_pins_change_while_the_guest_runs(living: Living) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("pinning needs two processors")
    first, *others = WORDS
    living.start(wanted(inner=first))
    for inner in others:
        refused = living.change(wanted(inner=inner))
        assert all(why == SHOWN for why in refused.values()), inner
        assert all("pin" in path or path == "cputune" for path in refused), inner
        assert not refused or "iothreadpin" not in inner, inner
        assert living.left() == (), inner
    assert "<vcpupin vcpu='0' cpuset='0'/>" not in living.domain.XMLDesc(0)


def test_processors_come_while_the_guest_runs_and_go_only_where_it_releases_them(living: Living) -> None:
    living.start(wanted(size=vcpus(3, 1)))
    assert living.change(wanted(size=vcpus(3, 2))) == {}
    assert living.left() == ()
    assert living.domain.info()[3] == 2
    refused = living.change(wanted(size=vcpus(3, 1)))
    assert set(refused) == {"vcpu/@current"}
    assert living.left() == ("vcpu/@current",)
    assert "at most 3 processors" in living.change(wanted(size=vcpus(5, 4)))["vcpu/@current"]
    assert set(living.left()) == {"vcpu"}


def test_memory_without_a_balloon_driver_is_asked_for_and_told_as_waiting(living: Living) -> None:
    living.start(wanted(size=memory(48, 48)))
    assert living.change(wanted(size=memory(48, 40))) == {}
    assert living.left() == ()
    assert any("balloon driver has not answered" in message for message, _ in living.hands.reports)
    assert "at most 49152 KiB" in living.change(wanted(size=memory(64, 56)))["currentMemory"]


def test_a_memory_device_comes(living: Living) -> None:
    cells = "<cpu><numa><cell id='0' cpus='0' memory='32' unit='MiB'/></numa></cpu>"
    dimm = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
    size = "<maxMemory slots='2' unit='MiB'>512</maxMemory><memory unit='MiB'>{}</memory><vcpu>1</vcpu>"
    living.start(wanted(inner=cells, size=size.format(32)))
    assert living.change(wanted(dimm, inner=cells, size=size.format(96))) == {}
    assert living.left() == ()


@pytest.mark.parametrize(
    "inner, section",
    [
        ("<cputune><shares>512</shares></cputune>", "cputune"),
        ("<memtune><hard_limit unit='MiB'>900</hard_limit></memtune>", "memtune"),
        ("<blkiotune><weight>300</weight></blkiotune>", "blkiotune"),
    ],
)
def test_without_cgroups_a_share_of_the_host_waits_for_the_next_start(living: Living, inner: str, section: str) -> None:
    living.start(wanted())
    refused = living.change(wanted(inner=inner))
    assert "cgroup" in refused[section]
    assert living.left() == (section,)


def test_of_a_section_the_parts_that_can_come_come_and_the_others_wait(living: Living) -> None:
    living.start(wanted())
    refused = living.change(wanted(inner="<cputune><shares>512</shares><vcpupin vcpu='0' cpuset='0'/></cputune>"))
    assert set(refused) == {"cputune/shares"}
    assert living.left() == ("cputune/shares",)


# --- with cgroups ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tuned_lab() -> Iterator[nodes.Lab]:
    if reason := nodes.missing_cgroups():
        pytest.skip(reason)
    the_lab = nodes.Lab(subnet="10.98.0", cgroups=True)
    the_lab.start()
    yield the_lab
    the_lab.down()


@pytest.fixture
def tuned(tuned_lab: nodes.Lab) -> Iterator[Living]:
    tuned_lab.clean()
    with Session.open(HostSpec("host", tuned_lab.uri())) as session:
        yield Living(Hands(session), tuned_lab)
    tuned_lab.clean()


@pytest.mark.qemu
def test_a_lab_with_cgroups_sees_its_own_only_and_leaves_none_behind() -> None:
    if reason := nodes.missing_cgroups():
        pytest.skip(reason)
    the_lab = nodes.Lab(subnet="10.97.0", cgroups=True)
    the_lab.start()
    try:
        groups = [Path(line) for line in (the_lab.directory / "node1" / "cgroups").read_text().split()]
        assert all(path.is_dir() for path in groups)
        inside = the_lab.run(1, ["find", "/sys/fs/cgroup/cpu", "-mindepth", "1", "-type", "d"]).stdout
        assert "lab-" not in inside
    finally:
        the_lab.down()
    assert [path for path in groups if path.exists()] == []


def group(living: Living, controller: str, name: str, part: str = "") -> str:
    """What the kernel says of the guest's own cgroup, or of one of its parts."""
    found = re.findall(rf"^\d+:{controller}:(.*)$", Path(f"/proc/{living.pid}/cgroup").read_text(), re.MULTILINE)
    folder = Path(f"/sys/fs/cgroup/{controller}{found[0]}")
    while not folder.name.endswith(".libvirt-qemu"):
        folder = folder.parent
    return (folder / part / name).read_text().strip()


TUNED = [
    ("", ("cpu", "cpu.shares", ""), "1024"),
    ("<cputune><shares>512</shares></cputune>", ("cpu", "cpu.shares", ""), "512"),
    (
        "<cputune><shares>512</shares><period>50000</period><quota>20000</quota></cputune>",
        ("cpu", "cpu.cfs_quota_us", "vcpu0"),
        "20000",
    ),
    (
        "<cputune><shares>512</shares><emulator_period>50000</emulator_period><emulator_quota>30000</emulator_quota></cputune>",
        ("cpu", "cpu.cfs_quota_us", "emulator"),
        "30000",
    ),
    (
        "<cputune><shares>512</shares><global_period>50000</global_period><global_quota>40000</global_quota></cputune>",
        ("cpu", "cpu.cfs_quota_us", ""),
        "40000",
    ),
    ("<cputune><shares>512</shares></cputune>", ("cpu", "cpu.cfs_quota_us", ""), "-1"),
    (
        "<memtune><hard_limit unit='MiB'>900</hard_limit><soft_limit unit='MiB'>500</soft_limit></memtune>",
        ("memory", "memory.limit_in_bytes", ""),
        str(900 << 20),
    ),
    ("<memtune><soft_limit unit='MiB'>600</soft_limit></memtune>", ("memory", "memory.soft_limit_in_bytes", ""), str(600 << 20)),
]  # fmt: skip


@pytest.mark.qemu
def test_processor_and_memory_shares_reach_the_kernel_while_the_guest_runs(tuned: Living) -> None:
    (first, *_), *others = TUNED
    tuned.start(wanted(inner=first))
    for inner, where, value in others:
        refused = tuned.change(wanted(inner=inner))
        assert all(SHOWN in why for path, why in refused.items() if path not in {"cputune", "cputune/shares"}), inner
        assert "cputune/shares" not in refused or "<shares>" not in inner
        assert tuned.left() == (), inner
        assert group(tuned, *where) == value, inner


@pytest.mark.qemu
def test_disk_shares_reach_the_kernel_while_the_guest_runs(tuned: Living) -> None:
    whole = [entry for entry in Path("/sys/block").iterdir() if int((entry / "size").read_text()) > 0]
    if not whole:
        pytest.skip("the machine has no disk")
    major, minor = (whole[0] / "dev").read_text().strip().split(":")
    tuned.lab.run(1, ["sh", "-c", f"test -e /dev/some || mknod /dev/some b {major} {minor}"])
    device = (
        "<blkiotune><weight>{}</weight><device><path>/dev/some</path><read_bytes_sec>{}</read_bytes_sec></device></blkiotune>"
    )
    tuned.start(wanted(inner="<blkiotune><weight>300</weight></blkiotune>"))
    for weight, rate in ((400, 5 << 20), (400, 6 << 20), (500, 6 << 20)):
        assert tuned.change(wanted(inner=device.format(weight, rate))) == {}
        assert tuned.left() == ()
        assert group(tuned, "blkio", "blkio.throttle.read_bps_device") == f"{major}:{minor} {rate}"
    assert tuned.change(wanted(inner="<blkiotune><weight>500</weight></blkiotune>")) == {}
    assert group(tuned, "blkio", "blkio.throttle.read_bps_device") == ""


@pytest.mark.qemu
@pytest.mark.parametrize("mode, taken", [("restrictive", True), ("strict", False)])
def test_memory_nodes_are_set_in_the_mode_in_which_libvirt_can(tuned: Living, mode: str, taken: bool) -> None:
    """With the only node that a small machine has: nothing differs, but libvirt is asked."""
    path = "numatune/memory/@nodeset"
    want = wanted(inner=f"<numatune><memory mode='{mode}' nodeset='0'/></numatune>")
    tuned.start(want)
    tuned.hands.do(Verb.UPDATE, want, uuid=UUID, intent=want.xml, paths=(path,))
    assert (tuned.hands.refused == {}) is taken
    assert taken or "numa mode" in tuned.hands.refused[path]


@pytest.mark.qemu
def test_a_virtiofs_filesystem_comes_where_the_memory_is_shared(tuned: Living) -> None:
    """On a host with cgroups, as every real one: libvirtd 9.0 without them crashes over it."""
    shared = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    source = "<driver type='virtiofs'/><source dir='/var/lib/libvirt/images'/><target dir='t'/>"
    tuned.start(wanted(inner=shared))
    assert tuned.change(wanted(f"<filesystem type='mount'>{source}</filesystem>", inner=shared)) == {}
    assert tuned.left() == ()
