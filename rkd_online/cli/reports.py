"""Reports of finished jobs: found, shown, drawn."""

import shutil
from pathlib import Path

from rich.console import Console

from rkd_online.client import Client
from rkd_online.errors import ServiceError
from rkd_online.evaluation.report import Report
from rkd_online.evaluation.table import render_report


def show_report(report: Report) -> None:
    """Print the tables."""
    Console().print(render_report(report))


def show_job_report(client: Client, job: str) -> None:
    """Print the report of a finished job and say where its records lie."""
    show_report(Report.model_validate(client.report(job)))
    data = client.get(job).links.data
    Console().print(f"records: {data}\nplot: {data}/report.png", highlight=False, soft_wrap=True)


def read_report(job: str, url: str, folder: Path | None) -> Report:
    """From a data folder where one is given, else from the control plane."""
    if folder is None:
        return Report.model_validate(Client(url).report(job))
    path = folder / "runs" / job / "report.json"
    if not path.is_file():
        raise ServiceError(f"there is no {path}: the job has no report yet, or lies elsewhere")
    return Report.model_validate_json(path.read_bytes())


def copy_plot(job: str, url: str, folder: Path | None, target: Path) -> None:
    """The plot that the run drew beside its report."""
    records = folder / "runs" / job if folder else Path(Client(url).get(job).links.data)
    plot = records / "report.png"
    if not plot.is_file():
        raise ServiceError(f"there is no {plot}: the control plane's files are not on this machine")
    shutil.copyfile(plot, target)
