"""Which algorithms a job can ask for, and what each of them takes."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from rkd_online.spec.algorithm import (
    REWARD_DRIVEN,
    TEACHER_METHODS,
    Algorithm,
    NoReference,
    ReferenceKl,
    Rewarded,
    SequenceMean,
    divergence_of,
    has_divergence,
    is_reward_driven,
    needs_teacher,
    reference_of,
)
from rkd_online.spec.divergence import NoDivergence

ADAPTER: TypeAdapter[Any] = TypeAdapter(Algorithm)
TYPES = [kind().type for kind in get_args(get_args(Algorithm)[0])]
SAMPLED = [name for name in TYPES if name != "sft"]
SHARED = {
    *("clip_low", "clip_high", "aggregation", "sampler_correction", "reference_kl"),
    *("teacher_divergence", "type"),
}
REWARD = SHARED | {"advantage_epsilon", "advantage_scale"}
COEFFICIENTS: dict[str, dict[str, float]] = {
    "grpo": {},
    "gspo": {},
    "cispo": {},
    "rlad": {"alpha": 0.5, "teacher_log_ratio_clamp": 1.0},
    "kdrl": {"beta": 0.002},
    "kdrl_mask": {"beta": 0.002},
    "srpo": {},
    "hdpo": {"beta": 0.01},
    "rlsd": {"mix": 1.0, "mix_clip": 0.2},
}
"""Of the methods with a reward, beside what they share, with their defaults."""


def algorithm(**fields: Any) -> Any:
    return ADAPTER.validate_python(fields)


def test_a_job_can_ask_for_twelve() -> None:
    assert list(TYPES) == [
        *("grpo", "gspo", "cispo", "rlad", "opd"),
        *("kdrl", "kdrl_mask", "srpo", "hdpo", "rlsd", "topd", "sft"),
    ]


@pytest.mark.parametrize("name", COEFFICIENTS)
def test_a_method_with_a_reward_takes_its_coefficients_and_nothing_else(name: str) -> None:
    found = algorithm(type=name)
    assert isinstance(found, Rewarded)
    assert type(found).model_fields.keys() == REWARD | COEFFICIENTS[name].keys()
    assert {key: getattr(found, key) for key in COEFFICIENTS[name]} == COEFFICIENTS[name]


def test_methods_without_a_reward_take_nothing_of_it() -> None:
    opd, topd = algorithm(type="opd"), algorithm(type="topd")
    assert type(opd).model_fields.keys() == SHARED
    assert type(topd).model_fields.keys() == SHARED | {"teacher_weight", "advantage_epsilon"}
    assert topd.teacher_weight == 0.2
    for name in ("opd", "topd"):
        with pytest.raises(ValidationError, match="advantage_scale"):
            algorithm(type=name, advantage_scale="none")


@pytest.mark.parametrize("name", SAMPLED)
def test_every_method_can_be_held_near_a_reference_and_none_is_by_default(name: str) -> None:
    assert algorithm(type=name).reference_kl == NoReference()
    penalty = {"type": "k2", "beta": 0.01}
    assert algorithm(type=name, reference_kl=penalty).reference_kl.model_dump() == penalty


def test_sft_has_neither_a_reference_nor_a_divergence() -> None:
    """Its tokens are another model's, and no teacher is asked."""
    plain = algorithm(type="sft")
    assert reference_of(plain) == NoReference()
    assert divergence_of(plain) == NoDivergence()
    assert not has_divergence(plain) and not needs_teacher(plain) and not is_reward_driven(plain)
    for field in ("reference_kl", "teacher_divergence"):
        with pytest.raises(ValidationError, match=field):
            algorithm(type="sft", **{field: {"type": "none"}})


