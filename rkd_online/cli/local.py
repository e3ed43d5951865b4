"""Commands that need no control plane: validate and run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rkd_online.evaluation.report import Report
    from rkd_online.run.records import RunFolder
    from rkd_online.spec.job import JobSpec

SpecPath = Annotated[
    Path, typer.Argument(help="The job: YAML or JSON.", metavar="SPEC", show_default=False)
]
INTERRUPTED = 130
"""Exit code of what Ctrl-C ended."""


def validate(
    spec: SpecPath,
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print the resolved spec, not the plan.")
    ] = False,
) -> None:
    """Check a job, fill in its defaults and print what it would do.

    Everything that is wrong is listed, one line each, with exit code 1.
    """
    from rkd_online.spec.plan import describe_plan

    loaded = checked(spec)
    if as_json:
        typer.echo(loaded.model_dump_json(indent=2))
    else:
        show_plan(Console(), describe_plan(loaded))


def checked(path: Path) -> "JobSpec":
    """The job in a file, after all checks that need no model to be loaded."""
    from rkd_online.spec.check import check_spec
    from rkd_online.spec.load import load_spec

    spec = load_spec(path)
    check_spec(spec)
    return spec


def show_plan(console: Console, plan: str) -> None:
    """The plan as it is, or on a terminal with the texts wrapped beside their labels."""
    if not console.is_terminal:
        typer.echo(plan)
        return
    from rkd_online.spec.plan import LABEL_WIDTH

    head, *lines = plan.splitlines()
    margin = 2 + LABEL_WIDTH
    table = Table.grid()
    table.add_column(width=margin, no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(Text(line[:margin]), Text(line[margin:]))
    console.print(Text(head, "bold"), table, sep="\n")


def run(
    spec: SpecPath,
    job: Annotated[
        str | None,
        typer.Option(
            help="Name of the run's folder; the same name resumes it.",
            show_default="the spec's name",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="RKD_DATA_DIR", help="Folder of all records.", show_default=".rkd"),
    ] = None,
) -> None:
    """Run a job in this process, without Ray and without a control plane.

    A run that was cut goes on from its last checkpoint when the same command is given again.
    """
    from rkd_online.cli.extras import require
    from rkd_online.cli.terminal import own_terminal
    from rkd_online.evaluation.table import render_report
    from rkd_online.run.records import RunFolder
    from rkd_online.run.records import data_dir as records

    loaded = checked(spec)
    require("run")
    folder = RunFolder.of(records(data_dir), job or loaded.name)
    try:
        with own_terminal(folder.path / "output.log") as terminal:
            report = _run(loaded, folder, terminal)
    except KeyboardInterrupt:
        _say_stopped(folder)
        raise typer.Exit(INTERRUPTED) from None
    console = Console()
    console.print(render_report(report))
    console.print(f"records: {folder.path}\nplot: {folder.plot}", highlight=False, soft_wrap=True)


def _run(spec: "JobSpec", folder: "RunFolder", terminal: Console) -> "Report":
    """The display is up before the heavy imports, which take seconds."""
    from rkd_online.cli.progress import Progress, ProgressSink
    from rkd_online.inference.environment import prepare_engine_process

    prepare_engine_process(spec.resources.device)
    said = "loading torch, vLLM and the models"
    with Progress(steps=spec.steps, title=spec.name, said=said, console=terminal) as progress:
        from rkd_online.run.inline import run_inline

        return run_inline(spec, folder, [ProgressSink(progress)])


def _say_stopped(folder: "RunFolder") -> None:
    from rkd_online.files import step_of

    checkpoint = folder.latest_checkpoint()
    where = "begins again: there is no checkpoint yet"
    if checkpoint is not None:
        where = f"goes on from the checkpoint of step {step_of(checkpoint.name)}"
    words = f"[bold yellow]stopped[/]: the same command {where}"
    Console(stderr=True).print(words, highlight=False)
