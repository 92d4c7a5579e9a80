"""What can be said on the command line: the options that several commands share, and their texts turned into values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.screen import Screen, Shape
from reconciler.errors import UsageError
from reconciler.model.difference import Impact

if TYPE_CHECKING:
    from reconciler.engine.pipeline import Options

LEVELS = ", ".join(impact.label for impact in Impact)

_PATHS_HELP = "Manifest files, or folders that are read with all folders below them."
_WHERE = "Where"
_WHAT = "What is looked at"
_LIMITS = "What is allowed"
_OUTPUT = "Output"

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help=_PATHS_HELP, show_default=False)]
SomePaths = Annotated[list[str] | None, typer.Argument(metavar="[PATH...]", help=_PATHS_HELP, show_default=False)]
OwnPaths = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH...]", help=f"{_PATHS_HELP} Default: this folder.", show_default=False)
]
HERE = (".",)
"""What is meant where no path is given."""
Connect = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--connect",
        metavar="URI",
        rich_help_panel=_WHERE,
        show_default=False,
        help="libvirt connection, for a project that declares no Host. Else VIREO_CONNECT, LIBVIRT_DEFAULT_URI, qemu:///system.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", rich_help_panel=_OUTPUT, help="No progress on standard error.")]
NoColor = Annotated[bool, typer.Option("--no-color", rich_help_panel=_OUTPUT, help="No colours, as with NO_COLOR set.")]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "-l", "--label", metavar="KEY=VALUE", rich_help_panel=_WHAT, show_default=False, help="Only resources with this label."
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="KIND/NAME",
        rich_help_panel=_WHAT,
        show_default=False,
        help="Only this resource and what it needs. May be given several times.",
    ),
]
Prune = Annotated[
    bool | None,
    typer.Option(
        "--prune/--no-prune",
        rich_help_panel=_LIMITS,
        show_default=False,
        help="Whether to remove what the project owns and no manifest names any more. Else as the Project says.",
    ),
]
Allow = Annotated[
    str | None,
    typer.Option(
        "--allow",
        metavar="LEVEL",
        rich_help_panel=_LIMITS,
        show_default=False,
        help=f"The most that may happen to a guest: {LEVELS}. Else as the Project says, else live.",
    ),
]
Adopt = Annotated[
    bool, typer.Option("--adopt", rich_help_panel=_LIMITS, help="Take over objects of the same name that nobody owns.")
]
AllowMassDelete = Annotated[
    bool,
    typer.Option(
        "--allow-mass-delete", rich_help_panel=_LIMITS, help="Allow more deletions in one run than prune.limit of the Project."
    ),
]
CorrectReverted = Annotated[
    bool,
    typer.Option(
        "--correct-reverted", rich_help_panel=_LIMITS, help="Bring what was reverted to a snapshot back to its manifest."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Parallel = Annotated[int, typer.Option("--parallel", metavar="N", min=1, max=256, help="Actions that may run side by side.")]
ShapeOutput = Annotated[Shape, typer.Option("-o", "--output", rich_help_panel=_OUTPUT, help="Form of the result.")]
Wait = Annotated[
    str,
    typer.Option(
        "--wait", metavar="TIME", help="How long to wait while another apply holds the lock: 30s, 5m, 1h; 0 gives up at once."
    ),
]


@dataclass(slots=True)
class Invocation:
    """What was said before the command's name, and the screen that the command opened: errors go there, too."""

    screen: Screen
    connect: str | None = None
    quiet: bool = False
    no_color: bool = False

    def open(self, *, quiet: bool, no_color: bool, json: bool = False) -> Screen:
        """The screen for this command."""
        self.screen = Screen.open(quiet=quiet or self.quiet, no_color=no_color or self.no_color, json=json)
        return self.screen


def invocation(context: typer.Context) -> Invocation:
    """What `app.run` prepared for this command."""
    found = context.find_object(Invocation)
    if found is None:
        raise TypeError("commands are run by reconciler.cli.app")
    return found


def engine_options(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    *,
    connect: str | None,
    prune: bool | None = None,
    allow: str | None = None,
    adopt: bool = False,
    allow_mass_delete: bool = False,
    destroy: bool = False,
    correct_reverted: bool = False,
    labels: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
) -> Options:
    """The engine's options from those of the command line. Raises UsageError for a text that means nothing."""
    from reconciler.engine.pipeline import Options

    return Options(
        connect=connect or invocation(context).connect,
        prune=prune,
        allow=impact(allow) if allow is not None else None,
        adopt=adopt,
        allow_mass_delete=allow_mass_delete,
        destroy=destroy,
        correct_reverted=correct_reverted,
        labels=label_map(labels or ()),
        targets=tuple(target(text) for text in targets or ()),
    )


def impact(text: str) -> Impact:
    """The level of ``--allow``. Raises UsageError."""
    try:
        return Impact.parse(text)
    except ValueError:
        raise UsageError(f"--allow {text}: there is no such level", hint=f"levels are: {LEVELS}") from None


def label_map(texts: Sequence[str]) -> Mapping[str, str]:
    """``-l key=value``, several of them: all must hold; ``a=1,b=2`` in one is fine. Raises UsageError."""
    found: dict[str, str] = {}
    for pair in (part for text in texts for part in text.split(",")):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"-l {pair}: a label is given as KEY=VALUE", hint="example: -l tier=demo")
        found[key.strip()] = value.strip()
    return found


def target(text: str) -> str:
    """``KIND/NAME`` or ``Volume/POOL/NAME``. Raises UsageError."""
    if not re.fullmatch(r"[A-Za-z]+/.+", text):
        raise UsageError(f"--target {text}: a target is given as KIND/NAME", hint="example: --target Domain/web1")
    return text


def duration(text: str, option: str) -> float:
    """Seconds of ``30``, ``30s``, ``5m``, ``1h``. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if match is None:
        raise UsageError(f"{option} {text}: not a time", hint="examples: 30s, 5m, 1h, 0")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2] or "s"]
