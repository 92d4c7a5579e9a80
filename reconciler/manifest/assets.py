"""Where the schemas and the built-in templates are, in a source checkout and in an installed package. Reads nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: Literal["schemas", "templates"]) -> Path:
    """The folder of that name: a wheel carries it inside the package, a checkout has it at its top."""
    packed = _PACKAGE / "_assets" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name
