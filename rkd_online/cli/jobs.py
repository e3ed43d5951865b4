"""Commands about jobs of a control plane: list, show, cancel, pause, resume."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rkd_online.cli.amounts import moment_past
from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document
from rkd_online.cli.hints import DEFAULT_URL, hint
from rkd_online.cli.lines import say
from rkd_online.cli.options import All, AsJson, JobId, Labels, OfProject, Url
from rkd_online.cli.pairs import LABELS
from rkd_online.service.state import Status

if TYPE_CHECKING:
    from rkd_online.client import Client
    from rkd_online.service.schemas.job import JobRecord

POLL_SECONDS = 1.0
MOST = 100
"""Jobs that one request can bring."""


Statuses = Annotated[
    list[Status] | None,
    typer.Option(
        help=f"Only these: {', '.join(Status)}; may be given several times.", metavar="STATUS"
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        parser=moment_past,
        metavar="TIME",
        help="Only those since a date, or of the last 24h or 7d.",
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Return when its run is over, not when that has begun.")
]
Limit = Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="How many, newest first.")]


def list_jobs(
    project: OfProject = None,
    status: Statuses = None,
    label: Labels = None,
    since: Since = None,
    limit: Limit = 20,
    all_of_them: All = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from rkd_online.cli.job_table import show_jobs, show_no_jobs

    wanted: dict[str, Any] = {
        "status": status,
        "project": project,
        "labels": LABELS.read(label),
        "created_after": since,
    }
    client = connect(url)
    if all_of_them:
        page = one_page(client.all_jobs(**wanted, limit=MOST))
    else:
        page = client.list(**wanted, limit=limit)
    if as_json:
        show_document(page)
    elif page.data:
        show_jobs(page.data, has_more=page.has_more)
    else:
        show_no_jobs(url, status or [], filtered=any(wanted.values()))


def show(job: JobId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show all that is known of a job."""
    from rkd_online.cli.job_sheet import show_job

    record = connect(url).get(job)
    if as_json:
        show_document(record)
    else:
        show_job(record)


def cancel(job: JobId, wait: Wait = False, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Stop a job. Its checkpoints stay."""
    client = connect(url)
    record = client.cancel(job)
    _tell(_rested(client, record) if wait else record, as_json)


def pause(job: JobId, wait: Wait = False, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Give a job's place on the cluster back, after a checkpoint of the step under way.

    With --wait it exits with 1 where the job failed instead.
    """
    client = connect(url)
    record = client.pause(job)
    if wait:
        record = _rested(client, record)
    _tell(record, as_json)
    if record.status is Status.FAILED:
        raise typer.Exit(1)
    if not as_json and record.status in (Status.PAUSING, Status.PAUSED):
        say(f"go on with it: {hint(f'resume {record.id}', url)}")


def resume(job: JobId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Queue a paused job again; it goes on from its checkpoint."""
    _tell(connect(url).resume(job), as_json)


def _rested(client: "Client", record: "JobRecord") -> "JobRecord":
    """The job when its run is over, however that ended; the control plane limits how long it takes
    (RKD_PAUSE_TIMEOUT_SECONDS, RKD_STOP_TIMEOUT_SECONDS)."""
    while record.status in (Status.PAUSING, Status.STOPPING):
        time.sleep(POLL_SECONDS)
        record = client.get(record.id)
    return record


def _tell(record: "JobRecord", as_json: bool) -> None:
    if as_json:
        show_document(record)
    else:
        say(f"{record.id} is {record.status}")
