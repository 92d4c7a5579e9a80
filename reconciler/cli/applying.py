"""`vireo apply` and `vireo destroy`: show, ask, do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli import options as o
from reconciler.cli import plans, work
from reconciler.cli.interrupt import Interrupt
from reconciler.cli.screen import Format, Screen, Shape
from reconciler.errors import EXIT_FAILURE, UsageError
from reconciler.model.event import ApplyFinished, ApplyStarted
from reconciler.model.plan import Plan

if TYPE_CHECKING:
    from reconciler.engine.pipeline import Hosts, Prepared

Output = Annotated[Shape, typer.Option("-o", "--output", help="Form of the result; json is one event a line.")]

_NOT_DONE = "Nothing was done."


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(apply)
    app.command()(destroy)


def apply(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    paths: o.SomePaths = None,
    *,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="FILE", show_default=False, help="Do what this saved plan says, without asking."),
    ] = None,
    yes: o.Yes = False,
    output: Output = Shape.TEXT,
    labels: o.Labels = None,
    targets: o.Targets = None,
    prune: o.Prune = None,
    adopt: o.Adopt = False,
    allow: o.Allow = None,
    allow_mass_delete: o.AllowMassDelete = False,
    correct_reverted: o.CorrectReverted = False,
    parallel: o.Parallel = 8,
    wait: o.Wait = "1m",
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Make the hosts match the manifests: shows the plan, asks, does it, and looks whether it was done."""
    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    run = Run(screen, parallel, o.duration(wait, "--wait"))
    if plan is not None:
        decided: dict[str, Any] = {"PATH": paths, "--label": labels, "--target": targets, "--prune": prune is not None}
        decided |= {"--adopt": adopt, "--allow": allow, "--allow-mass-delete": allow_mass_delete, "--connect": connect}
        decided |= {"--correct-reverted": correct_reverted}
        return _apply_saved(run, plan, decided)
    if not paths:
        raise UsageError("apply needs manifests or a saved plan", hint="vireo apply PATH..., or vireo apply --plan FILE")
    must_be_able_to_ask(
        screen, "apply", yes=yes, instead="--yes, or save a plan with plan --out FILE and apply it with --plan FILE"
    )
    wanted = o.engine_options(
        context,
        connect=connect,
        prune=prune,
        allow=allow,
        adopt=adopt,
        allow_mass_delete=allow_mass_delete,
        correct_reverted=correct_reverted,
        labels=labels,
        targets=targets,
    )
    agree = None if yes else _agree_to_apply
    with work.prepared(paths, wanted, screen) as (ready, hosts):
        return run.carry_out(ready, hosts, agree)


def destroy(  # noqa: PLR0913 (one argument an option)
    context: typer.Context,
    paths: o.Paths,
    *,
    yes: o.Yes = False,
    output: Output = Shape.TEXT,
    labels: o.Labels = None,
    targets: o.Targets = None,
    allow: o.Allow = None,
    parallel: o.Parallel = 8,
    wait: o.Wait = "1m",
    connect: o.Connect = None,
    quiet: o.Quiet = False,
    no_color: o.NoColor = False,
) -> int:
    """Remove all that the project owns. Volumes stay unless their onDelete says otherwise."""
    screen = o.invocation(context).open(quiet=quiet, no_color=no_color, json=output is Shape.JSON)
    run = Run(screen, parallel, o.duration(wait, "--wait"))
    must_be_able_to_ask(screen, "destroy", yes=yes, instead="--yes")
    wanted = o.engine_options(context, connect=connect, destroy=True, allow=allow, labels=labels, targets=targets)
    agree = None if yes else _agree_to_destroy
    with work.prepared(paths, wanted, screen) as (ready, hosts):
        return run.carry_out(ready, hosts, agree)


class Run:
    """How a plan is carried out and shown, whichever command made it."""

    def __init__(self, screen: Screen, parallel: int, wait: float) -> None:
        self.screen = screen
        self._parallel = parallel
        self._wait = wait

    def carry_out(
        self,
        ready: Prepared,
        hosts: Hosts,
        agree: Callable[[Plan, Screen], bool] | None,
        again: Callable[[Prepared, Hosts], Prepared] | None = None,
    ) -> int:
        """Show the plan (none with its own `again`, see executor), ask `agree` (None: nobody is asked), do it. The exit code."""
        plan, screen = ready.plan, self.screen
        if not screen.json and again is None:
            plans.show(plan, Format.TEXT, screen)
        if not plan.runnable:
            return self._nothing(plan)
        if agree is not None and not agree(plan, screen):
            screen.warn(_NOT_DONE)
            return EXIT_FAILURE
        return self._execute(ready, hosts, again)

    def _nothing(self, plan: Plan) -> int:
        if self.screen.json:
            from reconciler.cli.printers.progress import reporter

            emit = reporter(self.screen)
            emit(ApplyStarted(plan))
            emit(ApplyFinished(done=0, failed=0, skipped=0, blocked=len(plan.blocked), seconds=0.0))
        return work.exit_code(plan)

    def _execute(self, ready: Prepared, hosts: Hosts, again: Callable[[Prepared, Hosts], Prepared] | None) -> int:
        from reconciler.cli.printers.progress import reporter
        from reconciler.engine import executor

        stop = threading.Event()
        emit = reporter(self.screen)
        try:
            with Interrupt(stop, self.screen.warn):
                outcome = executor.execute(
                    ready, hosts, emit=emit, parallel=self._parallel, stop=stop, wait=self._wait, again=again
                )
        finally:
            emit.close()
        unreached = not all(host.reachable for host in ready.plan.hosts)
        return EXIT_FAILURE if unreached else outcome.exit_code


def _apply_saved(run: Run, file: str, decided: Mapping[str, Any]) -> int:
    too_much = [name for name, value in decided.items() if value]
    if too_much:
        raise UsageError(
            f"{too_much[0]} cannot be given with --plan", hint="it was decided when the plan was saved; make a new plan"
        )
    from reconciler.engine import pipeline
    from reconciler.engine import saved as saved_plans

    saved = saved_plans.load_saved(file)
    with pipeline.connected(saved.manifests) as hosts:
        with run.screen.busy("Comparing the plan and the hosts"):
            ready = saved_plans.prepare_saved(saved, hosts)
        return run.carry_out(ready, hosts, None)


def must_be_able_to_ask(screen: Screen, command: str, *, yes: bool, instead: str) -> None:
    """Raises UsageError where nobody can say yes; `instead` is what does."""
    if not yes and (screen.json or not screen.can_ask):
        why = "with -o json nobody is asked" if screen.json else "there is no terminal to ask on"
        raise UsageError(f"{command} asks before it changes anything, and {why}; nothing was done", hint=f"use {instead}")


def _agree_to_apply(_plan: Plan, screen: Screen) -> bool:
    return screen.ask("Apply? [y/N]").lower() in ("y", "yes")


def _agree_to_destroy(plan: Plan, screen: Screen) -> bool:
    answer = screen.ask(f"This removes {len(_removed(plan))} of the project's resources. Type the project's name to do it:")
    return answer == plan.project


def _removed(plan: Plan) -> Sequence[str]:
    return sorted({str(action.resource) + action.resource.host for action in plan.runnable})
