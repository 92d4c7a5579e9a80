"""What left the manifest and is still in the running object waits for its next start; what was never in it waits for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.kinds import KINDS
from reconciler.planning.compare import leftovers
from tests.unit.planning.building import desired, domain, mark, observed, rid

ID = rid("Domain/d")
LISTEN = "devices/graphics[vnc]/listen[0]"


def screen(attributes: str = "", address: str = "") -> str:
    listen = f"<listen type='address' address='{address}'/>" if address else ""
    return domain(devices=f"<graphics type='vnc' {attributes}>{listen}</graphics>")


@pytest.mark.parametrize(
    "before, now, live, left",
    [
        (screen("keymap='de'"), screen(), screen("keymap='de'"), {"devices/graphics[vnc]/@keymap": "de"}),
        (screen("keymap='de'"), screen(), screen("keymap='fr'"), {}),
        (screen("keymap='de'"), screen("keymap='fr'"), screen("keymap='de'"), {"devices/graphics[vnc]/@keymap": "de"}),
        (screen(address="10.0.0.2"), screen(), screen(address="127.0.0.1"), {}),
        (screen(address="10.0.0.2"), screen(), screen(address="10.0.0.2"), {LISTEN: "address=10.0.0.2 type=address"}),
    ],
    ids=["it was there", "it never was", "it waits for another value", "an element that never was so", "an element"],
)
def test_only_what_the_running_object_had_is_left_over(before: str, now: str, live: str, left: dict[str, str]) -> None:
    seen = replace(observed(ID, "running", now), live=live)
    assert leftovers(KINDS["Domain"], mark(desired(ID, before)), now, seen) == left
