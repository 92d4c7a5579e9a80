"""The command `vireo`: its subcommands, and the one place where exceptions become messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from reconciler import __version__
from reconciler.cli import (
    applying,
    auditing,
    authoring,
    explaining,
    failure,
    importing,
    migrating,
    ownership,
    plans,
    snapshots,
    starting,
    status,
)
from reconciler.cli.options import Connect, Invocation, NoColor, Quiet
from reconciler.cli.screen import Screen
from reconciler.errors import EXIT_FAILURE, EXIT_INVALID, EXIT_OK, UsageError, VireoError

EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="vireo",
    help="Make libvirt hosts match YAML manifests kept in Git.",
    epilog="Exit codes: 0 done, 1 failure, 2 changes present (drift, plan --detailed-exitcode), 3 invalid manifests or usage, "
    "4 stale plan or locked, 5 done but something was blocked.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (starting, importing, authoring, plans, applying, status, explaining, snapshots, migrating, auditing, ownership):
    module.register(app)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    connect: Connect = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> int:
    """What may stand before a command's name, and `vireo` alone."""
    said = context.find_object(Invocation)
    if version:
        typer.echo(f"vireo {__version__}")
        raise typer.Exit(EXIT_OK)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_OK)
    if said is not None:
        said.connect, said.quiet, said.no_color = connect, quiet, no_color
    return EXIT_OK


def run(arguments: Sequence[str]) -> int:
    """Run one command in this process; its exit code. Raises KeyboardInterrupt's code 130 instead of the exception."""
    said = Invocation(Screen.open())
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="vireo", standalone_mode=False, obj=said)
        sys.stdout.flush()
    except VireoError as error:
        return failure.show(error, said.screen)
    except typer.TyperException as error:
        return failure.show(_usage(error), said.screen)
    except typer.Abort:
        said.screen.warn("Not done: no answer.")
        return EXIT_INVALID
    except BrokenPipeError:
        _forget_stdout()
        return EXIT_FAILURE
    except Exception as error:  # noqa: BLE001 (the last resort: everything else is a bug)
        return failure.show_bug(error, said.screen)
    if code == EXIT_INTERRUPTED:
        said.screen.warn("Interrupted.")
    return code if isinstance(code, int) else EXIT_OK


def run_process(arguments: Sequence[str]) -> NoReturn:
    """Run one command and end the process. An interrupted one ends at once, without waiting for calls to hosts that hang."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = run(arguments)
    if code == EXIT_INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "vireo"
    return UsageError(error.format_message(), hint=f"see: {path} --help")


def _forget_stdout() -> None:
    """After the reader of a pipe has gone: nothing more can be written, not even by the interpreter's own flush at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
