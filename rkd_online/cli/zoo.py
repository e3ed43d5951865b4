"""``rkd zoo``: the models that come with the package."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="The tiny models that come with the package.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Show the bundled models and where they lie."""
    from rkd_online.zoo import PAIRS, zoo_path

    console = Console()
    for pair, names in PAIRS.items():
        for name in names:
            reference = f"zoo:{pair}/{name}"
            console.print(f"[bold]{reference}[/]  {zoo_path(reference)}", soft_wrap=True)


@app.command()
def build(
    output: Annotated[Path, typer.Option(help="Folder that gets one folder per pair.")],
    pair: Annotated[str, typer.Option(help="Which pair to train.")] = "chain-sum",
) -> None:
    """Train a bundled pair again from nothing, with fixed seeds (some minutes on one core). A
    training that was cut goes on."""
    from rkd_online.cli.extras import require

    require("zoo build", ("reasoning_gym", "torch", "transformers"))
    from rkd_online.zoo.build import build as build_pair

    console = Console()
    build_pair(output, pair, progress=lambda line: console.print(line, highlight=False))
    console.print(f"built [bold]{pair}[/] in {output}")
