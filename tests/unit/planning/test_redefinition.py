"""What a redefinition hands to libvirt. The hosts' texts are in the form in which libvirt 9.0 gives such a definition back."""

from __future__ import annotations

import pytest

from reconciler.kinds import KINDS
from reconciler.planning.identity import settle
from reconciler.xmltree.document import Element, parse
from reconciler.xmltree.merge import overlay
from tests.unit.planning.building import DISK, UUID, domain, network, nic, paths, redefined, settling

ADDRESS = "<address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/>"
HOST = {"uuid": UUID, "machine": "pc-i440fx-7.2"}


def result(now: str, host: str, before: str | None = None, kind: str = "Domain") -> Element:
    return parse(redefined(now, host, before, kind))


def attributes(element: Element, path: str) -> dict[str, str]:
    found = element.find(path)
    assert found is not None, path
    return {str(name): str(value) for name, value in found.attrib.items()}


# --- what several elements say together -----------------------------------------------------------------------


def test_a_new_cpu_mode_leaves_nothing_of_the_old_one() -> None:
    host = domain("<cpu mode='host-model' check='partial'><feature policy='require' name='vmx'/></cpu>", **HOST)
    found = result(
        domain("<cpu mode='custom' match='exact'><model>qemu64</model></cpu>"), host, domain("<cpu mode='host-model'/>")
    )
    assert attributes(found, "cpu") == {"mode": "custom", "match": "exact"}
    assert [child.tag for child in found.iterfind("cpu/*")] == ["model"]
    host = domain("<cpu mode='host-passthrough' check='none' migratable='on'/>", **HOST)
    assert attributes(result(domain("<cpu mode='maximum'/>"), host, domain("<cpu mode='host-passthrough'/>")), "cpu") == {
        "mode": "maximum"
    }


def test_a_topology_that_others_gave_survives_a_new_cpu_mode() -> None:
    host = domain("<cpu mode='host-model' check='partial'><topology sockets='1' cores='2' threads='1'/></cpu>", **HOST)
    found = result(domain("<cpu mode='maximum'/>"), host, domain("<cpu mode='host-model'/>"))
    assert found.find("cpu/topology") is not None


def test_a_declared_port_is_not_overruled_by_the_automatic_one() -> None:
    host = domain(devices="<graphics type='vnc' port='-1' autoport='yes'><listen type='address'/></graphics>", **HOST)
    before, now = domain(devices="<graphics type='vnc'/>"), domain(devices="<graphics type='vnc' port='5901'/>")
    assert attributes(result(now, host, before), "devices/graphics") == {"type": "vnc", "port": "5901"}


def test_a_port_that_left_the_manifest_is_automatic_again() -> None:
    host = domain(devices="<graphics type='vnc' port='5901' autoport='no'><listen type='address'/></graphics>", **HOST)
    before, now = domain(devices="<graphics type='vnc' port='5901'/>"), domain(devices="<graphics type='vnc'/>")
    assert attributes(result(now, host, before), "devices/graphics") == {"type": "vnc"}


@pytest.mark.parametrize(
    "listening, attribute, elements",
    [
        ("<graphics type='vnc' listen='0.0.0.0'/>", "0.0.0.0", []),  # noqa: S104
        ("<graphics type='vnc'><listen type='address' address='0.0.0.0'/></graphics>", None, ["0.0.0.0"]),  # noqa: S104
        ("<graphics type='vnc'><listen type='socket' socket='/s'/></graphics>", None, [None]),
        ("<graphics type='vnc'/>", None, []),
    ],
)
def test_a_listen_address_is_said_once_as_it_is_declared(
    listening: str, attribute: str | None, elements: list[str | None]
) -> None:
    host = domain(
        devices="<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'>"
        "<listen type='address' address='127.0.0.1'/></graphics>",
        **HOST,
    )
    found = result(domain(devices=listening), host, domain(devices="<graphics type='vnc' listen='127.0.0.1'/>"))
    assert attributes(found, "devices/graphics").get("listen") == attribute
    assert [each.get("address") for each in found.iterfind("devices/graphics/listen")] == elements


