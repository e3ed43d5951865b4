"""Presets below what a job says itself."""

from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.algorithm import Grpo, Kdrl, Opd, Rlad
from rkd_online.spec.job import JobSpec
from rkd_online.spec.load import parse_spec
from rkd_online.spec.preset import preset_names
from tests.unit.spec.job import job

FILES = {"task": {"train": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl"}}


def own(**changes: Any) -> dict[str, Any]:
    """What every job says itself."""
    data = job(steps=100)
    kept = {key: data[key] for key in ("version", "name", "policy", "teacher", "steps")}
    return kept | {"task": {"type": "chain_sum"}} | changes


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_makes_a_job_that_comes_back_from_its_record(name: str) -> None:
    data = own(preset=name)
    if name == "paper-math":
        data |= FILES
    elif name == "paper-kk":
        del data["task"]
    spec = parse_spec(data)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


def test_the_presets_are_those_that_are_promised() -> None:
    assert preset_names() == ["kdrl-annealed", "opd-then-grpo", "paper-kk", "paper-math", "rlad"]


def test_what_they_stand_for() -> None:
    found = {name: parse_spec(own(preset=name)) for name in ("rlad", "opd-then-grpo")}
    assert found["rlad"].algorithm == Rlad()
    assert [one.algorithm for one in found["opd-then-grpo"].phases] == [Opd(), Grpo()]
    (annealed,) = parse_spec(own(preset="kdrl-annealed")).phases
    betas = [annealed.algorithm_after(done) for done in (0, 1, 80, 99)]
    assert [one.beta for one in betas if isinstance(one, Kdrl)] == pytest.approx(
        [5e-3, 5e-3 - 5e-5, 1e-3, 1e-3], abs=1e-12
    )


def test_the_job_says_more_than_its_preset() -> None:
    spec = parse_spec(own(preset="rlad", algorithm={"alpha": 0.7}, rollout={"group_size": 4}))
    assert spec.algorithm == Rlad(alpha=0.7)
    assert (spec.rollout.group_size, spec.optimizer.learning_rate) == (4, 1e-6)


def test_another_type_takes_the_place_of_the_preset_s() -> None:
    assert parse_spec(own(preset="rlad", algorithm={"type": "grpo"})).algorithm == Grpo()


def test_an_algorithm_takes_the_place_of_a_preset_s_phases() -> None:
    spec = parse_spec(own(preset="opd-then-grpo", algorithm={"type": "grpo"}))
    assert (spec.algorithm, spec.phases, spec.evaluation.every) == (Grpo(), (), 10)


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(own(preset="rl-ad"))
    assert str(caught.value) == (
        "preset 'rl-ad' is not known; there are kdrl-annealed, opd-then-grpo, paper-kk, "
        "paper-math, rlad"
    )
