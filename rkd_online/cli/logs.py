"""``rkd logs``: what the processes of a job's runs print."""

from typing import Annotated, Literal

import typer

from rkd_online.cli.connection import connect
from rkd_online.cli.documents import show_document
from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.cli.lines import complain
from rkd_online.cli.options import AsJson, JobId, Url

Role = Annotated[
    Literal["driver", "generator", "scorer", "learner", "evaluator"],
    typer.Option(metavar="ROLE", help="Whose: driver, generator, scorer, learner or evaluator."),
]
Index = Annotated[
    int, typer.Option(min=0, max=9999, metavar="N", help="Which of the role's workers.")
]
Teacher = Annotated[
    str | None,
    typer.Option(metavar="PARTS", help="Of which teacher, where a job has several scorers."),
]
Stream = Annotated[
    Literal["out", "err"],
    typer.Option(metavar="STREAM", help="out or err of a worker; the driver's are one."),
]
Attempt = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Of this attempt.", show_default="the newest"),
]
Tail = Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many lines.")]


def logs(
    job: JobId,
    role: Role = "driver",
    index: Index = 0,
    teacher: Teacher = None,
    stream: Stream = "err",
    attempt: Attempt = None,
    tail: Tail = 200,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Print the last lines that a job's run or one of its workers wrote."""
    found = connect(url).log(
        job, role=role, index=index, teacher=teacher, stream=stream, attempt=attempt, tail=tail
    )
    if as_json:
        show_document(found)
        return
    typer.echo(found.text, nl=bool(found.text) and not found.text.endswith("\n"))
    if not found.text:
        complain(f"attempt {found.attempt}: {found.worker or found.role} has written nothing yet")
