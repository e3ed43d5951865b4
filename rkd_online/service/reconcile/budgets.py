"""Budgets: a job that has used what it was given is paused, and keeps its checkpoint."""

from datetime import datetime

from rkd_online.service.store.attempts import seconds_of
from rkd_online.service.store.tables import AttemptRow, JobRow

HOUR = 3600.0


def spent(job: JobRow, attempt: AttemptRow | None, now: datetime) -> str | None:
    """Which part of its budget a job has used up; None while there is some of each left.

    ``attempt`` is the one that runs. Its time counts from its launch: that is how long it keeps
    what it reserved.
    """
    if job.budget is None:
        return None
    under_way = attempt is not None and attempt.ended_at is None
    running = seconds_of(attempt, now) if attempt is not None and under_way else 0.0
    seconds = job.run_seconds + running
    used = {
        "wall_seconds": seconds,
        "tokens": float(job.tokens),
        "gpu_hours": job.gpus * seconds / HOUR,
    }
    for name, amount in used.items():
        limit = job.budget.get(name)
        if limit is not None and amount >= limit:
            return f"its budget is spent: {name} {amount:,.6g} of {limit:,.6g}"
    return None
