"""Commands that need no control plane: validate and run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

SpecPath = Annotated[Path, typer.Argument(help="The job: YAML or JSON.")]


def validate(
    spec: SpecPath,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the resolved spec instead of the plan.")
    ] = False,
) -> None:
    """Check a job, fill in its defaults and print what it would do."""
    from rkd_online.spec.check import check_spec
    from rkd_online.spec.load import load_spec
    from rkd_online.spec.plan import describe_plan

    loaded = load_spec(spec)
    check_spec(loaded)
    if as_json:
        typer.echo(loaded.model_dump_json(indent=2))
    else:
        Console().print(describe_plan(loaded), highlight=False, markup=False)


def run(
    spec: SpecPath,
    job: Annotated[
        str | None, typer.Option(help="Name of the run's folder; the same name resumes it.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="RKD_DATA_DIR", help="Folder of all records (default .rkd)."),
    ] = None,
) -> None:
    """Run a job in this process, without Ray and without a control plane.

    A run that was cut goes on from its last checkpoint when the same command is given again.
    """
    from rkd_online.spec.load import load_spec

    loaded = load_spec(spec)
    from rkd_online.inference.environment import prepare_engine_process

    prepare_engine_process(loaded.resources.device)
    from rkd_online.cli.progress import Progress, ProgressSink
    from rkd_online.evaluation.table import render_report
    from rkd_online.run.inline import run_inline
    from rkd_online.run.records import RunFolder
    from rkd_online.run.records import data_dir as records

    folder = RunFolder.of(records(data_dir), job or loaded.name)
    with Progress(steps=loaded.steps, title=loaded.name) as progress:
        report = run_inline(loaded, folder, [ProgressSink(progress)])
    Console().print(render_report(report))
    Console().print(f"records: {folder.path}", highlight=False)