def test_boot_order_of_devices_and_of_the_machine_exclude_each_other() -> None:
    ordered = DISK.replace("</disk>", "<boot order='1'/></disk>")
    found = result(domain(devices=ordered), domain(os="<boot dev='hd'/>", devices=DISK, **HOST), domain(devices=DISK))
    assert found.find("os/boot") is None
    found = result(domain(os="<boot dev='hd'/>", devices=DISK), domain(devices=ordered, **HOST), domain(devices=DISK))
    assert found.find("devices/disk/boot") is None


MIRROR = (
    "<serial type='pty'><target type='isa-serial' port='0'><model name='isa-serial'/></target></serial>"
    "<console type='pty'><target type='serial' port='0'/></console>"
)


def test_a_serial_port_that_left_the_manifest_does_not_come_back_through_its_console() -> None:
    found = result(domain(), domain(devices=MIRROR, **HOST), domain(devices="<serial type='pty'/>"))
    assert [each.tag for each in found.iterfind("devices/*")] == []


def test_a_console_that_left_the_manifest_takes_its_serial_port_along() -> None:
    found = result(domain(), domain(devices=MIRROR, **HOST), domain(devices="<console type='pty'/>"))
    assert [each.tag for each in found.iterfind("devices/*")] == []


def test_a_serial_port_and_console_that_nobody_declared_stay() -> None:
    found = result(domain(), domain(devices=MIRROR, **HOST), domain())
    assert [each.tag for each in found.iterfind("devices/*")] == ["serial", "console"]


def test_a_virtio_console_is_not_mistaken_for_the_serial_one() -> None:
    virtio = "<console type='pty'><target type='virtio'/></console>"
    now = domain(devices=f"<serial type='pty'/>{virtio}")
    host = domain(devices=f"{MIRROR}<console type='pty'><target type='virtio' port='1'/></console>", **HOST)
    assert paths(now, host, now) == []
    found = result(domain(devices=virtio), host, now)
    assert [part.get("type") for part in found.iterfind("devices/console/target")] == ["virtio"]
    assert found.find("devices/serial") is None


def test_the_sound_backend_of_spice_goes_with_spice() -> None:
    spice = "<graphics type='spice' autoport='yes'/>"
    host = domain(devices=f"{spice}<audio id='1' type='spice'/>", **HOST)
    assert result(domain(), host, domain(devices=spice)).find("devices/audio") is None
    declared = "<audio id='1' type='spice'/>"
    assert result(domain(devices=declared), host, domain(devices=spice + declared)).find("devices/audio") is not None
    other = domain(devices=f"{spice}<audio id='1' type='none'/>", **HOST)
    assert result(domain(), other, domain(devices=spice)).find("devices/audio") is not None


def test_another_random_source_leaves_nothing_of_the_old_one() -> None:
    old = "<rng model='virtio'><backend model='random'>/dev/urandom</backend>%s</rng>"
    now = "<rng model='virtio'><backend model='builtin'/></rng>"
    found = result(domain(devices=now), domain(devices=old % ADDRESS, **HOST), domain(devices=old % ""))
    assert found.findtext("devices/rng/backend") == ""
    assert found.find("devices/rng/address") is not None


def test_another_graphics_card_does_not_keep_the_memory_of_the_old_one() -> None:
    host = domain(
        devices=f"<video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='1' primary='yes'/>{ADDRESS}</video>",
        **HOST,
    )
    before, now = domain(devices="<video><model type='qxl'/></video>"), domain(devices="<video><model type='vga'/></video>")
    found = result(now, host, before)
    assert attributes(found, "devices/video/model") == {"type": "vga"}
    assert found.find("devices/video/address") is not None


# --- what others put there ------------------------------------------------------------------------------------


def test_metadata_of_other_tools_stays_when_ours_leaves_the_manifest() -> None:
    host = domain("<metadata><a:x xmlns:a='urn:a'>1</a:x><b:y xmlns:b='urn:b'>2</b:y></metadata>", **HOST)
    found = result(domain(), host, domain("<metadata><a:x xmlns:a='urn:a'>1</a:x></metadata>"))
    assert [child.tag for child in found.iterfind("metadata/*")] == ["{urn:b}y"]


