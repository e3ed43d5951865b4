"""The command tree, and the one place where errors become messages and exit codes."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from rkd_online import __version__
from rkd_online.cli import evaluation, exports, jobs, local, server, zoo
from rkd_online.cli.collection import collect
from rkd_online.cli.hints import examples
from rkd_online.cli.presets import presets
from rkd_online.errors import RkdError

HERE = "On this machine"
SERVICE = "Control plane"
JOBS = "Jobs of a control plane"

app = typer.Typer(
    name="rkd",
    help="Distil a reasoning model online, inside the reinforcement-learning update.",
    epilog=examples(
        "rkd run examples/quickstart.yaml",
        "rkd serve --local-ray",
        "rkd submit examples/quickstart.yaml --watch",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(
    "validate",
    rich_help_panel=HERE,
    epilog=examples("rkd validate job.yaml", "rkd validate job.yaml --json > resolved.json"),
)(local.validate)
app.command(
    "run",
    rich_help_panel=HERE,
    epilog=examples("rkd run job.yaml", "rkd run job.yaml --job second --data-dir /data/rkd"),
)(local.run)
app.command(
    "eval",
    rich_help_panel=HERE,
    epilog=examples(
        "rkd eval zoo:chain-sum/student zoo:chain-sum/teacher chain_sum --samples 8",
        "rkd eval .rkd/runs/quickstart/attempts/1/checkpoints/step-000060 job.yaml",
        "rkd eval models/student reasoning_gym/knights_knaves --out before",
    ),
)(evaluation.evaluate)
app.command(
    "compare",
    rich_help_panel=HERE,
    epilog=examples(
        "rkd compare quickstart/student-before quickstart",
        "rkd compare before/student.json after/student.json --json",
    ),
)(evaluation.compare)
app.command(
    "presets",
    rich_help_panel=HERE,
    epilog=examples("rkd presets", "rkd presets opd-then-grpo"),
)(presets)
app.command(
    "collect",
    rich_help_panel=HERE,
    epilog=examples(
        "rkd collect zoo:chain-sum/teacher chain_sum --prompts 512 --out store",
        "rkd collect hf:Qwen/Qwen3-8B@main job.yaml --samples 8 --out store",
    ),
)(collect)
app.add_typer(exports.app, name="export", rich_help_panel=HERE)
app.add_typer(zoo.app, name="zoo", rich_help_panel=HERE)
app.command(
    "serve",
    rich_help_panel=SERVICE,
    epilog=examples(
        "rkd serve --local-ray", "rkd serve --ray-address http://head:8265 --data-dir /data/rkd"
    ),
)(server.serve)
app.command(
    "demo",
    rich_help_panel=SERVICE,
    epilog=examples("rkd demo", "rkd demo --port 9000 --dashboard-port 9001"),
)(server.demo)
app.command(
    "submit",
    rich_help_panel=JOBS,
    epilog=examples("rkd submit job.yaml --watch", "rkd submit job.yaml --url http://head:8420"),
)(jobs.submit)
app.command("watch", rich_help_panel=JOBS)(jobs.watch)
app.command(
    "list",
    rich_help_panel=JOBS,
    epilog=examples("rkd list --status running", "rkd list --json"),
)(jobs.list_jobs)
app.command("cancel", rich_help_panel=JOBS)(jobs.cancel)
app.command(
    "report",
    rich_help_panel=JOBS,
    epilog=examples(
        "rkd report job-01m86x99ydxzq1b3 --png gain.png",
        "rkd report job-01m86x99ydxzq1b3 --json",
        "rkd report quickstart --folder .rkd",
    ),
)(jobs.report)
app.command(
    "trace",
    rich_help_panel=JOBS,
    epilog=examples(
        "rkd trace job-01m86x99ydxzq1b3",
        "rkd trace job-01m86x99ydxzq1b3 -o slow.json.gz",
        "rkd trace quickstart --folder .rkd",
    ),
)(jobs.trace)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rkd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar="",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Options of rkd itself."""


def main() -> None:
    """Run the command line. An error that a user can mend is a message and exit code 1."""
    try:
        app()
    except RkdError as error:
        console = Console(stderr=True)
        console.print(
            f"[bold red]error:[/] {escape(str(error))}",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
