"""The command tree, and the one place where errors become messages and exit codes."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from rkd_online import __version__
from rkd_online.cli import jobs, local, server, zoo
from rkd_online.errors import RkdError

app = typer.Typer(
    name="rkd",
    help="Distil a reasoning model online, inside the reinforcement-learning update.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("validate")(local.validate)
app.command("run")(local.run)
app.command("serve")(server.serve)
app.command("demo")(server.demo)
app.command("submit")(jobs.submit)
app.command("watch")(jobs.watch)
app.command("list")(jobs.list_jobs)
app.command("cancel")(jobs.cancel)
app.command("report")(jobs.report)
app.add_typer(zoo.app, name="zoo")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"rkd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Options of rkd itself."""


def main() -> None:
    """Run the command line. An error that a user can mend is a message and exit code 1."""
    try:
        app()
    except RkdError as error:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
