"""Rollouts in a job's folder, as a run writes them."""

from pathlib import Path

from rkd_online.run.records import RunFolder
from rkd_online.types import TrainingBatch, TrainingRow, UpdateResult, logprobs
from tests.unit.store.rollouts import group


def write_step(
    job_dir: Path, step: int, groups: dict[int, tuple[float | None, ...]], *, attempt: int = 1
) -> Path:
    """Groups by id with the correctness of each sibling; None could not be judged. The advantage is
    a quarter of the sibling's place, the old log-probs are -0.75."""
    scored = [group(number, *correctness) for number, correctness in groups.items()]
    rows = tuple(
        TrainingRow(
            one.group_id,
            judged.rollout.index,
            one.prompt.token_ids,
            judged.rollout.completion_ids,
            judged.rollout.sampler_logprobs,
            judged.teacher_logprobs,
            judged.rollout.index / 4,
            judged.correctness >= 1,
            group_wrong=False,
        )
        for one in scored
        for judged in one.judged
    )
    old = tuple(logprobs([-0.75] * len(row.completion_ids)) for row in rows)
    folder = RunFolder(job_dir).attempt(attempt)
    folder.rollouts(scored, TrainingBatch(step, rows, 1.0, step - 1), UpdateResult(step, {}, old))
    return folder.rollout_files / f"step-{step:06d}.parquet"
