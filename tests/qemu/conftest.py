"""A small project in a folder, and the `vireo` command on it: what the tests on real hosts drive."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt
import pytest
import yaml

from reconciler.cli.app import run
from tests.lab import guest_image
from tests.lab.nodes import Lab
from tests.migrating import Road


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def manifest(kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "vireo/v1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


POOL = manifest("Pool", "images", {"type": "dir", "path": "/var/lib/libvirt/images/pool", "state": "active", "autostart": True})
VOLUME = manifest("Volume", "web1.qcow2", {"pool": "images", "capacity": "8MiB", "format": "qcow2"})
NETWORK = manifest(
    "Network", "lan", {"mode": "isolated", "state": "active", "addresses": [{"address": "10.7.0.1", "prefix": 24}]}
)
DOMAIN = manifest(
    "Domain",
    "web1",
    {
        "state": "running",
        "memory": "32MiB",
        "vcpus": 1,
        "autostart": False,
        "os": {"arch": "x86_64", "machine": "pc"},
        "features": ["acpi"],
        "shutdown": {"timeout": "1s", "force": True},
        "disks": [{"target": "vda", "bus": "virtio", "volume": {"pool": "images", "name": "web1.qcow2"}}],
        "interfaces": [{"network": "lan", "model": "virtio"}],
        "graphics": [{"type": "vnc"}],
    },
)


class Vireo:
    """A project of one file on one host. `manifests` may be changed; each command writes them first."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self.uri = folder, uri
        self.manifests: dict[str, dict[str, Any]] = {}
        self.project_name, self.project = "quick", dict[str, Any]()
        self.connection = libvirt.open(uri)

    def add(self, *manifests: dict[str, Any]) -> None:
        for entry in manifests:
            self.manifests[f"{entry['kind']}/{entry['metadata']['name']}"] = copy.deepcopy(entry)

    def spec(self, name: str) -> dict[str, Any]:
        spec: dict[str, Any] = self.manifests[name]["spec"]
        return spec

    def __call__(self, *argv: str) -> Result:
        """Runs `vireo COMMAND FOLDER OPTIONS...` in this process."""
        text = yaml.safe_dump_all([manifest("Project", self.project_name, self.project), *self.manifests.values()])
        (self.folder / "project.yaml").write_text(text)
        out, err = io.StringIO(), io.StringIO()
        command, *rest = argv
        paths = [] if "--plan" in rest else [str(self.folder)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*command.split(), *paths, *rest, *([] if "--plan" in rest else ["-c", self.uri])])
        return Result(code, out.getvalue(), err.getvalue())

    def plan(self, *options: str) -> Any:
        result = self("plan", "-o", "json", *options)
        assert result.code == 0, result.err
        return result.json

    def apply(self, *options: str, code: int = 0) -> Result:
        result = self("apply", "--yes", *options)
        assert result.code == code, f"exit {result.code}\n{result.out}\n{result.err}"
        return result

    def resource(self, name: str, *options: str) -> Any:
        kind, _, short = name.partition("/")
        return next(r for r in self.plan(*options)["resources"] if (r["kind"], r["name"]) == (kind, short))

    def assert_in_sync(self) -> None:
        """The plan has no action, and everything is in sync."""
        plan = self.plan()
        assert plan["actions"] == []
        assert {r["status"] for r in plan["resources"]} == {"in-sync"}, json.dumps(plan["resources"], indent=1)

    def domain(self, name: str = "web1") -> libvirt.virDomain:
        return self.connection.lookupByName(name)


@pytest.fixture
def vireo(tmp_path: Path, host_uri: str) -> Any:
    """An empty project on a clean real host."""
    folder = tmp_path / "project"
    folder.mkdir()
    project = Vireo(folder, host_uri)
    yield project
    project.connection.close()


@pytest.fixture
def quick(vireo: Vireo) -> Vireo:
    """A pool, a volume, a network and a running domain, applied."""
    vireo.add(POOL, VOLUME, NETWORK, DOMAIN)
    vireo.apply()
    return vireo


@pytest.fixture(scope="session")
def helpful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk image whose guest releases devices and gives memory back when it is asked to."""
    return guest_image.build(tmp_path_factory.mktemp("guest") / "helpful.img", source="helpful.S")


# --- two hosts ------------------------------------------------------------------------------------------------


@pytest.fixture
def road(lab: Lab) -> Iterator[Road]:
    """The lab's first two hosts, emptied, for one guest that moves between them."""
    with Road.between(lab) as road:
        yield road


@pytest.fixture(scope="module")
def long_road(lab: Lab) -> Iterator[Road]:
    """The same for all tests of a module, in which one guest goes to and fro."""
    with Road.between(lab) as road:
        yield road


@pytest.fixture(scope="session")
def dirty_guest_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk image whose guest writes to 4 MiB of its memory without rest: on a slow line it never gets through."""
    return guest_image.build(tmp_path_factory.mktemp("guest") / "dirty.img", dirty=4 << 20)
