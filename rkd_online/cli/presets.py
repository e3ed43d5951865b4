"""``rkd presets``: parts of a job that come with the package."""

from typing import Annotated

import typer
from rich.console import Console
from rich.syntax import Syntax

from rkd_online.errors import SpecError


def presets(
    name: Annotated[str | None, typer.Argument(help="The preset to print as YAML.")] = None,
) -> None:
    """List the presets, or print one: ``preset: NAME`` in a job has what it says below its own."""
    from rkd_online.spec.preset import preset_names, preset_text

    console = Console()
    if name is None:
        for one in preset_names():
            first, *rest = [line.removeprefix("# ") for line in _comment(preset_text(one))]
            console.print(f"[bold]{one}[/]  {' '.join([first, *rest])}", highlight=False)
        return
    if name not in preset_names():
        raise SpecError(f"there is no preset {name!r}; there are {', '.join(preset_names())}")
    if console.is_terminal:
        console.print(Syntax(preset_text(name), "yaml", background_color="default"))
    else:
        typer.echo(preset_text(name), nl=False)


def _comment(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]
