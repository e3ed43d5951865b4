"""A job that learns from a store: what it needs, and what makes no sense without sampling."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from rkd_online.errors import SpecError
from rkd_online.spec import JobSpec
from rkd_online.spec.check import check_spec
from rkd_online.spec.load import load_spec
from rkd_online.spec.plan import describe_plan
from tests.unit.spec.job import job
from tests.unit.store.rollouts import group, write_store

STORE = {"type": "store", "path": "/stores/teacher"}


def offline(**changes: Any) -> dict[str, Any]:
    """The smallest job that learns from a store."""
    base = job(
        teacher=None,
        algorithm__type="sft",
        rollout__source=dict(STORE),
        evaluation__every=20,
        checkpoint__best_metric="validation/pass_at_1",
    )
    data = {"base": base}
    for path, value in changes.items():
        *parents, name = path.split("__")
        place = data["base"]
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return base


def test_it_needs_no_teacher_and_no_more_than_this() -> None:
    spec = JobSpec.model_validate(offline())
    source = spec.rollout.source
    assert source.model_dump(mode="json") == STORE | {"minimum_reward": None}
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec
    assert JobSpec.model_validate(job()).rollout.source.type == "policy"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an online algorithm": (
        {"algorithm": {"type": "grpo"}},
        "algorithm.type 'grpo' learns from the policy's own samples, found rollout.source.type "
        "'store': set 'policy', or algorithm.type 'sft'",
    ),
    "sft on samples of the policy": (
        {"rollout__source": {"type": "policy"}},
        "algorithm.type 'sft' learns from the samples of a store, found rollout.source.type "
        "'policy': set 'store' with a path",
    ),
    "sft as a phase": (
        {
            "algorithm": None,
            "phases": [
                {"algorithm": {"type": "sft"}, "until": {"type": "step", "step": 1}},
                {"algorithm": {"type": "grpo"}},
            ],
        },
        "phases.0.algorithm.type 'sft' learns from a store, which no phase does: run it as a job "
        "of its own, and the next one with its checkpoint as policy.model",
    ),
    "a teacher that nobody asks": (
        {"teacher": {"model": "zoo:chain-sum/teacher"}},
        "teacher: a job that learns from rollout.source.type 'store' asks no teacher: leave it out",
    ),
    "staleness": (
        {"rollout__max_staleness": 2},
        "rollout.max_staleness 2 has no meaning with a store (samples of a store have no weight "
        "version to lie behind): leave it out",
    ),
    "dynamic sampling": (
        {"rollout__dynamic_sampling": {"type": "refill"}},
        "rollout.dynamic_sampling 'refill' has no meaning with a store",
    ),
    "a group size": (
        {"rollout__group_size": 4},
        "rollout.group_size 4 has no meaning with a store (a prompt has as many siblings as",
    ),
    "a temperature": (
        {"rollout__temperature": 0.7},
        "rollout.temperature 0.7 has no meaning with a store (the policy learns its own",
    ),
    "a best by rewards": (
        {"checkpoint__best_metric": "reward/mean"},
        "checkpoint.best_metric 'reward/mean' would be that of the store's samples",
    ),
    "a correction of the sampler": (
        {"algorithm": {"type": "sft", "sampler_correction": {"type": "none"}}},
        "sampler_correction",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_with_the_reason(case: str) -> None:
    changes, message = REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        JobSpec.model_validate(offline(**changes))
    assert message in str(refused.value)


def test_the_store_is_looked_at_before_anything_is_loaded(tmp_path: Path) -> None:
    spec = JobSpec.model_validate(offline(rollout__source={"type": "store", "path": "teacher"}))
    with pytest.raises(SpecError, match=r"rollout\.source\.path: teacher is a relative path"):
        check_spec(spec)
    source = {"type": "store", "path": str(tmp_path)}
    with pytest.raises(SpecError, match=r"rollout\.source\.path: .* is no store of rollouts"):
        check_spec(JobSpec.model_validate(offline(rollout__source=source)))


def test_the_plan_says_what_the_store_has(tmp_path: Path) -> None:
    write_store(tmp_path / "store", [group(0, 1, 0), group(1, 1)])
    (tmp_path / "job.yaml").write_text(
        yaml.safe_dump(offline(rollout__source={"type": "store", "path": "store"}))
    )
    spec = load_spec(tmp_path / "job.yaml")
    check_spec(spec)
    plan = describe_plan(spec).splitlines()
    assert f"  each step    the correct samples of 32 prompts of {tmp_path / 'store'}" in plan
    assert "               the store has 3 samples of 2 prompts, of zoo:chain-sum/teacher" in plan
