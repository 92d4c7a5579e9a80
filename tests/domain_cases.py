"""The golden cases of domains, and the examples, as resources: what the tests of templates and of real hosts go over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler.manifest import render, schema
from reconciler.manifest.catalogue import of
from reconciler.model.resource import ManifestSet, Resource
from reconciler.model.state import Desired, HostFacts

ROOT = Path(__file__).resolve().parent.parent
CASES = sorted(path.parent for path in ROOT.glob("tests/cases/Domain/*/manifest.yaml"))
EXAMPLES = sorted(path for path in (ROOT / "manifests").iterdir() if path.is_dir())

# A host without KVM, as the lab's nodes are.
QEMU_ONLY = dict.fromkeys(("i686", "x86_64", "aarch64"), ("qemu",))
HOST = HostFacts(name="node1", uri="qemu:///system", hypervisor="QEMU", virt_types=QEMU_ONLY)


def load(folder: Path) -> ManifestSet:
    return schema.load([str(folder)], connect=None)


def domains(manifests: ManifestSet) -> Iterator[Resource]:
    return (resource for resource in manifests.resources if resource.id.kind == "Domain")


def rendered(folder: Path, host: HostFacts = HOST) -> list[Desired]:
    """What the domains of a case or example ask for."""
    manifests = load(folder)
    found = []
    for resource in domains(manifests):
        catalogue = of(resource.id.host, manifests.resources, {})
        found.append(render.render(resource, manifests.project, host, catalogue))
    return found
