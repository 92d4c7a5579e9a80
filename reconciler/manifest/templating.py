"""One resource through its template: what the template sees, and template errors told with the template's file and line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any

import jinja2

from reconciler.errors import InvalidManifestsError, Problem
from reconciler.manifest.catalogue import Catalogue, VolumeFacts
from reconciler.manifest.files import display_name
from reconciler.manifest.image import ImageError, virtual_size
from reconciler.manifest.template import environment
from reconciler.model.resource import Project, Resource
from reconciler.model.state import HostFacts

_OFFLINE_FOLDER = "/var/lib/libvirt/images"


def fill(resource: Resource, project: Project, spec: Mapping[str, Any], facts: HostFacts, catalogue: Catalogue) -> str:
    """The text that the kind's template gives for `spec`. Raises InvalidManifestsError."""
    name = f"{resource.id.kind.lower()}.xml.j2"
    context = {
        "name": resource.id.name,
        "spec": spec,
        "metadata": {
            "name": resource.id.name,
            "labels": dict(resource.labels),
            "annotations": dict(resource.annotations),
            "protect": resource.protect,
            "adopt": resource.adopt,
        },
        "host": facts,
        "project": project.name,
        "virt_type": partial(_virt_type, facts),
        "pool_path": partial(_pool_path, catalogue),
        "pool_type": partial(_pool_type, catalogue),
        "volume_path": partial(_volume_path, catalogue),
        "volume_format": partial(_volume_format, catalogue),
        "volume_capacity": partial(_volume_capacity, catalogue),
        "file_capacity": virtual_size,
    }
    try:
        return environment(project.templates).get_template(name).render(context)
    except ImageError as error:
        where = resource.document.locate(("spec", *error.path))
        problem = Problem(where.file, where.line, where.column, ".".join(("spec", *error.path)), str(error), error.hint)
    except jinja2.TemplateSyntaxError as error:
        problem = _problem(resource, error.filename or error.name or name, error.lineno, str(error.message))
    except jinja2.TemplateNotFound as error:
        file, line = _origin(error.__traceback__, name)
        problem = _problem(resource, file, line, f"there is no template {error.name}")
    except Exception as error:  # noqa: BLE001  a template can raise whatever an expression in it raises
        file, line = _origin(error.__traceback__, name)
        problem = _problem(resource, file, line, str(error) or type(error).__name__)
    raise InvalidManifestsError([problem])


def _problem(resource: Resource, file: str, line: int, message: str) -> Problem:
    said = f"the template failed for {resource.id} ({resource.location}): {message}"
    return Problem(display_name(file), line, 1, "", said, "templates/README.md says what a template can use")


def _origin(trace: TracebackType | None, name: str) -> tuple[str, int]:
    """The innermost line of a template in a traceback that Jinja2 has rewritten."""
    file, line = name, 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(".j2"):
            file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return file, line


# --- functions of a template; offline they answer with something plausible -------------------------------------


def _virt_type(facts: HostFacts, arch: Any = None) -> str:
    """The best domain type of the host for `arch`; of a host that nobody asked: kvm."""
    offered = facts.virt_types.get(arch) if isinstance(arch, str) else next(iter(facts.virt_types.values()), None)
    return offered[0] if offered else "kvm"


def _pool_path(catalogue: Catalogue, pool: str) -> str:
    return catalogue.pool_path(pool) or _OFFLINE_FOLDER


def _pool_type(catalogue: Catalogue, pool: str) -> str:
    return catalogue.pool_type(pool) or "dir"


def _facts(catalogue: Catalogue, pool: str, name: str) -> VolumeFacts:
    return catalogue.volume(pool, name) or VolumeFacts(None, None, None)


def _volume_path(catalogue: Catalogue, pool: str, name: str) -> str:
    return _facts(catalogue, pool, name).path or f"{_pool_path(catalogue, pool)}/{name}"


def _volume_format(catalogue: Catalogue, pool: str, name: str) -> str:
    return _facts(catalogue, pool, name).format or ("qcow2" if name.endswith(".qcow2") else "raw")


def _volume_capacity(catalogue: Catalogue, pool: str, name: str) -> int:
    return _facts(catalogue, pool, name).capacity or 0
