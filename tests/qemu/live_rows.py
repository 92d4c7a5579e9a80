"""What the live tests change on a running guest, and which rows of the table of changes each change goes through.

tests/unit/test_live_rows.py compares the rows that are named here, and in test_live_networks.py, with the tables in kinds/:
a row without a case fails there. test_live_rows.py makes the changes, and fails where one goes through other rows than it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.kinds import KINDS
from reconciler.planning.compare import way_for

Test = TypeVar("Test", bound=Callable[..., None])

IMAGES = "/var/lib/libvirt/images"


@dataclass(frozen=True, slots=True)
class Change:
    """One apply. `xml` is what stands in the domain beside its devices, `devices` what stands in these, `spec` other fields.

    `shows` are ElementPaths that the live and the persistent definition have afterwards, or have not (with "!" in front).
    What cannot be done says why (a regular expression), and is taken back before the next change. `why`: libvirt refuses it, or
    has no way for it; the next start takes it up. `blocked`: nothing is done at all. `depends`: what becomes of it depends on the
    host; where it cannot be done, it waits or fails for the reason that `why` says.
    """

    claim: str
    rows: tuple[str, ...]
    xml: str = ""
    devices: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    why: str = ""
    blocked: str = ""
    depends: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """A guest, and what is done to it, one change after the other. `cgroups`: on a host that has them."""

    first: Change
    changes: tuple[Change, ...]
    cgroups: bool = False


def rows_of(resource: Any) -> set[str]:
    """The rows of the table that the differences of a planned resource go through."""
    return {way_for(KINDS[resource["kind"]], difference["path"]).pattern for difference in resource["differences"]}


def shows(*rows: str) -> Callable[[Test], Test]:
    """Says of a test that is no case in a table which rows it exercises; it has to look at them itself."""

    def mark(test: Test) -> Test:
        test.rows = rows  # type: ignore[attr-defined]  # read by tests/unit/test_live_rows.py
        return test

    return mark


def start(xml: str = "", devices: str = "", **spec: Any) -> Change:
    return Change("it starts", (), xml, devices, spec)


def disk(dev: str, bus: str, image: str = "a.img", inner: str = "", device: str = "disk") -> str:
    source = f"<driver name='qemu' type='raw'/><source file='{IMAGES}/{image}'/>" if image else ""
    return f"<disk type='file' device='{device}'>{source}<target dev='{dev}' bus='{bus}'/>{inner}</disk>"


def nic(source: str = "<source network='one'/>", inner: str = "", sort: str = "network", more: str = "") -> str:
    mac = "<mac address='52:54:00:00:00:07'/>"
    return f"<interface type='{sort}'{more}>{mac}{source}<model type='virtio'/>{inner}</interface>"


def app(tier: str) -> str:
    return f"<metadata><a:app xmlns:a='urn:a'><a:tier>{tier}</a:tier></a:app></metadata>"


# --- what is no device ------------------------------------------------------------------------------------------

TITLE, TEXT = "<title>Web &amp; more</title>", "<description>the first one</description>"
DESTROYED = "<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>preserve</on_crash>"
RESTARTED = "<on_poweroff>restart</on_poweroff><on_reboot>restart</on_reboot><on_crash>preserve</on_crash>"
PROCESSORS, SIZE = {"count": 1, "max": 3}, {"size": "48MiB", "max": "48MiB"}

WORDS = Story(
    start(vcpus=PROCESSORS, memory=SIZE),
    (
        Change("it gets a title", ("title",), TITLE, shows=("title",)),
        Change("it gets a description", ("description",), TITLE + TEXT, shows=("description",)),
        Change("it loses both", ("title", "description"), shows=("!title", "!description")),
        Change("another tool's words come", ("metadata/**",), app("demo"), shows=("metadata/{urn:a}app",)),
        Change("they change", ("metadata/**",), app("prod"), shows=("metadata/{urn:a}app/[{urn:a}tier='prod']",)),
        Change("they go", ("metadata/**",), shows=("!metadata/{urn:a}app",)),
        Change(
            "it ends in another way",
            ("on_reboot", "on_crash"),
            DESTROYED,
            shows=("[on_reboot='destroy']", "[on_crash='preserve']"),
        ),
        Change("and in yet another", ("on_poweroff", "on_reboot"), RESTARTED, shows=("[on_poweroff='restart']",)),
        Change("its memory shrinks", ("currentMemory",), RESTARTED, spec={"memory": {**SIZE, "size": "40MiB"}}),
        Change("its memory grows", ("currentMemory",), RESTARTED, spec={"memory": SIZE}),
        Change(
            "processors come",
            ("vcpu/@current",),
            RESTARTED,
            spec={"vcpus": {"count": 2, "max": 3}},
            shows=("vcpu[@current='2']",),
        ),
    ),
)

PINS = "<vcpupin vcpu='0' cpuset='{0}'/><emulatorpin cpuset='{0}'/><iothreadpin iothread='1' cpuset='{0}'/>"
THREADS = "<iothreads>{}</iothreads>"
NAMED = "<iothreads>2</iothreads><iothreadids><iothread id='1'/><iothread id='{}'/></iothreadids>"

THREADED = Story(
    start(THREADS.format(1)),
    (
        Change("threads come", ("iothreads",), THREADS.format(3), shows=("[iothreads='3']",)),
        Change("one goes", ("iothreads",), THREADS.format(2), shows=("[iothreads='2']",)),
        Change("they are named", ("iothreadids",), NAMED.format(7), shows=("iothreadids/iothread[@id='7']",)),
        Change("one is another", ("iothreadids/iothread",), NAMED.format(8), shows=("iothreadids/iothread[@id='8']",)),
        Change(
            "it is pinned",
            ("cputune",),
            NAMED.format(8) + f"<cputune>{PINS.format(0)}</cputune>",
            shows=("cputune/vcpupin[@cpuset='0']", "cputune/emulatorpin[@cpuset='0']", "cputune/iothreadpin[@cpuset='0']"),
        ),
        Change(
            "it is pinned elsewhere",
            ("cputune/vcpupin/**", "cputune/emulatorpin/**", "cputune/iothreadpin/**"),
            NAMED.format(8) + f"<cputune>{PINS.format(1)}</cputune>",
            shows=("cputune/vcpupin[@cpuset='1']", "cputune/emulatorpin[@cpuset='1']", "cputune/iothreadpin[@cpuset='1']"),
        ),
    ),
)

QUOTAS = ("", "global_", "emulator_", "iothread_")


def shares(share: int, period: int, quota: int) -> str:
    limits = "".join(f"<{n}period>{period}</{n}period><{n}quota>{quota}</{n}quota>" for n in QUOTAS)
    return f"<cputune><shares>{share}</shares>{limits}</cputune>"


def limits(hard: int, soft: int, swap: int) -> str:
    return (
        f"<memtune><hard_limit unit='MiB'>{hard}</hard_limit><soft_limit unit='MiB'>{soft}</soft_limit>"
        f"<swap_hard_limit unit='MiB'>{swap}</swap_hard_limit></memtune>"
    )


def rates(weight: int, rate: int) -> str:
    device = f"<device><path>/dev/some</path><read_bytes_sec>{rate}</read_bytes_sec></device>" if rate else ""
    return f"<blkiotune><weight>{weight}</weight>{device}</blkiotune>"


def node(mode: str, nodeset: str) -> str:
    return f"<numatune><memory mode='{mode}' nodeset='{nodeset}'/></numatune>"


MORE = THREADS.format(1)
BUSY = MORE + shares(1024, 60000, 30000) + limits(1000, 600, 1100)
SHARED_MEMORY = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
VIRTIOFS = f"<filesystem type='mount'><driver type='virtiofs'/><source dir='{IMAGES}'/><target dir='t'/></filesystem>"
CPU_ROWS = tuple(f"cputune/{name}{what}" for name in QUOTAS for what in ("period", "quota"))

TUNED = Story(
    start(MORE),
    (
        Change("shares come", ("cputune",), MORE + shares(512, 50000, 20000), shows=("cputune/[shares='512']",)),
        Change(
            "shares change",
            ("cputune/shares", *CPU_ROWS),
            MORE + shares(1024, 60000, 30000),
            shows=("cputune/[shares='1024']", "cputune/[global_quota='30000']", "cputune/[iothread_period='60000']"),
        ),
        Change("limits come", ("memtune",), MORE + shares(1024, 60000, 30000) + limits(900, 500, 950), shows=("memtune",)),
        Change(
            "limits change",
            ("memtune/hard_limit", "memtune/soft_limit", "memtune/swap_hard_limit"),
            MORE + shares(1024, 60000, 30000) + limits(1000, 600, 1100),
            shows=("memtune/[hard_limit='1024000']",),
        ),
        Change("a weight comes", ("blkiotune",), BUSY + rates(300, 0), shows=("blkiotune/[weight='300']",)),
        Change("it changes", ("blkiotune/weight",), BUSY + rates(400, 0), shows=("blkiotune/[weight='400']",)),
        Change(
            "a disk of the host gets a rate",
            ("blkiotune/device/**",),
            BUSY + rates(400, 5 << 20),
            shows=("blkiotune/device/[read_bytes_sec='5242880']",),
        ),
        Change(
            "it changes", ("blkiotune/device/**",), BUSY + rates(400, 6 << 20), shows=("blkiotune/device/[path='/dev/some']",)
        ),
    ),
    cgroups=True,
)

NODES = Story(
    start(SHARED_MEMORY + node("restrictive", "0")),
    (
        Change(
            "a filesystem comes",
            ("devices/filesystem",),
            SHARED_MEMORY + node("restrictive", "0"),
            VIRTIOFS,
            shows=("devices/filesystem",),
        ),
        Change(
            "its memory is to be on a node that the host lacks",
            ("numatune/memory/@nodeset",),
            SHARED_MEMORY + node("restrictive", "0,63"),
            VIRTIOFS,
            why="NUMA node 63 is unavailable",
        ),
        Change("its nodes are not declared", ("numatune",), SHARED_MEMORY, VIRTIOFS, why="it goes at the next start"),
    ),
    cgroups=True,
)

# --- devices ----------------------------------------------------------------------------------------------------

USER = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
BASE = "<controller type='virtio-serial' index='0'/><memballoon model='virtio'/>"
BALLOON = "<memballoon model='virtio'/>"
SORTS: tuple[tuple[str, str, str], ...] = (
    ("disk", disk("vdb", "virtio"), "devices/disk/target[@dev='vdb']"),
    ("interface", USER, "devices/interface/mac[@address='52:54:00:00:00:01']"),
    ("controller", "<controller type='scsi' index='0' model='virtio-scsi'/>", "devices/controller[@type='scsi']"),
    (
        "redirdev",
        "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='4711'/></redirdev>",
        "devices/redirdev",
    ),
    ("input", "<input type='keyboard' bus='virtio'/>", "devices/input[@bus='virtio']"),
    ("rng", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", "devices/rng"),
    ("shmem", "<shmem name='vireo'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>", "devices/shmem"),
    ("watchdog", "<watchdog model='i6300esb' action='reset'/>", "devices/watchdog"),
    ("channel", "<channel type='unix'><target type='virtio' name='org.example.1'/></channel>", "devices/channel"),
    ("console", "<console type='pty'><target type='virtio'/></console>", "devices/console/target[@type='virtio']"),
    ("serial", "<serial type='pty'><target type='pci-serial' port='1'/></serial>", "devices/serial/target[@type='pci-serial']"),
    ("lease", f"<lease><lockspace>a</lockspace><key>b</key><target path='{IMAGES}/lease'/></lease>", "devices/lease"),
)


def _coming() -> tuple[Change, ...]:
    """Each sort of device in its turn, until the guest has them all."""
    out, devices = [], BASE
    for name, text, path in SORTS:
        devices += text
        out.append(Change(f"a {name} comes", (f"devices/{name}",), devices=devices, shows=(path,)))
    return tuple(out)


PLUGS = Story(
    start(devices=BASE),
    (
        *_coming(),
        Change(
            "all of them go",
            tuple(f"devices/{name}" for name, _, _ in SORTS),
            devices=BASE,
            shows=tuple(f"!{path}" for *_, path in SORTS),
        ),
    ),
)

NOWHERE = "<source><address domain='0' bus='0x7f' slot='0x1f' function='7'/></source>"

REFUSED = Story(
    start(),
    (
        Change("a vsock", ("devices/vsock",), devices="<vsock><cid auto='yes'/></vsock>", why="vhost-vsock", depends=True),
        Change(
            "a usb device",
            ("devices/hostdev",),
            devices="<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
            why="/sys/bus/usb|USB device",
            depends=True,
        ),
        Change(
            "a pci device",
            ("devices/hostdev",),
            devices=f"<hostdev mode='subsystem' type='pci'>{NOWHERE}</hostdev>",
            why="host PCI devices|7f:1f",
            depends=True,
        ),
        Change("another uuid", ("uuid",), "<uuid>11111111-2222-5333-8444-555555555559</uuid>", blocked="it cannot change"),
        Change(
            "more memory than its maximum",
            ("**",),
            spec={"memory": {"size": "32MiB", "max": "64MiB"}},
            why="takes effect at the next start: memory",
        ),
    ),
)

CELLS = "<cpu><numa><cell id='0' cpus='0' memory='32' unit='MiB'/></numa></cpu>"
DIMM = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
ROOM = (
    "<maxMemory slots='2' unit='MiB'>512</maxMemory><memory unit='MiB'>{0}</memory><currentMemory unit='MiB'>{0}</currentMemory>"
)

CELL = "<memnode cellid='0' mode='preferred' nodeset='0'/>"
PLACED = f"<numatune>{CELL}</numatune>"
ALL_PLACED = f"<numatune><memory mode='strict' nodeset='0'/>{CELL}</numatune>"

MEMORY = Story(
    start(ROOM.format(32) + PLACED + CELLS),
    (
        Change(
            "a module comes",
            ("devices/memory", "currentMemory", "**"),
            ROOM.format(96) + PLACED + CELLS,
            DIMM,
            shows=("devices/memory[@model='dimm']",),
        ),
        Change(
            "all is to be on a node", ("numatune/memory",), ROOM.format(96) + ALL_PLACED + CELLS, DIMM, why="cannot change it"
        ),
    ),
)


def drive(source: str = "", kind: str = "raw", sort: str = "file") -> str:
    driver = f"<driver name='qemu' type='{kind}'/>" if source else ""
    return f"<disk type='{sort}' device='cdrom'>{driver}{source}<target dev='hdc' bus='ide'/><readonly/></disk>"


A, B = (f"<source file='{IMAGES}/{name}'/>" for name in ("a.img", "b.img"))
Q = f"<source file='{IMAGES}/q.img'/>"
VDB = disk("vdb", "virtio", "c.img")


def limited(rate: int) -> str:
    return drive() + disk("vdb", "virtio", "c.img", f"<iotune><total_iops_sec>{rate}</total_iops_sec></iotune>")


MEDIA = Story(
    start(devices=VDB + drive()),
    (
        Change(
            "a medium comes",
            ("devices/disk/source/**",),
            devices=VDB + drive(A),
            shows=(f"devices/disk/source[@file='{IMAGES}/a.img']",),
        ),
        Change(
            "it changes",
            ("devices/disk/source/**",),
            devices=VDB + drive(B),
            shows=(f"devices/disk/source[@file='{IMAGES}/b.img']",),
        ),
        Change(
            "one of another format comes",
            ("devices/disk/source/**", "devices/disk/driver/@type"),
            devices=VDB + drive(Q, "qcow2"),
            shows=(f"devices/disk/source[@file='{IMAGES}/q.img']",),
        ),
        Change(
            "one of another sort comes",
            ("devices/disk/source/**", "devices/disk/@type", "devices/disk/driver/@type"),
            devices=VDB + drive("<source pool='media' volume='m.img'/>", sort="volume"),
            shows=("devices/disk[@type='volume']/source[@volume='m.img']",),
        ),
        Change(
            "it is ejected",
            ("devices/disk/source/**", "devices/disk/driver", "devices/disk/@type"),
            devices=VDB + drive(),
            shows=("!devices/disk/source[@volume]",),
        ),
        Change(
            "the disk is limited",
            ("devices/disk/iotune/**",),
            devices=limited(100),
            shows=("devices/disk/iotune/[total_iops_sec='100']",),
        ),
        Change("less so", ("devices/disk/iotune/**",), devices=limited(50), shows=("devices/disk/iotune/[total_iops_sec='50']",)),
        Change("not any more", ("devices/disk/iotune/**",), devices=drive() + VDB, shows=("!devices/disk/iotune",)),
        Change(
            "the disk gets another source",
            ("devices/disk/source/**",),
            devices=drive() + disk("vdb", "virtio", "d.img"),
            why="removable media",
        ),
    ),
)

NET = "devices/interface/"
TAPS = Story(
    start(devices=nic()),
    (
        Change(
            "it moves to another network",
            (f"{NET}source/**",),
            devices=nic("<source network='two'/>"),
            shows=(f"{NET}source[@network='two']",),
        ),
        Change(
            "it moves to a bridge",
            (f"{NET}source/**", f"{NET}@type"),
            devices=nic("<source bridge='vlb-one'/>", sort="bridge"),
            shows=(f"{NET}source[@bridge='vlb-one']",),
        ),
        Change("it moves back", (f"{NET}source/**", f"{NET}@type"), devices=nic(), shows=(f"{NET}source[@network='one']",)),
        Change(
            "it is unplugged", (f"{NET}link/**",), devices=nic(inner="<link state='down'/>"), shows=(f"{NET}link[@state='down']",)
        ),
        Change(
            "it is filtered",
            (f"{NET}link/**", f"{NET}filterref/**"),
            devices=nic(inner="<filterref filter='no-mac-spoofing'/>"),
            shows=(f"{NET}filterref",),
        ),
        Change(
            "it coalesces",
            (f"{NET}filterref/**", f"{NET}coalesce/**"),
            devices=nic(inner="<coalesce><rx><frames max='7'/></rx></coalesce>"),
            shows=(f"{NET}coalesce/rx/frames[@max='7']",),
        ),
        Change(
            "it is isolated",
            (f"{NET}coalesce/**", f"{NET}port/**"),
            devices=nic(inner="<port isolated='yes'/>"),
            shows=(f"{NET}port[@isolated='yes']",),
        ),
        Change("it is isolated no more", (f"{NET}port/**",), devices=nic(), shows=(f"!{NET}port",)),
        Change(
            "it is trusted",
            (f"{NET}@trustGuestRxFilters",),
            devices=nic(more=" trustGuestRxFilters='yes'"),
            why="the guest has nothing there",
        ),
        Change(
            "it is in a vlan", (f"{NET}vlan/**",), devices=nic(inner="<vlan><tag id='42'/></vlan>"), why="vlan tag not supported"
        ),
        Change(
            "it has a port profile",
            (f"{NET}virtualport/**",),
            devices=nic(inner="<virtualport type='openvswitch'/>"),
            why="not supported for network",
        ),
        Change(
            "it is limited",
            (f"{NET}bandwidth/**",),
            devices=nic(inner="<bandwidth><inbound average='1000'/></bandwidth>"),
            why="tc ",
            depends=True,
        ),
    ),
)


def screen(attributes: str, period: int = 0) -> str:
    stats = f"<stats period='{period}'/>" if period else ""
    return f"<graphics type='vnc' {attributes}/><memballoon model='virtio'>{stats}</memballoon>"


UNTIL = "passwd='two' passwdValidTo='2039-01-01T00:00:00'"
SCREEN = Story(
    start(devices=screen("passwd='one'")),
    (
        Change(
            "another password",
            ("devices/graphics/@passwd",),
            devices=screen("passwd='two'"),
            shows=("devices/graphics[@passwd='two']",),
        ),
        Change(
            "it ends",
            ("devices/graphics/@passwdValidTo",),
            devices=screen(UNTIL),
            shows=("devices/graphics[@passwdValidTo='2039-01-01T00:00:00']",),
        ),
        Change(
            "others are kept",
            ("devices/graphics/@connected",),
            devices=screen(UNTIL + " connected='keep'"),
            shows=("devices/graphics[@connected='keep']",),
        ),
        Change(
            "numbers are asked for",
            ("devices/memballoon/stats/**",),
            devices=screen(UNTIL + " connected='keep'", 5),
            shows=("devices/memballoon/stats[@period='5']",),
        ),
        Change(
            "another address",
            ("**",),
            devices=screen(UNTIL + " connected='keep' listen='127.0.0.2'", 5),
            why="takes effect at the next start",
        ),
    ),
)

STORIES: dict[str, Story] = {
    "words": WORDS,
    "threads": THREADED,
    "shares": TUNED,
    "nodes": NODES,
    "plugs": PLUGS,
    "refused": REFUSED,
    "memory": MEMORY,
    "media": MEDIA,
    "taps": TAPS,
    "screen": SCREEN,
}
