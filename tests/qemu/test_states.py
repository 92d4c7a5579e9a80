"""From any state to any state, by apply alone."""

from __future__ import annotations

import itertools

import pytest

from tests.qemu.conftest import DOMAIN, Vireo, manifest

STATES = ("undefined", "stopped", "running", "paused", "saved")
SMALL = manifest("Domain", "web1", {key: DOMAIN["spec"][key] for key in ("state", "memory", "vcpus", "os", "shutdown")})


@pytest.mark.parametrize("first", STATES)
def test_apply_brings_a_domain_from_this_state_to_every_other_and_back(vireo: Vireo, first: str) -> None:
    vireo.add(SMALL)
    for second in (state for state in STATES if state != first):
        for state in (first, second):
            vireo.spec("Domain/web1")["state"] = state
            vireo.apply()
            assert vireo.resource("Domain/web1")["state"] == {"desired": state, "observed": state}
            vireo.assert_in_sync()


@pytest.mark.parametrize("first, second", list(itertools.permutations(("undefined", "running", "paused"), 2)))
def test_a_transient_domain_goes_between_the_states_it_can_have(vireo: Vireo, first: str, second: str) -> None:
    vireo.add(SMALL)
    vireo.spec("Domain/web1")["persistent"] = False
    for state in (first, second):
        vireo.spec("Domain/web1")["state"] = state
        vireo.apply()
        vireo.assert_in_sync()
    if second != "undefined":
        assert not vireo.domain().isPersistent()


def test_a_transient_domain_that_ended_is_created_again(vireo: Vireo) -> None:
    vireo.add(SMALL)
    vireo.spec("Domain/web1")["persistent"] = False
    vireo.apply()
    vireo.domain().destroy()
    assert vireo("drift").code == 2
    vireo.apply()
    vireo.assert_in_sync()


def test_a_guest_that_does_not_stop_in_time_is_a_failure_unless_force_is_on(vireo: Vireo) -> None:
    vireo.add(SMALL)
    vireo.spec("Domain/web1")["shutdown"] = {"timeout": "1s", "force": False}
    vireo.apply()
    vireo.spec("Domain/web1")["state"] = "stopped"
    result = vireo.apply(code=1)
    assert "shutdown.timeout" in result.err
    assert vireo.domain().isActive()
