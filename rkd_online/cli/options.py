"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from rkd_online.cli.completion import complete_jobs, complete_keys, complete_projects
from rkd_online.cli.pairs import LABELS


def address(url: str) -> str:
    """An address without the slash at its end. Raises BadParameter for what is none."""
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter(f"{url!r} is no address: it begins with http:// or https://")
    return url.rstrip("/")


Url = Annotated[
    str,
    typer.Option("--url", envvar="RKD_URL", callback=address, help="Address of the control plane."),
]
JobId = Annotated[
    str,
    typer.Argument(
        help="Id of the job, as submit and list print it.",
        metavar="JOB",
        autocompletion=complete_jobs,
        show_default=False,
    ),
]
KeyId = Annotated[
    str,
    typer.Argument(
        help="Id of the key: the part behind rkd_, as list prints it.",
        metavar="KEY",
        autocompletion=complete_keys,
        show_default=False,
    ),
]
ProjectName = Annotated[
    str,
    typer.Argument(
        help="Name of the project.",
        metavar="PROJECT",
        autocompletion=complete_projects,
        show_default=False,
    ),
]
OfProject = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="PROJECT",
        help="Only of this project.",
        autocompletion=complete_projects,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for programs.")]
All = Annotated[bool, typer.Option("--all", metavar="", help="All of them, whatever --limit is.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        help="Data folder to read from instead of the control plane: for `rkd run`.",
        metavar="DIR",
    ),
]
ForProject = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="PROJECT",
        help="Project it belongs to; the key's own where none is named.",
        autocompletion=complete_projects,
    ),
]
Priority = Annotated[
    int | None, typer.Option(min=-100, max=100, metavar="N", help="Higher ones start first.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option(LABELS.option, metavar=LABELS.form, help="A label; may be given several times."),
]
