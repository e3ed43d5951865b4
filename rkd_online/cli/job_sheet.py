"""One job, with all that is known of it."""

from collections.abc import Iterator

from rich.text import Text

from rkd_online.cli.amounts import budget_text
from rkd_online.cli.job_table import STYLES
from rkd_online.cli.lines import labels_text, moment, show_sheet
from rkd_online.service.schemas.job import JobRecord


def show_job(record: JobRecord) -> None:
    """Print a job."""
    show_sheet(_rows(record))


def _rows(record: JobRecord) -> Iterator[tuple[str, str | Text]]:
    yield "job", record.id
    yield "name", record.name
    yield "project", record.project
    yield "labels", labels_text(record.labels)
    yield "status", Text(str(record.status), STYLES[record.status])
    yield "waiting", record.waiting or ""
    yield "error", record.error or ""
    yield "step", _step(record)
    yield "priority", str(record.priority)
    yield "budget", budget_text(record.budget) if record.budget else ""
    yield "spent", _spent(record)
    yield "submitted", _submitted(record)
    yield "started", moment(record.started_at)
    yield "finished", moment(record.finished_at)
    yield "attempt", _attempt(record)
    yield "changes", str(record.changes) if record.changes else ""
    yield "checkpoint", f"step {record.checkpoint.step}" if record.checkpoint else ""
    yield "revision", str(record.revision)
    yield "files", record.links.data
    yield "dashboard", record.links.ray_dashboard or ""
    yield "actors", _actors(record)
    yield "grafana", record.links.grafana or ""


def _actors(record: JobRecord) -> str:
    return f"{record.links.ray_actors}, search rkd:{record.id}" if record.links.ray_actors else ""


def _step(record: JobRecord) -> str:
    done = record.progress.report.step if record.progress else 0
    at = f", {moment(record.progress.at)}" if record.progress else ""
    return f"{done} of {record.spec['steps']}{at}"


def _spent(record: JobRecord) -> str:
    spent = record.spent
    words = [f"{spent.wall_seconds:,.0f} s", f"{spent.tokens:,} tokens"]
    if spent.gpu_hours:
        words.append(f"{spent.gpu_hours:,.2f} GPU-hours")
    return ", ".join(words) if spent.wall_seconds or spent.tokens else ""


def _submitted(record: JobRecord) -> str:
    by = f" by {record.created_by}" if record.created_by else ""
    return f"{moment(record.created_at)}{by}"


def _attempt(record: JobRecord) -> str:
    if not record.attempt:
        return ""
    lost = f", {record.losses} lost" if record.losses else ""
    return f"{record.attempt}{lost}"
