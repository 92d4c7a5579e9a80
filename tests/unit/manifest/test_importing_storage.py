"""What an import says of volumes, pools and networks: what somebody has chosen, and nothing that only is so."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.manifest.importing import network, pool, volume
from reconciler.manifest.importing.table import read
from reconciler.xmltree.document import parse

FILE = "/srv/images/web1.img"
VOLUME = """<volume type='{type}'><name>web1.img</name><capacity unit='bytes'>8388608</capacity>
<allocation unit='bytes'>{full}</allocation><physical unit='bytes'>8388608</physical>
<target><path>/srv/images/web1.img</path><format type='raw'/>
<permissions><mode>{mode}</mode><owner>{owner}</owner><group>0</group><label>system_u:object_r:virt_image_t:s0</label></permissions>
</target>{more}</volume>"""
POOL = """<pool type='dir'><name>p</name><capacity unit='bytes'>{size}</capacity><source/><target><path>/srv/p</path>
<permissions><mode>{mode}</mode><owner>0</owner><group>0</group></permissions></target></pool>"""


def of_volume(*, used: tuple[str, ...] = (), **values: Any) -> dict[str, Any]:
    text = VOLUME.format(**{"type": "file", "full": 4096, "mode": "0600", "owner": 0, "more": ""} | values)
    return read(parse(volume.ungenerated(text, used)), volume.table("images", {}))


def of_network(inner: str, *, live: bool = False) -> dict[str, Any]:
    text = f"<network><name>n</name>{inner}</network>"
    return read(parse(network.ungenerated(text, live=live)), network.TABLE)


@pytest.mark.parametrize(
    "values, said",
    [
        ({"full": 8388608}, {"preallocate": "full"}),
        ({"full": 8392704}, {"preallocate": "full"}),
        ({"full": 8388607}, {}),
        ({"full": 8388608, "type": "block"}, {}),
        ({"full": 8388608, "more": "<backingStore><path>/b</path><format type='raw'/></backingStore>"}, {}),
    ],
)
def test_only_a_file_that_has_all_of_its_space_is_said_to_have_it(values: dict[str, Any], said: dict[str, str]) -> None:
    found = of_volume(**values)
    assert {name: found[name] for name in ("preallocate",) if name in found} == said


@pytest.mark.parametrize(
    "values, said",
    [
        ({}, None),
        ({"mode": "600"}, None),
        ({"mode": "0644"}, {"mode": "0644"}),
        ({"owner": 1000}, {"owner": 1000}),
        ({"owner": 64055, "mode": "0640", "used": (FILE,)}, {"mode": "0640"}),
        ({"owner": 64055, "used": (FILE,)}, None),
    ],
)
def test_whose_a_file_is_is_said_unless_a_running_guest_has_it(values: dict[str, Any], said: dict[str, Any] | None) -> None:
    assert of_volume(**values).get("permissions") == said


def test_the_files_of_running_guests_are_found_by_path_by_volume_and_below_other_files() -> None:
    disks = (
        "<disk type='file'><source file='/a.qcow2'/><backingStore><source file='/base.qcow2'/></backingStore></disk>"
        "<disk type='volume'><source pool='images' volume='web1.img'/></disk><disk type='block'><source dev='/dev/vg/x'/></disk>"
        "<disk type='file' device='cdrom'/>"
    )
    running = (f"<domain><devices>{disks}</devices></domain>", None, "<network><forward/></network>")
    found = volume.files_in_use(running, {FILE: ("images", "web1.img"), "/other": ("images", "other")})
    assert found == {"/a.qcow2", "/base.qcow2", FILE, "/dev/vg/x"}


@pytest.mark.parametrize(
    "size, mode, said",
    [(0, "0711", {"mode": "0711", "owner": 0, "group": 0}), (4096, "0711", None), (4096, "0750", {"mode": "0750"})],
)
def test_the_rights_of_a_usual_folder_are_said_only_if_libvirt_has_not_looked_at_it(
    size: int, mode: str, said: dict[str, Any] | None
) -> None:
    found = read(parse(pool.ungenerated(POOL.format(size=size, mode=mode))), pool.TABLE).get("permissions")
    assert found == said or (said is not None and found is not None and said.items() <= found.items())


def test_the_usual_range_of_ports_is_said_where_somebody_has_written_it() -> None:
    forward = "<forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>"
    assert of_network(forward)["nat"] == {"ports": {"start": 1024, "end": 65535}}
    assert "nat" not in of_network(forward, live=True)


@pytest.mark.parametrize(
    "lease, said",
    [
        ("expiry='2' unit='hours'", "2h"),
        ("expiry='90' unit='minutes'", "90m"),
        ("expiry='90'", "90m"),
        ("expiry='7200' unit='seconds'", "7200s"),
        ("expiry='0' unit='hours'", "0s"),
    ],
)
def test_a_lease_is_said_in_its_own_unit(lease: str, said: str) -> None:
    [address] = of_network(
        f"<ip address='10.0.0.1'><dhcp><range start='10.0.0.2' end='10.0.0.9'><lease {lease}/></range></dhcp></ip>"
    )["addresses"]
    assert address["dhcp"]["ranges"] == [{"start": "10.0.0.2", "end": "10.0.0.9", "lease": said}]
