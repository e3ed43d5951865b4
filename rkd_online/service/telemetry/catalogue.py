"""Every series of ``GET /metrics``, listed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Series:
    """What a series is, the labels it has, and what it says."""

    kind: Kind
    labels: tuple[str, ...]
    meaning: str


SERIES: Final[Mapping[str, Series]] = {
    "rkd_requests_total": Series(
        "counter", ("method", "route", "status"), "Requests that were answered."
    ),
    "rkd_request_seconds": Series(
        "histogram", ("route",), "Time of a request; of an event stream until it begins."
    ),
    "rkd_requests_in_progress": Series(
        "gauge", (), "Requests that are being answered, event streams aside."
    ),
    "rkd_streams": Series("gauge", (), "Event streams that are open."),
    "rkd_jobs": Series("gauge", ("status",), "Jobs by status, all that there ever were."),
    "rkd_queue_depth": Series("gauge", (), "Jobs that could start and wait."),
    "rkd_queue_oldest_seconds": Series(
        "gauge", (), "How long the first of them has waited; 0 where none waits."
    ),
    "rkd_attempts_total": Series("counter", ("outcome",), "Attempts that ended."),
    "rkd_attempt_losses_total": Series("counter", ("cause",), "Attempts that were lost, by why."),
    "rkd_run_events_total": Series("counter", ("type",), "Events of runs that were stored."),
    "rkd_report_interval_seconds": Series(
        "histogram",
        (),
        "Time between two reports of an attempt, heartbeats too: an event came that late at most.",
    ),
    "rkd_heartbeat_age_seconds": Series(
        "gauge",
        (),
        "Time since the last report of the attempt that is silent for the longest; 0 where none "
        "runs.",
    ),
    "rkd_reconcile_seconds": Series("histogram", (), "Time of a pass over the jobs."),
    "rkd_reconcile_failures_total": Series(
        "counter", ("part",), "Passes that failed, and attempts that one could not look after."
    ),
    "rkd_database_up": Series("gauge", (), "1 where the database answered this scrape, else 0."),
    "rkd_database_seconds": Series(
        "histogram", ("kind",), "Time of a transaction, the wait for its turn included."
    ),
    "rkd_cluster_cpus": Series("gauge", ("state",), "CPUs of the cluster when it was last seen."),
    "rkd_cluster_gpus": Series("gauge", ("state",), "GPUs of the cluster when it was last seen."),
    "rkd_cluster_seen_timestamp_seconds": Series(
        "gauge", (), "When the cluster was last seen, in seconds since 1970; 0 before it was."
    ),
    "rkd_cluster_errors_total": Series(
        "counter", (), "Calls to the cluster that it refused or did not answer."
    ),
    "rkd_build_info": Series("gauge", ("version", "python"), "Always 1."),
}
"""Series by name. Values of labels are of closed sets; a route is a template of the API."""