def test_features_that_others_gave_stay_when_ours_leave_the_manifest() -> None:
    host = domain("<features><acpi/><apic/><gic version='3'/></features>", **HOST)
    found = result(domain(), host, domain("<features><acpi/><apic/></features>"))
    assert [child.tag for child in found.iterfind("features/*")] == ["gic"]


def test_a_feature_that_left_the_manifest_goes_alone() -> None:
    host = domain("<features><acpi/><apic/><pae/></features>", **HOST)
    before, now = domain("<features><acpi/><pae/></features>"), domain("<features><pae/></features>")
    assert paths(now, host, before) == ["features/acpi"]
    assert [child.tag for child in result(now, host, before).iterfind("features/*")] == ["apic", "pae"]


def test_devices_that_nobody_declared_and_that_are_no_owned_collection_stay() -> None:
    own = "<controller type='usb' index='0' model='piix3-uhci'/><input type='mouse' bus='ps2'/><memballoon model='virtio'/>"
    found = result(domain(devices=DISK), domain(devices=own + DISK, **HOST), domain(devices=DISK))
    assert [each.tag for each in found.iterfind("devices/*")] == ["controller", "input", "memballoon", "disk"]


def test_declared_values_win_over_drift_and_undeclared_ones_stay() -> None:
    host = domain("<title>hand-made</title><on_crash>preserve</on_crash>", **HOST)
    found = result(domain("<on_crash>restart</on_crash>"), host, domain("<on_crash>restart</on_crash>"))
    assert (found.findtext("title"), found.findtext("on_crash")) == ("hand-made", "restart")


# --- devices that move ----------------------------------------------------------------------------------------


def test_a_disk_on_another_bus_gets_a_new_address() -> None:
    host = domain(devices=DISK.replace("</disk>", f"{ADDRESS}</disk>"), **HOST)
    found = result(domain(devices=DISK.replace("virtio", "sata")), host, domain(devices=DISK))
    assert found.find("devices/disk/address") is None
    assert result(domain(devices=DISK), host, domain(devices=DISK)).find("devices/disk/address") is not None


def test_a_disk_that_becomes_a_volume_keeps_its_place_and_nothing_of_the_file() -> None:
    host = domain(devices=DISK.replace("</disk>", f"<alias name='ua-x'/>{ADDRESS}</disk>"), **HOST)
    now = "<disk type='volume' device='disk'><source pool='p' volume='v'/><target dev='vda' bus='virtio'/></disk>"
    found = result(domain(devices=now), host, domain(devices=DISK))
    assert attributes(found, "devices/disk/source") == {"pool": "p", "volume": "v"}
    assert found.find("devices/disk/address") is not None
    assert attributes(found, "devices/disk/alias") == {"name": "ua-x"}


def test_an_interface_on_a_bridge_instead_of_a_network_stays_the_same_card() -> None:
    mac = "52:54:00:00:00:09"
    host = domain(devices=nic("a", mac=mac).replace("</interface>", f"{ADDRESS}</interface>"), **HOST)
    now = domain(devices="<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>")
    found = result(now, host, domain(devices=nic("a", mac=mac)))
    assert attributes(found, "devices/interface/mac") == {"address": mac}
    assert attributes(found, "devices/interface/source") == {"bridge": "br0"}
    assert found.find("devices/interface/address") is not None


def test_another_chipset_takes_generated_controllers_and_addresses_away_and_declared_ones_stay() -> None:
    controllers = (
        "<controller type='pci' index='0' model='pci-root'/><controller type='scsi' index='0' model='virtio-scsi'>%s</controller>"
    )
    host = domain(devices=controllers % ADDRESS + DISK.replace("</disk>", f"{ADDRESS}</disk>"), **HOST)
    declared = "<controller type='scsi' index='0' model='virtio-scsi'/>" + DISK
    found = result(domain(devices=declared, machine="q35"), host, domain(devices=declared))
    assert attributes(found, "os/type")["machine"] == "pc-q35-7.2"
    assert [each.get("type") for each in found.iterfind("devices/controller")] == ["scsi"]
    assert found.find(".//address") is None


