"""Which job and which checkpoint: what is taken, and what is said where there is none."""

from dataclasses import replace
from pathlib import Path

import pytest

from rkd_online.errors import RecordError
from rkd_online.export.choice import choose_checkpoint, find_job
from rkd_online.spec import JobSpec
from tests.unit.export.jobs import make_job

REWARDS = {1: 0.1, 21: 0.9, 41: 0.5}
"""Of the step after each checkpoint, which sampled it."""


def test_the_last_is_the_newest_and_the_best_is_by_the_jobs_metric(tmp_path: Path) -> None:
    job = make_job(tmp_path, reports=REWARDS, checkpoints=(0, 20, 40, 60))
    assert choose_checkpoint(job, "last").step == 60
    assert choose_checkpoint(job, "best").step == 20
    chosen = choose_checkpoint(job, "40")
    assert chosen.path == job.run.attempt(1).checkpoints / "step-000040"


def test_an_unknown_job_is_told_with_the_near_ones(tmp_path: Path) -> None:
    make_job(tmp_path, "quickstart")
    with pytest.raises(RecordError, match=r"no job 'quikstart' in .*; did you mean 'quickstart'"):
        find_job(tmp_path, "quikstart")
    with pytest.raises(RecordError, match=r"no job 'x' in .*; there are: quickstart; its records"):
        find_job(tmp_path, "x")
    with pytest.raises(RecordError, match="there is none"):
        find_job(tmp_path / "empty", "x")


def test_before_the_first_checkpoint_it_says_when_that_is_due(tmp_path: Path) -> None:
    job = make_job(tmp_path, reports={1: 0.1, 2: 0.1, 7: 0.2}, checkpoints=(0,))
    for which in ("last", "best"):
        with pytest.raises(RecordError) as refused:
            choose_checkpoint(job, which)
        assert str(refused.value) == (
            "job sums has no checkpoint yet: it has done 7 of 60 steps, the next is written after "
            "step 20; --step 0 exports the student as it was loaded"
        )
    assert choose_checkpoint(job, "0").step == 0


def test_a_step_that_is_not_kept_lists_those_that_are(tmp_path: Path) -> None:
    job = make_job(tmp_path, reports={41: 0.5}, checkpoints=(0, 20, 40))
    with pytest.raises(RecordError) as refused:
        choose_checkpoint(job, "60")
    assert str(refused.value) == (
        "job sums keeps no checkpoint of step 60: kept are those of steps 0, 20, 40; it has done "
        "41 of 60 steps, the next is written after step 60"
    )


def test_a_job_that_ended_early_has_no_checkpoint_to_come(tmp_path: Path) -> None:
    job = make_job(tmp_path, reports={1: 0.1, 20: 0.9}, checkpoints=(0, 20))
    stop = {"type": "reached", "metric": "reward/mean", "value": 0.9}
    spec = JobSpec.model_validate(job.spec.model_dump(mode="json") | {"early_stop": stop})
    with pytest.raises(RecordError) as refused:
        choose_checkpoint(replace(job, spec=spec), "40")
    assert str(refused.value) == (
        "job sums keeps no checkpoint of step 40: kept are those of steps 0, 20"
    )


@pytest.mark.parametrize("which", ["newest", "-1", "1.5"])
def test_what_is_no_step_is_refused(tmp_path: Path, which: str) -> None:
    job = make_job(tmp_path, checkpoints=(0,))
    with pytest.raises(RecordError, match=f"--step '{which}' is neither a step's number nor last"):
        choose_checkpoint(job, which)
