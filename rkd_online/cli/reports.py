"""Reports of finished jobs: found, shown, copied."""

from pathlib import Path

from rich.console import Console

from rkd_online.cli.connection import connect
from rkd_online.cli.hints import hint
from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.evaluation.report import Report, parse_report
from rkd_online.evaluation.table import render_report
from rkd_online.service.schemas.job import JobRecord
from rkd_online.service.state import TERMINAL, Status


def show_report(report: Report) -> None:
    """Print the tables."""
    Console().print(render_report(report))


def show_job_report(client: Client, job: str) -> None:
    """Print the report of a finished job and say where its records lie."""
    show_report(parse_report(client.report(job), f"the report of {job}"))
    data = client.get(job).links.data
    Console().print(f"records: {data}\nplot: {data}/report.png", highlight=False, soft_wrap=True)


def read_report(job: str, url: str, folder: Path | None) -> Report:
    """From a data folder where one is given, else from the control plane."""
    if folder is None:
        client = connect(url)
        _refuse_unfinished(client.get(job), url)
        return parse_report(client.report(job), f"the report of {job}")
    path = folder / "runs" / job / "report.json"
    if not path.is_file():
        raise ServiceError(
            f"there is no {path}: the run has not ended, or its records lie in another --folder"
        )
    return parse_report(path.read_bytes(), str(path))


def _refuse_unfinished(job: JobRecord, url: str) -> None:
    if job.status is Status.SUCCEEDED:
        return
    if job.status in TERMINAL:
        reason = f": {job.error}" if job.error else ""
        raise ServiceError(f"{job.id} is {job.status} and has no report{reason}")
    step = job.progress.report.step if job.progress else 0
    raise ServiceError(
        f"{job.id} is {job.status}, step {step} of {job.spec['steps']}, and has no report yet: "
        f"follow it with `{hint(f'watch {job.id}', url)}`"
    )


def write_plot(job: str, url: str, folder: Path | None, target: Path) -> None:
    """The plot that the run drew, from where the report comes from."""
    try:
        target.write_bytes(_plot(job, url, folder))
    except OSError as error:
        raise ServiceError(f"--png {target} cannot be written: {error.strerror}") from error


def _plot(job: str, url: str, folder: Path | None) -> bytes:
    if folder is None:
        return connect(url).report_plot(job)
    plot = folder / "runs" / job / "report.png"
    if not plot.is_file():
        raise ServiceError(f"there is no {plot}: the run drew none, or its records lie elsewhere")
    return plot.read_bytes()