def test_another_version_of_the_chipset_keeps_every_address() -> None:
    host = domain(devices=DISK.replace("</disk>", f"{ADDRESS}</disk>"), uuid=UUID, machine="pc-i440fx-6.2")
    found = result(domain(devices=DISK, machine="pc-i440fx-7.2"), host, domain(devices=DISK))
    assert found.find("devices/disk/address") is not None


def test_scheduler_settings_for_several_processors_are_one_element_each_as_libvirt_keeps_them() -> None:
    tune = "<cputune><vcpusched vcpus='%s' scheduler='fifo' priority='%s'/></cputune>"
    host = domain(tune.replace("/></", "/>" + "<vcpusched vcpus='1' scheduler='fifo' priority='1'/></") % ("0", "1"), **HOST)
    assert paths(domain(tune % ("0,1", "1")), host, domain(tune % ("0-1", "1"))) == []
    found = result(domain(tune % ("0-1", "2")), host, domain(tune % ("0-1", "1")))
    assert [(e.get("vcpus"), e.get("priority")) for e in found.iterfind("cputune/vcpusched")] == [("0", "2"), ("1", "2")]


def test_a_page_size_in_another_unit_is_the_same_page_size() -> None:
    backing = "<memoryBacking><hugepages><page size='%s' unit='%s'/></hugepages></memoryBacking>"
    host = domain(backing % (2048, "KiB"), **HOST)
    assert paths(domain(backing % (2, "M")), host, domain(backing % (2, "M"))) == []
    assert len(result(domain(backing % (2, "M")), host, domain(backing % (2, "M"))).findall(".//page")) == 1


def test_a_memory_size_keeps_no_unit_of_the_old_one() -> None:
    found = result(domain(memory="<memory>32768</memory>"), domain(memory="<memory unit='MiB'>64</memory>", **HOST), None)
    assert attributes(found, "memory") == {}


def test_arguments_of_qemu_are_replaced_in_their_order() -> None:
    line = "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>%s</qemu:commandline>"
    args = {text: "".join(f"<qemu:arg value='{each}'/>" for each in text.split()) for text in ("-a b -a c", "-a c")}
    found = result(domain(line % args["-a c"]), domain(line % args["-a b -a c"], **HOST), domain(line % args["-a b -a c"]))
    argument = "{http://libvirt.org/schemas/domain/qemu/1.0}arg"
    assert [each.get("value") for each in found.iter(argument)] == ["-a", "c"]


# --- networks -------------------------------------------------------------------------------------------------

LIBVIRTS = (
    "<forward mode='nat'/><bridge name='virbr0' stp='on' delay='0'/><mac address='52:54:00:11:22:33'/>"
    "<ip address='10.7.0.1' prefix='24'/>"
)
OURS = "<forward mode='nat'/><ip address='10.7.0.1' prefix='24'/>"


def test_a_network_on_a_bridge_of_the_host_keeps_nothing_of_libvirts_bridge() -> None:
    now = network("<forward mode='bridge'/><bridge name='br0'/>")
    found = result(now, network(LIBVIRTS, uuid=UUID), network(OURS), "Network")
    assert attributes(found, "bridge") == {"name": "br0"}
    assert (found.find("mac"), found.find("ip")) == (None, None)


def test_a_routed_network_keeps_libvirts_bridge_and_mac() -> None:
    found = result(network(OURS.replace("nat", "route")), network(LIBVIRTS, uuid=UUID), network(OURS), "Network")
    assert attributes(found, "bridge") == {"name": "virbr0", "stp": "on", "delay": "0"}
    assert found.find("mac") is not None


@pytest.mark.parametrize(
    "now, wanted", [("<forward mode='nat' dev='eth1'/>", ("eth1", [])), ("<forward mode='nat'/>", (None, []))]
)
def test_the_echo_of_a_forward_device_goes_with_it(now: str, wanted: tuple[str | None, list[str]]) -> None:
    host = network("<forward mode='nat' dev='eth0'><interface dev='eth0'/></forward>", uuid=UUID)
    found = result(network(now), host, network("<forward mode='nat' dev='eth0'/>"), "Network")
    assert (attributes(found, "forward").get("dev"), [each.get("dev") for each in found.iterfind("forward/interface")]) == wanted


