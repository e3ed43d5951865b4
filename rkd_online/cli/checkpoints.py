"""``rkd checkpoints``: the checkpoints that a job keeps."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document
from rkd_online.cli.hints import DEFAULT_URL, examples, hint
from rkd_online.cli.lines import complain, moment, say, show_table
from rkd_online.cli.options import AsJson, JobId, Url
from rkd_online.cli.targets import STDOUT, written_whole
from rkd_online.errors import ServiceError

if TYPE_CHECKING:
    from rkd_online.cli.downloads import Advance
    from rkd_online.client import Client
    from rkd_online.service.schemas.checkpoint import CheckpointFile, CheckpointRecord

MOST = 100
NEWEST, BEST = "newest", "best"
NAMES = ("checkpoint", "step", "written", "files", "size", "pass@1", "")
app = typer.Typer(help="Checkpoints of a job: list, files, download.", no_args_is_help=True)
Name = Annotated[
    str,
    typer.Argument(
        help="Checkpoint as list names it, or newest, or best (once there is a report).",
        metavar="CHECKPOINT",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder to write into.", metavar="DIR", show_default="JOB-CHECKPOINT"),
]
Tar = Annotated[
    Path | None,
    typer.Option(help="Write one tar instead; - is standard output.", metavar="FILE"),
]


@app.command("list", epilog=examples("rkd checkpoints list job-01m86x99ydxzq1b3"))
def list_checkpoints(job: JobId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the whole checkpoints of a job, newest first."""
    page = one_page(connect(url).all_checkpoints(job, limit=MOST))
    if as_json:
        show_document(page)
    elif page.data:
        show_table(NAMES, map(_row, page.data))
    else:
        say(f"{job} has no checkpoint yet")


@app.command("files", epilog=examples("rkd checkpoints files job-01m86x99ydxzq1b3 best"))
def list_files(
    job: JobId, checkpoint: Name = NEWEST, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """List the files of a checkpoint, with sizes and digests."""
    client = connect(url)
    page = one_page(client.all_files(job, _chosen(client, job, checkpoint), limit=1000))
    if as_json:
        show_document(page)
        return
    names = ("file", "size", "sha256")
    show_table(names, ((one.path, decimal(one.bytes), one.sha256 or "") for one in page.data))


@app.command(
    epilog=examples(
        "rkd checkpoints download job-01m86x99ydxzq1b3",
        "rkd checkpoints download job-01m86x99ydxzq1b3 best --out student",
        "rkd checkpoints download job-01m86x99ydxzq1b3 --tar - | tar -x",
    )
)
def download(
    job: JobId,
    checkpoint: Name = NEWEST,
    out: Out = None,
    tar: Tar = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Fetch a checkpoint: a folder that transformers and vLLM load.

    Sizes and digests are checked. The same command goes on with a fetch that was cut.
    """
    client = connect(url)
    name = _chosen(client, job, checkpoint)
    if tar is not None:
        written = _write_tar(client, job, name, tar)
        if as_json and tar != STDOUT:
            show_document({"checkpoint": name, "tar": str(tar), "bytes": written})
        return
    folder = out or Path(f"{job}-{name}")
    try:
        files = _fetch(client, job, name, folder)
    except OSError as error:
        raise ServiceError(f"--out {folder} cannot be written: {error.strerror}") from error
    if as_json:
        shown = [one.model_dump() for one in files]
        show_document({"checkpoint": name, "folder": str(folder), "files": shown})
    else:
        size = decimal(sum(one.bytes for one in files))
        say(f"{name} is in {folder}: {len(files)} files, {size}")


def _chosen(client: "Client", job: str, asked: str) -> str:
    """The name of a checkpoint that may be asked for by what it is."""
    if asked not in (NEWEST, BEST):
        return asked
    for found in client.all_checkpoints(job, limit=MOST):
        if asked == NEWEST or found.best:
            return found.name
    reason = "no checkpoint yet" if asked == NEWEST else "no report yet that calls one the best"
    command = hint(f"checkpoints list {job}", client.url)
    raise ServiceError(f"{job} has {reason}: `{command}` shows what it keeps")


def _fetch(client: "Client", job: str, name: str, folder: Path) -> "list[CheckpointFile]":
    from rkd_online.cli.downloads import Download

    fetched = Download(client, job, name, folder)
    files = fetched.files()
    with _progress(name, sum(one.bytes for one in files)) as advance:
        for one in files:
            fetched.fetch(one, advance)
    return files


@contextmanager
def _progress(name: str, total: int) -> "Iterator[Advance]":
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        complain(f"fetching {name}, {decimal(total)}")
        yield lambda count: None
        return
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn(name), BarColumn(), *columns, console=console) as progress:
        task = progress.add_task(name, total=total)
        yield lambda count: progress.advance(task, count)


def _write_tar(client: "Client", job: str, name: str, target: Path) -> int:
    """The bytes that were written."""
    written = 0
    with _opened(target) as file:
        for piece in client.archive(job, name):
            file.write(piece)
            written += len(piece)
    return written


def _opened(target: Path) -> "AbstractContextManager[IO[bytes]]":
    if target == STDOUT:
        return nullcontext(sys.stdout.buffer)
    return written_whole(target, "--tar", lambda path: path.open("wb"))


def _row(one: "CheckpointRecord") -> tuple[str, ...]:
    marks = {"goes on from it": one.resumes, "last": one.last, "best": one.best}
    return (
        one.name,
        str(one.step),
        moment(one.written_at),
        str(one.files),
        decimal(one.bytes),
        _pass_at_1(one),
        ", ".join(mark for mark, holds in marks.items() if holds),
    )


def _pass_at_1(one: "CheckpointRecord") -> str:
    """By split: the newest that is known."""
    found = {
        measured.split: next(iter(measured.pass_at_1.values()))
        for measured in one.evaluations
        if measured.pass_at_1
    }
    return ", ".join(f"{split} {value.value:.3f}" for split, value in found.items())