@pytest.mark.parametrize("name", SAMPLED)
def test_every_method_can_be_drawn_towards_the_teacher_and_none_is_by_default(name: str) -> None:
    plain = algorithm(type=name)
    assert plain.teacher_divergence == NoDivergence()
    assert not has_divergence(plain)
    assert needs_teacher(plain) is (name in TEACHER_METHODS)
    assert is_reward_driven(plain) is (name in REWARD_DRIVEN)
    drawn = algorithm(type=name, teacher_divergence={"type": "jsd", "weight": 0.5})
    assert drawn.teacher_divergence.model_dump() == {
        "type": "jsd", "k": 64, "weight": 0.5, "beta": 0.5,
    }  # fmt: skip
    assert needs_teacher(drawn) and has_divergence(drawn) and not is_reward_driven(drawn)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"type": "forward"}, "weight"),
        ({"type": "forward", "weight": 0.0}, "weight"),
        ({"type": "forward", "weight": 1.0, "k": 0}, "k"),
        ({"type": "reverse", "weight": 1.0, "beta": 0.5}, "beta"),
        ({"type": "jsd", "weight": 1.0, "beta": 0.0}, "beta"),
        ({"type": "jsd", "weight": 1.0, "beta": 1.0}, "beta"),
        ({"type": "none", "k": 4}, "k"),
        ({"type": "hellinger", "weight": 1.0}, "teacher_divergence"),
    ],
)
def test_a_divergence_that_is_none_is_refused(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        algorithm(type="grpo", teacher_divergence=fields)


def test_clips_are_those_of_the_papers() -> None:
    clips = {name: algorithm(type=name) for name in TYPES if name != "sft"}
    assert (clips.pop("gspo").clip_low, algorithm(type="gspo").clip_high) == (3e-4, 4e-4)
    assert (clips.pop("cispo").clip_low, algorithm(type="cispo").clip_high) == (1.0, 4.0)
    assert {(one.clip_low, one.clip_high) for one in clips.values()} == {(0.2, 0.28)}


def test_every_sequence_weighs_the_same_by_default() -> None:
    assert {algorithm(type=name).aggregation for name in TYPES} == {SequenceMean()}


@pytest.mark.parametrize("name", TYPES)
def test_every_method_takes_every_aggregation(name: str) -> None:
    for chosen in ({"type": "token_mean"}, {"type": "constant", "tokens": 64}):
        found = algorithm(type=name, aggregation=chosen).aggregation
        assert found.model_dump() == chosen


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"type": "grpo", "aggregation": {"type": "constant"}}, "tokens"),
        ({"type": "grpo", "aggregation": {"type": "constant", "tokens": 0}}, "tokens"),
        ({"type": "grpo", "aggregation": {"type": "token_mean", "tokens": 8}}, "tokens"),
        ({"type": "grpo", "aggregation": {"type": "median"}}, "aggregation"),
        ({"type": "grpo", "advantage_scale": "mad"}, "advantage_scale"),
        ({"type": "grpo", "beta": 0.1}, "beta"),
        ({"type": "grpo", "reference_kl": {"type": "k4", "beta": 0.1}}, "reference_kl"),
        ({"type": "grpo", "reference_kl": {"type": "k2"}}, "beta"),
        ({"type": "gspo", "clip_low": 1.0}, "clip_low"),
        ({"type": "cispo", "clip_low": 1.01}, "clip_low"),
        ({"type": "kdrl", "beta": -0.1}, "beta"),
        ({"type": "rlsd", "mix": 1.1}, "mix"),
        ({"type": "rlsd", "mix_clip": 1.1}, "mix_clip"),
        ({"type": "topd", "teacher_weight": 0.0}, "teacher_weight"),
        ({"type": "topd", "teacher_weight": 1.1}, "teacher_weight"),
        ({"type": "sft", "clip_low": 0.1}, "clip_low"),
        ({"type": "sft", "sampler_correction": {"type": "none"}}, "sampler_correction"),
    ],
)
def test_what_cannot_run_is_refused(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        algorithm(**fields)


def test_the_methods_with_a_teacher_and_those_that_live_on_the_reward_alone() -> None:
    assert set(TYPES) - TEACHER_METHODS == {"grpo", "gspo", "cispo", "sft"}
    assert set(REWARD_DRIVEN) == {"grpo", "gspo", "cispo", "rlad", "rlsd"}


def test_a_reference_penalty_names_its_estimator_and_its_weight() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(ReferenceKl)
    assert adapter.validate_python({"type": "none"}).model_dump() == {"type": "none"}
    for kind in ("k1", "k2", "k3"):
        found = adapter.validate_python({"type": kind, "beta": 0.01})
        assert (found.type, found.beta) == (kind, 0.01)
    for wrong in ({"type": "k2"}, {"type": "k2", "beta": 0.0}, {"type": "none", "beta": 0.1}):
        with pytest.raises(ValidationError, match="beta"):
            adapter.validate_python(wrong)
