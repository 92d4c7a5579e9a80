"""What libvirt would refuse or quietly change can be known without a host: it is a problem at the field that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

Problems: TypeAlias = Callable[..., list[str]]


def guest(spec: str) -> str:
    return f"apiVersion: vireo/v1\nkind: Domain\nmetadata: {{name: x}}\nspec:\n  {spec}\n"


@pytest.mark.parametrize(
    "spec, problem",
    [
        (
            "memory: {size: 64MiB, max: 32MiB}",
            'm.yaml:5:12: spec.memory.size: 64MiB is more than its "max", which is 32MiB (raise max, or lower size)',
        ),
        (
            "memory: {max: 1GiB, size: 2GB}",
            'm.yaml:5:23: spec.memory.size: 2GB is more than its "max", which is 1GiB (raise max, or lower size)',
        ),
        (
            "memory: 64MiB\n  vcpus: {count: 4, max: 2}",
            'm.yaml:6:11: spec.vcpus.count: 4 is more than its "max", which is 2 (raise max, or lower count)',
        ),
        ("memory: 0MiB", 'm.yaml:5:3: spec.memory: "0MiB" is nothing; a guest needs some'),
        ("memory: {size: 0MiB, max: 1GiB}", 'm.yaml:5:12: spec.memory.size: "0MiB" is nothing; a guest needs some'),
        ("memory: {size: 1MiB, max: 0.0GiB}", 'm.yaml:5:24: spec.memory.max: "0.0GiB" is nothing; a guest needs some'),
        (
            "memory: 64MiB\n  graphics: [{type: vnc, password: ninechars}]",
            "m.yaml:6:26: spec.graphics[0].password: VNC takes at most 8 characters",
        ),
        (
            "memory: 64MiB\n  persistent: false\n  state: stopped",
            "m.yaml:7:3: spec.state: a transient domain (persistent: false) is running, paused or undefined: ",
        ),
        (
            "memory: 64MiB\n  persistent: false\n  state: saved",
            "m.yaml:7:3: spec.state: a transient domain (persistent: false) is running, paused or undefined: ",
        ),
    ],
)
def test_what_libvirt_would_refuse_or_change_is_named_at_its_place(problems: Problems, spec: str, problem: str) -> None:
    found = problems(guest(spec))
    assert [one[: len(problem)] for one in found] == [problem]
    assert "ninechars" not in found[0]


@pytest.mark.parametrize(
    "spec",
    [
        "memory: {size: 64MiB, max: 64MiB}",
        "memory: {size: 1GB, max: 1GiB}",
        "memory: 64MiB\n  vcpus: {count: 2, max: 2}",
        "memory: 64MiB\n  graphics: [{type: vnc, password: eightchr}]",
        "memory: 64MiB\n  graphics: [{type: spice, password: as long as one likes}]",
        "memory: 64MiB\n  persistent: false\n  state: paused",
        "memory: 64MiB\n  persistent: false",
        "memory: 64MiB\n  state: saved",
    ],
)
def test_what_libvirt_takes_is_no_problem(problems: Problems, spec: str) -> None:
    assert problems(guest(spec)) == []


def test_a_wrong_quantity_is_told_once_and_not_measured_against_its_limit(problems: Problems) -> None:
    (found,) = problems(guest("memory: {size: 64MB?, max: 32MiB}"))
    assert "is not a quantity" in found