def test_forward_interfaces_are_not_overruled_by_the_echo_of_the_first() -> None:
    both = "<forward mode='private'%s><interface dev='eth0'/><interface dev='eth1'/></forward>"
    found = result(
        network("<forward mode='private'><interface dev='eth1'/></forward>"),
        network(both % " dev='eth0'", uuid=UUID),
        network(both % ""),
        "Network",
    )
    assert "dev" not in attributes(found, "forward")
    assert [each.get("dev") for each in found.iterfind("forward/interface")] == ["eth1"]


def test_all_dhcp_hosts_that_left_the_manifest_go_and_others_too_where_any_is_declared() -> None:
    entry = "<host mac='52:54:00:00:00:0%s' ip='10.7.0.%s'/>"
    ip = "<ip address='10.7.0.1' prefix='24'><dhcp><range start='10.7.0.9' end='10.7.0.99'/>%s</dhcp></ip>"
    three = ip % "".join(entry % (n, n) for n in (1, 2, 3))
    host = network(three, uuid=UUID)
    assert len(result(network(ip % ""), host, network(three), "Network").findall(".//host")) == 0
    assert len(result(network(ip % ""), host, network(ip % ""), "Network").findall(".//host")) == 3
    assert len(result(network(ip % (entry % (1, 1))), host, network(ip % (entry % (1, 1))), "Network").findall(".//host")) == 1


def test_a_collection_is_whole_only_where_an_entry_of_it_is_declared() -> None:
    host_a, host_b = "<host mac='52:54:00:00:00:01' ip='10.7.0.2'/>", "<host mac='52:54:00:00:00:02' ip='10.8.0.2'/>"
    ips = "<ip address='10.7.0.1' prefix='24'><dhcp>{}</dhcp></ip><ip address='10.8.0.1' prefix='24'><dhcp>{}</dhcp></ip>"
    now, host = network(ips.format(host_a, "")), network(ips.format(host_a, host_b), uuid=UUID)
    assert paths(now, host, now, kind="Network") == []
    assert len(result(now, host, now, "Network").findall(".//host")) == 2


# --- the `xml:` field -----------------------------------------------------------------------------------------


def test_an_overlay_adds_to_the_device_with_its_key_and_keeps_the_rest() -> None:
    over = "<domain><devices><disk><target dev='vda'/><driver cache='none'/></disk><watchdog model='ib700'/></devices></domain>"
    found = parse(overlay(domain(devices=DISK), over, KINDS["Domain"].rules))
    assert attributes(found, "devices/disk/driver") == {"name": "qemu", "type": "raw", "cache": "none"}
    assert [each.tag for each in found.iterfind("devices/*")] == ["disk", "watchdog"]


def test_an_overlay_in_another_unit_replaces_the_amount_and_its_unit() -> None:
    found = parse(
        overlay(domain(memory="<memory unit='MiB'>64</memory>"), "<domain><memory>1024</memory></domain>", KINDS["Domain"].rules)
    )
    assert (found.findtext("memory"), attributes(found, "memory")) == ("1024", {})


def test_the_arguments_are_not_changed() -> None:
    texts = (domain(devices=DISK), domain(devices=DISK, **HOST), domain())
    before = tuple(texts)
    redefined(*texts)
    settle(texts[0], texts[1:], settling())
    assert texts == before


def test_a_device_that_the_overlay_adds_stands_where_the_overlay_puts_it() -> None:
    over = f"<domain><devices>{nic('a')}<disk><target dev='vda'/></disk>{DISK.replace('vda', 'vdb')}</devices></domain>"
    over = over.replace("<disk><target dev='vda'/>", DISK.replace("vda", "vdc") + "<disk><target dev='vda'/>")
    found = parse(overlay(domain(devices=DISK), over, KINDS["Domain"].rules))
    assert [target.get("dev") for target in found.iterfind("devices/disk/target")] == ["vdc", "vda", "vdb"]
