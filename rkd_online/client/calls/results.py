"""Requests for what a job leaves behind."""

from typing import Any

from rkd_online.client.request import (
    Call,
    Download,
    download_text,
    get_bytes,
    get_json,
    path,
)


def get_report(job_id: str) -> Call[dict[str, Any]]:
    """The job's ``report.json``."""
    return get_json(path("jobs", job_id, "report"))


def get_report_plot(job_id: str) -> Call[bytes]:
    """The job's ``report.png``."""
    return get_bytes(path("jobs", job_id, "report.png"))


def get_trace(job_id: str) -> Download[str]:
    """The job's trace so far, a file for trace viewers, in pieces as they come."""
    return download_text(f"the trace of {job_id}", path("jobs", job_id, "trace"))
