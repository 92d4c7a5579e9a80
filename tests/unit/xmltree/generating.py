"""Documents for hypothesis: domains and networks as manifests declare them, and as libvirt gives them back."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from reconciler.xmltree.document import Element, parse, serialize

UUID = "11111111-2222-4333-8444-555555555555"
MAC = "52:54:00:00:00:{:02x}"
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
TARGETS = {"virtio": "vd", "scsi": "sd", "ide": "hd", "usb": "sd", "sata": "sd"}


def _maybe(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *texts])


def _some(texts: list[str], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(texts), max_size=most, unique=True).map("".join)


@st.composite
def disk(draw: Any, letter: str) -> str:
    bus = draw(st.sampled_from(sorted(TARGETS)))
    form, source = draw(
        st.sampled_from(
            [
                ("file", "<source file='/a'/>"),
                ("file", "<source file='/b' startupPolicy='optional'/>"),
                ("block", "<source dev='/dev/x'/>"),
                ("volume", "<source pool='p' volume='v'/>"),
                ("network", "<source protocol='rbd' name='i'><host name='m1'/><host name='m2'/></source>"),
                ("network", "<source protocol='nbd' name='i'><host name='m1' port='10809'/></source>"),
                ("file", ""),
            ]
        )
    )
    device = draw(st.sampled_from(["disk", "cdrom"])) if source else "cdrom"
    driver = draw(_maybe("<driver name='qemu' type='raw'/>", "<driver name='qemu' type='qcow2' cache='none' discard='unmap'/>"))
    more = draw(
        _some(["<readonly/>", "<shareable/>", "<iotune><total_iops_sec>10</total_iops_sec></iotune>", "<serial>s</serial>"])
    )
    return (
        f"<disk type='{form}' device='{device}'>{driver}{source}<target dev='{TARGETS[bus]}{letter}' bus='{bus}'/>{more}</disk>"
    )


@st.composite
def nic(draw: Any, number: int) -> str:
    form, source = draw(
        st.sampled_from(
            [
                ("network", "<source network='a'/>"),
                ("network", "<source network='b'/>"),
                ("bridge", "<source bridge='br'/>"),
                ("user", ""),
            ]
        )
    )
    model = draw(_maybe("<model type='virtio'/>", "<model type='e1000'/>"))
    more = draw(_some(["<link state='down'/>", "<mtu size='9000'/>", "<vlan><tag id='5'/><tag id='6'/></vlan>"]))
    return f"<interface type='{form}'><mac address='{MAC.format(number)}'/>{source}{model}{more}</interface>"


OTHERS = [
    "<graphics type='vnc' port='-1' autoport='yes'/>",
    "<graphics type='spice' autoport='yes'><listen type='address' address='127.0.0.1'/></graphics>",
    "<video><model type='vga'/></video>",
    "<video><model type='qxl' ram='65536'/></video>",
    "<sound model='ich9'><codec type='micro'/></sound>",
    "<serial type='pty'><target port='0'/></serial>",
    "<serial type='file'><source path='/x'/></serial>",
    "<console type='pty'><target type='virtio'/></console>",
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "<rng model='virtio'><backend model='builtin'/></rng>",
    "<watchdog model='i6300esb' action='reset'/>",
    "<memballoon model='virtio'><stats period='10'/></memballoon>",
    "<controller type='scsi' index='0' model='virtio-scsi'/>",
    "<controller type='usb' index='0' model='qemu-xhci'/>",
    "<input type='tablet' bus='usb'/>",
    "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='3' slot='10' function='0'/></source></hostdev>",
    "<filesystem type='mount'><source dir='/srv'/><target dir='share'/></filesystem>",
    "<redirdev bus='usb' type='tcp'><source mode='connect' host='h' service='1'/></redirdev>",
]
TOP = [
    "<title>t</title>",
    "<description>a &amp; b</description>",
    "<metadata><a:x xmlns:a='urn:a'><a:y>1</a:y></a:x></metadata>",
    "<currentMemory unit='MiB'>32</currentMemory>",
    "<vcpu placement='static' cpuset='0-3,^1' current='1'>2</vcpu>",
    "<cpu mode='host-model'><topology sockets='1' cores='2' threads='1'/><feature policy='require' name='vmx'/></cpu>",
    "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>",
    "<clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='pit'/></clock>",
    "<features><acpi/><apic eoi='on'/></features>",
    "<features><acpi/><hyperv mode='custom'><relaxed state='on'/></hyperv></features>",
    "<on_crash>restart</on_crash>",
    "<cputune><shares>5</shares><vcpupin vcpu='0' cpuset='0,1'/><vcpupin vcpu='1' cpuset='1'/></cputune>",
    "<memtune><hard_limit unit='GiB'>1</hard_limit></memtune>",
    "<sysinfo type='smbios'><system><entry name='serial'>1</entry><entry name='product'>2</entry></system></sysinfo>",
    f"<qemu:commandline xmlns:qemu='{QEMU}'><qemu:arg value='-a'/><qemu:arg value='-a'/></qemu:commandline>",
    "<seclabel type='none' model='dac'/>",
]


def _named(text: str) -> str:
    return text[1:].split(" ", 1)[0].split(">", 1)[0].rstrip("/")


def _once(texts: list[str]) -> str:
    """At most one element of each name."""
    return "".join({_named(text): text for text in texts}.values())


@st.composite
def domains(draw: Any) -> str:
    """A domain as a manifest declares it: settled, without what libvirt generates."""
    memory = draw(
        st.sampled_from(["<memory unit='MiB'>64</memory>", "<memory>65536</memory>", "<memory unit='b'>104857601</memory>"])
    )
    boot = draw(_maybe("<boot dev='hd'/>", "<boot dev='cdrom'/><boot dev='hd'/>"))
    machine = draw(st.sampled_from(["pc-i440fx-7.2", "pc-i440fx-6.2", "pc-q35-7.2"]))
    top = _once(draw(st.lists(st.sampled_from(TOP), max_size=5, unique=True)))
    letters = draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True))
    numbers = draw(st.lists(st.integers(1, 5), max_size=3, unique=True))
    devices = [draw(disk(letter)) for letter in letters] + [draw(nic(number)) for number in numbers]
    devices += draw(st.lists(st.sampled_from(OTHERS), max_size=6, unique=True).map(lambda some: [_once(some)]))
    return (
        f"<domain type='qemu'><name>d</name><uuid>{UUID}</uuid>{memory}"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type>{boot}</os>"
        f"{top}<devices>{''.join(draw(st.permutations(devices)))}</devices></domain>"
    )


def generated(text: str) -> str:
    """What libvirt makes of a declared domain: the same, with addresses, aliases and devices of its own."""
    root = parse(text)
    devices = root.find("devices")
    assert devices is not None
    for number, device in enumerate(devices):
        if device.find("address") is None and device.tag not in {"graphics", "console"}:
            device.append(parse(f"<address type='pci' domain='0x0000' bus='0x00' slot='0x{number + 3:02x}' function='0x0'/>"))
    for own in (
        "<emulator>/usr/bin/qemu</emulator>",
        "<controller type='pci' index='0' model='pci-root'/>",
        "<input type='mouse' bus='ps2'/>",
    ):
        devices.append(parse(own))
    for name, own in (("memballoon", "<memballoon model='virtio'/>"), ("audio", "<audio id='1' type='none'/>")):
        if devices.find(name) is None:
            devices.append(parse(own))
    for name, own in (
        ("on_poweroff", "<on_poweroff>destroy</on_poweroff>"),
        ("resource", "<resource><partition>/m</partition></resource>"),
    ):
        if root.find(name) is None:
            root.append(parse(own))
    _metadata(root).append(parse("<other:tool xmlns:other='urn:other'>mine</other:tool>"))
    return serialize(root)


def _metadata(root: Element) -> Element:
    found = root.find("metadata")
    if found is None:
        found = parse("<metadata/>")
        root.append(found)
    return found


@st.composite
def networks(draw: Any) -> str:
    """A network as a manifest declares it."""
    forward = draw(
        _maybe("<forward mode='nat'/>", "<forward mode='nat' dev='eth0'/>", "<forward mode='route'/>", "<forward mode='bridge'/>")
    )
    hosts = draw(st.lists(st.integers(1, 6), max_size=4, unique=True))
    entries = "".join(f"<host mac='{MAC.format(n)}' name='h{n}' ip='10.0.0.{n + 10}'/>" for n in hosts)
    dhcp = draw(_maybe(f"<dhcp><range start='10.0.0.100' end='10.0.0.200'/>{entries}</dhcp>", f"<dhcp>{entries}</dhcp>"))
    six = draw(_maybe("<ip family='ipv6' address='FD00::1' prefix='64'/>"))
    bridge = draw(_maybe("<bridge name='br7'/>", "<bridge name='br7' stp='off' delay='2'/>"))
    more = _once(
        draw(
            st.lists(
                st.sampled_from(
                    [
                        "<mtu size='9000'/>",
                        "<domain name='lan' localOnly='yes'/>",
                        "<dns><host ip='10.0.0.11'><hostname>a</hostname></host><txt name='t' value='v'/></dns>",
                        "<dns><forwarder addr='1.1.1.1'/><forwarder domain='x' addr='2.2.2.2'/></dns>",
                        "<route address='10.9.0.0' prefix='24' gateway='10.0.0.2'/>",
                        "<portgroup name='a' default='yes'><vlan><tag id='5'/></vlan></portgroup>",
                        "<bandwidth><inbound average='1000'/></bandwidth>",
                        "<metadata><a:x xmlns:a='urn:a'>1</a:x></metadata>",
                    ]
                ),
                max_size=4,
                unique=True,
            )
        )
    )
    return (
        f"<network><name>d</name><uuid>{UUID}</uuid>{forward}{bridge}{more}"
        f"<ip address='10.0.0.1' prefix='24'>{dhcp}</ip>{six}</network>"
    )


def given_back(text: str) -> str:
    """What libvirt makes of a declared network."""
    root = deepcopy(parse(text))
    forward = root.find("forward")
    if forward is None or forward.get("mode") != "bridge":
        bridge = root.find("bridge")
        if bridge is None:
            bridge = parse("<bridge name='virbr0'/>")
            root.append(bridge)
        for name, value in (("stp", "on"), ("delay", "0")):
            if name not in bridge.attrib:
                bridge.set(name, value)
        root.append(parse("<mac address='52:54:00:ff:00:01'/>"))
    if forward is not None and forward.get("dev"):
        forward.append(parse(f"<interface dev='{forward.get('dev')}'/>"))
    _metadata(root).append(parse("<other:tool xmlns:other='urn:other'>mine</other:tool>"))
    return serialize(root)
