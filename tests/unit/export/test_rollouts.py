"""A job's rollouts as a store: which steps count, and what each row says."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from rkd_online.errors import RecordError
from rkd_online.export.choice import KnownJob
from rkd_online.export.rollouts import export_rollouts
from rkd_online.run.rollout_table import write_rollouts
from rkd_online.spec.store_files import read_store_manifest
from rkd_online.types import (
    PromptItem,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    TrainingBatch,
    TrainingRow,
    UnjudgedRollout,
    UpdateResult,
    VersionSpan,
    logprobs,
    token_ids,
)
from rkd_online.zoo import zoo_path
from tests.unit.export.jobs import make_job, tokenizer


def step_of(job: KnownJob, attempt: int, step: int, first_group: int) -> None:
    """Two groups of two, sampled by the version before; one sibling could not be judged."""
    encode = tokenizer(zoo_path("zoo:chain-sum/student"))
    ids = [token_ids(encode(text, add_special_tokens=False)["input_ids"]) for text in ("3+4=", "7")]
    groups = []
    for number in (first_group, first_group + 1):
        prompt = PromptItem(f"train/{number}", "train", number, ids[0], "7", "chain_sum", "2 terms")
        ones: list[ScoredRollout | UnjudgedRollout] = []
        for index in range(2):
            spans = (VersionSpan(step - 1, 0, len(ids[1])),)
            sampled = logprobs([-0.5] * len(ids[1]))
            rollout = Rollout(index, ids[1], sampled, spans, "length")
            taught = logprobs([-0.25] * len(ids[1]))
            if number > first_group and index == 0:
                ones.append(UnjudgedRollout(rollout, "timeout", "too slow", taught))
            else:
                ones.append(ScoredRollout(rollout, index + 0.5, {"verifier": 0.5}, 0.5, taught))
        groups.append(ScoredGroup(number, prompt, tuple(ones)))
    rows = tuple(
        TrainingRow(
            group.group_id, one.rollout.index, group.prompt.token_ids, one.rollout.completion_ids,
            one.rollout.sampler_logprobs, one.teacher_logprobs, 0.125, False, group_wrong=True,
        )
        for group in groups for one in group.judged
    )  # fmt: skip
    old = tuple(logprobs([-0.75] * len(row.completion_ids)) for row in rows)
    path = job.run.attempt(attempt).rollout_files / f"step-{step:06d}.parquet"
    write_rollouts(
        path, groups, TrainingBatch(step, rows, 1.0, step - 1), UpdateResult(step, {}, old)
    )


def rows_of(store: Path) -> list[dict[str, Any]]:
    shards = sorted((store / "data").iterdir())
    return [row for path in shards for row in parquet.read_table(path).to_pylist()]


def test_a_row_has_texts_all_log_probs_and_the_verdict(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0,), correct_at=0.5)
    step_of(job, 1, 1, 0)
    written = export_rollouts(job, tmp_path / "out", force=False)
    assert (written.rows, written.groups) == (4, 2)
    first, _, lost, last = rows_of(tmp_path / "out")
    assert (first["prompt"], first["completion"]) == ("3+4=", "7")
    assert (first["step"], first["group_id"], first["index"]) == (1, 0, 0)
    assert (first["split"], first["task"], first["difficulty"]) == ("train", "chain_sum", "2 terms")
    streams = ("sampler_logprobs", "old_logprobs", "teacher_logprobs")
    assert [first[name] for name in streams] == [[-0.5], [-0.75], [-0.25]]
    assert (first["reward"], first["advantage"], first["correctness"]) == (0.5, 0.125, 0.5)
    # The job calls half correct; the batch's rows said otherwise.
    assert first["correct"] is True
    assert first["reward_parts"] == [{"part": "verifier", "value": 0.5}]
    assert first["weight_versions"] == [{"version": 0, "start": 0, "end": 1}]
    assert (lost["failure"], lost["correct"], lost["advantage"]) == (
        "timeout: too slow",
        None,
        None,
    )
    assert last["finish_reason"] == "length"


def test_what_was_done_again_counts_once(tmp_path: Path) -> None:
    """The first attempt came to step 4, the second went on after step 2 and has done step 3."""
    job = make_job(tmp_path, checkpoints=(0,))
    for step in (1, 2, 3, 4):
        step_of(job, 1, step, 2 * step)
    shutil.copytree(job.run.attempt(1).path, job.run.attempt(2).path)
    shutil.rmtree(job.run.attempt(2).rollout_files)
    step_of(job, 2, 3, 20)
    export_rollouts(job, tmp_path / "out", force=False)
    found = [(row["step"], row["group_id"]) for row in rows_of(tmp_path / "out")]
    assert sorted(set(found)) == [(1, 2), (1, 3), (2, 4), (2, 5), (3, 20), (3, 21)]
    assert len(found) == 12


def test_shards_are_bounded_whatever_a_step_has(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0,))
    for step in (1, 2, 3):
        step_of(job, 1, step, 2 * step)
    export_rollouts(job, tmp_path / "out", force=False, shard_rows=5)
    sizes = [
        parquet.read_metadata(path).num_rows
        for path in sorted((tmp_path / "out" / "data").iterdir())
    ]
    assert sizes == [5, 5, 2]


def test_the_manifest_says_whose_tokens_they_are(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0,))
    step_of(job, 1, 1, 0)
    export_rollouts(job, tmp_path / "out", force=False)
    found = read_store_manifest(tmp_path / "out")
    assert (found.source, found.task, found.tokenizer) == ("job sums", "chain_sum", "d1")
    assert found.end_token_ids == (1, 5)
    assert (found.sampled_by, found.judged_by) == (
        "zoo:chain-sum/student",
        "zoo:chain-sum/teacher",
    )


def test_a_job_without_rollouts_has_nothing_to_export(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0,))
    with pytest.raises(RecordError, match="job sums has no rollouts yet: its first step is not"):
        export_rollouts(job, tmp_path / "out", force=False)
    assert not (tmp_path / "out").exists()


def test_a_job_that_learns_from_a_store_names_it(tmp_path: Path) -> None:
    job = make_job(
        tmp_path,
        checkpoints=(0,),
        teacher=None,
        algorithm={"type": "sft"},
        rollout={"source": {"type": "store", "path": "/stores/teacher"}},
        evaluation={"every": 20},
        checkpoint={"best_metric": "validation/pass_at_1"},
    )
    with pytest.raises(RecordError, match=r"no rollouts of its own: .* the store /stores/teacher"):
        export_rollouts(job, tmp_path / "out", force=False)


def test_a_record_of_another_version_is_refused(tmp_path: Path) -> None:
    job = make_job(tmp_path, checkpoints=(0,))
    step_of(job, 1, 1, 0)
    path = job.run.attempt(1).rollout_files / "step-000001.parquet"
    parquet.write_table(parquet.read_table(path).drop(["difficulty"]), path)
    with pytest.raises(RecordError, match="has no column 'difficulty': another version of rkd"):
        export_rollouts(job, tmp_path / "out", force=False)
