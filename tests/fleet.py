"""A project over several real hosts, the `vireo` command on it, and the one guest that counts and moves between them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler.cli.app import run
from reconciler.host import inventory
from tests.migrating import DISK, LOG, NAME, SHARED, UUID, Road

PROJECT = "fleet"
SERIAL = f"<domain><devices><serial type='file'><source path='{LOG}' append='on'/></serial></devices></domain>"


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "vireo/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def guest(**spec: Any) -> dict[str, Any]:
    """The counting guest's spec: its disk is where both nodes see it, which libvirt does not believe in the lab."""
    usual: dict[str, Any] = {
        "host": "node1",
        "uuid": UUID,
        "memory": "32MiB",
        "os": {"arch": "x86_64", "machine": "pc"},
        "type": "qemu",
        "features": ["acpi"],
        "shutdown": {"timeout": "1s", "force": True},
        "migration": {"unsafe": True},
        "disks": [{"target": "vda", "bus": "virtio", "file": f"{SHARED}/{DISK}", "format": "raw"}],
        "xml": SERIAL,
    }
    return usual | spec


@dataclass
class Fleet:
    """`resources` may be changed; each command writes them first, but for those of `written`: files that are left as they are."""

    road: Road
    folder: Path
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    project: dict[str, Any] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def over(cls, road: Road, folder: Path) -> Fleet:
        folder.mkdir()
        return cls(road, folder, hosts={session.spec.name: {"uri": session.spec.uri} for session in road.sessions.values()})

    def boot(self, image: Path, **spec: Any) -> None:
        """The guest, declared on node1, applied, and counting there."""
        shutil.copy(image, self.road.lab.images / DISK)
        self.declare(**spec)
        self.apply()
        if spec.get("state", "running") == "running":
            self.road.assert_counting(1, 0)

    def declare(self, name: str = NAME, **spec: Any) -> None:
        self.resources[f"Domain/{name}"] = document("Domain", name, guest(**spec))

    def write(self) -> None:
        documents = [document("Project", PROJECT, self.project)]
        documents += [document("Host", name, spec) for name, spec in self.hosts.items()]
        (self.folder / "project.yaml").write_text(yaml.safe_dump_all([*documents, *self.resources.values()]))

    def __call__(self, *argv: str) -> Result:
        """Runs `vireo COMMAND... FOLDER` in this process."""
        self.write()
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*argv, str(self.folder)])
        return Result(code, out.getvalue(), err.getvalue())

    def plan(self, *options: str) -> Any:
        result = self("plan", "-o", "json", *options)
        assert result.code == 0, result.err
        return result.json

    def apply(self, *options: str, code: int = 0) -> Result:
        result = self("apply", "--yes", *options)
        assert result.code == code, f"exit {result.code}\n{result.out}\n{result.err}"
        return result

    def verbs(self, *options: str) -> list[tuple[str, str, bool]]:
        """What a plan would do: verb, host, and whether it is blocked."""
        return [(a["verb"], a["host"], bool(a["blocked"])) for a in self.plan(*options)["actions"]]

    def listed(self, node: int) -> dict[str, bool]:
        """The domains in the project's inventory on a node, and whether they are pending there."""
        marks = inventory.Inventory.open(self.road.sessions[node], PROJECT).marks
        return {id_.name: mark.pending for id_, mark in marks.items() if id_.kind == "Domain"}

    def assert_in_sync(self) -> None:
        plan = self.plan()
        assert plan["actions"] == []
        assert {r["status"] for r in plan["resources"]} <= {"in-sync"}, json.dumps(plan["resources"], indent=1)
