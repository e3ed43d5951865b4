"""The command tree, and the one place where errors become messages and exit codes."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from rkd_online import __version__
from rkd_online.cli.catalogue import COMMANDS, GROUPS
from rkd_online.cli.hints import examples
from rkd_online.errors import RkdError

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
for command in COMMANDS:
    app.command(command.name, rich_help_panel=command.panel, epilog=examples(*command.examples))(
        command.function
    )
for panel, name, group in GROUPS:
    app.add_typer(group, name=name, rich_help_panel=panel)


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
        from rkd_online.cli.refusals import told

        console = Console(stderr=True)
        console.print(
            f"[bold red]error:[/] {escape(told(error))}",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
