"""People at a terminal: commands and printers. Decides nothing; every decision is made in planning and engine.

This module must stay light: `vireo --version` answers without importing anything else.
"""

from __future__ import annotations

import sys

from reconciler import __version__


def main() -> None:
    """The `vireo` command; also `python -m reconciler`. Leaves the process with the exit codes of docs/design.md, section 12."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"vireo {__version__}\n")
        return
    from reconciler.cli.app import run_process

    run_process(sys.argv[1:])
