"""``rkd projects``: projects of a control plane and their quotas."""

from typing import TYPE_CHECKING, Annotated

import typer

from rkd_online.cli.amounts import NONE, checked, finite
from rkd_online.cli.connection import connect
from rkd_online.cli.documents import one_page, show_document
from rkd_online.cli.hints import DEFAULT_URL, examples
from rkd_online.cli.lines import moment, show_sheet, show_table
from rkd_online.cli.options import AsJson, ProjectName, Url

if TYPE_CHECKING:
    from rkd_online.client import Client
    from rkd_online.service.schemas.access import ProjectRecord, Quota

MOST = 100
NAMES = ("project", "active jobs", "queued jobs", "GPUs", "made")
UNLIMITED = -1.0
app = typer.Typer(help="Projects: make, list, show, set quotas.", no_args_is_help=True)


def _limit(text: str) -> float:
    """A number from 0, or none."""
    if text == NONE:
        return UNLIMITED
    try:
        found = finite(float(text))
    except ValueError:
        found = None
    if found is None or found < 0:
        raise typer.BadParameter(f"{text!r} is no limit: write a number from 0, or {NONE}")
    return found


def _count(text: str) -> float:
    """A whole number from 0, or none."""
    found = _limit(text)
    if found != int(found):
        raise typer.BadParameter(f"{text!r} is no number of jobs: write 0, 1, 2, ..., or {NONE}")
    return found


ActiveJobs = Annotated[
    float | None,
    typer.Option(
        parser=_count, metavar="N", help="Jobs with a place on the cluster at the same time."
    ),
]
QueuedJobs = Annotated[
    float | None, typer.Option(parser=_count, metavar="N", help="Jobs that may wait.")
]
Gpus = Annotated[
    float | None,
    typer.Option(parser=_limit, metavar="N", help="GPUs of its active jobs together."),
]


@app.command(
    epilog=examples("rkd projects make research", "rkd projects make research --max-gpus 16")
)
def make(
    project: ProjectName,
    max_active_jobs: ActiveJobs = None,
    max_queued_jobs: QueuedJobs = None,
    max_gpus: Gpus = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a project, with limits where they are given."""
    from rkd_online.service.schemas.access import Quota

    quota = _changed(Quota(), max_active_jobs, max_queued_jobs, max_gpus)
    _show(connect(url).make_project(project, quota), as_json)


@app.command("list", epilog=examples("rkd projects list", "rkd projects list --json"))
def list_projects(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List projects by name, with what they use of their quotas."""
    page = one_page(connect(url).all_projects(limit=MOST))
    if as_json:
        show_document(page)
    else:
        show_table(NAMES, (_row(project) for project in page.data))


@app.command(epilog=examples("rkd projects show research"))
def show(project: ProjectName, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show one project with what it uses of its quota."""
    _show(connect(url).project(project), as_json)


@app.command(
    epilog=examples(
        "rkd projects quota research --max-active-jobs 4 --max-gpus 32",
        "rkd projects quota research --max-queued-jobs none",
    )
)
def quota(
    project: ProjectName,
    max_active_jobs: ActiveJobs = None,
    max_queued_jobs: QueuedJobs = None,
    max_gpus: Gpus = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Set limits of a project; those that are not named stay, and none takes one away.

    Jobs that run go on.
    """
    if max_active_jobs is None and max_queued_jobs is None and max_gpus is None:
        raise typer.BadParameter("nothing is changed: --help shows the limits")
    client = connect(url)
    record = client.project(project)
    limits = _changed(record.quota, max_active_jobs, max_queued_jobs, max_gpus)
    _show(_set(client, record, limits), as_json)


def _changed(
    before: "Quota", active: float | None, queued: float | None, gpus: float | None
) -> "Quota":
    given = {"max_active_jobs": active, "max_queued_jobs": queued, "max_gpus": gpus}
    new = {name: value for name, value in given.items() if value is not None}
    limits = {name: None if value == UNLIMITED else value for name, value in new.items()}
    return checked(type(before), before.model_dump() | limits)


def _set(client: "Client", record: "ProjectRecord", limits: "Quota") -> "ProjectRecord":
    from rkd_online.cli.refusals import unless_changed

    with unless_changed(f"the project {record.id}", f"projects show {record.id}", client.url):
        return client.set_quota(record, limits)


def _show(record: "ProjectRecord", as_json: bool) -> None:
    if as_json:
        show_document(record)
    else:
        show_sheet(zip(NAMES, _row(record), strict=True))


def _row(project: "ProjectRecord") -> tuple[str, ...]:
    used, most = project.usage, project.quota
    return (
        project.id,
        _of(used.active_jobs, most.max_active_jobs),
        _of(used.queued_jobs, most.max_queued_jobs),
        _of(used.gpus, most.max_gpus),
        moment(project.created_at),
    )


def _of(used: float, most: float | None) -> str:
    return f"{used:g}" if most is None else f"{used:g} of {most:g}"
