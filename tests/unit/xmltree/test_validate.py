"""What libvirt's schemas refuse is told with the element that is guilty, not with the root of the document."""

from __future__ import annotations

import pytest

from reconciler.xmltree import validate

GUEST = "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os>{}<devices>{}</devices></domain>"


@pytest.mark.parametrize(
    "inner, devices, guilty",
    [
        ("<nonsense/>", "", "<nonsense> in <domain>"),
        ("<on_crash>sometimes</on_crash>", "", "<on_crash> in <domain>"),
        ("", "<watchdogs model='x'/>", "<watchdogs> in <devices>"),
        ("<numatune><memory mode='strict' nodeset='0'/><wrong/></numatune>", "", "<wrong> in <numatune>"),
        ("", "<disk type='file'><target dev='vda'/><bad/></disk>", "<disk>"),
    ],
)
def test_the_guilty_element_is_named(inner: str, devices: str, guilty: str) -> None:
    (found,) = validate.problems(GUEST.format(inner, devices), "domain.rng")
    assert found.startswith(f"libvirt's schema refuses {guilty}: ")
    assert "Element domain failed" not in found


def test_two_guilty_elements_are_one_problem_of_what_they_are_in() -> None:
    (found,) = validate.problems(GUEST.format("<nonsense/><more/>", ""), "domain.rng")
    assert found.startswith("libvirt's schema refuses <domain>: ")


def test_a_good_document_has_no_problem() -> None:
    assert validate.problems(GUEST.format("", ""), "domain.rng") == []
