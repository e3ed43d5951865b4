"""Changes to a job that runs, and the job that they make."""

from typing import Any

import pytest
from pydantic import ValidationError

from rkd_online.errors import SpecError
from rkd_online.spec.changes import Changes, ChangesSoFar, changed_spec, merged
from rkd_online.spec.job import JobSpec
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job


def changed(data: dict[str, Any], **values: Any) -> JobSpec:
    return changed_spec(parse_spec(data), Changes(**values))


def phased(*phases: dict[str, Any], **fields: Any) -> dict[str, Any]:
    data = job(phases=list(phases), steps=20, **fields)
    del data["algorithm"]
    return data


OPD_RLAD = phased(
    {"algorithm": {"type": "opd", "clip_low": 0.1}, "until": {"type": "step", "step": 8}},
    {"algorithm": {"type": "rlad"}},
)


@pytest.mark.parametrize(
    ("values", "paths"),
    [
        ({"learning_rate": 1e-5}, {"optimizer__learning_rate": 1e-5}),
        ({"clip_low": 0.1}, {"algorithm__clip_low": 0.1}),
        ({"clip_high": 0.4}, {"algorithm__clip_high": 0.4}),
        ({"alpha": 0.25}, {"algorithm__alpha": 0.25}),
        ({"steps": 80}, {"steps": 80}),
        ({"evaluation_every": 2}, {"evaluation__every": 2}),
    ],
)
def test_a_change_is_the_job_with_another_value(
    values: dict[str, Any], paths: dict[str, Any]
) -> None:
    assert changed(job(), **values) == parse_spec(job(**paths))


def test_a_coefficient_changes_in_every_phase_that_has_it() -> None:
    both = changed(OPD_RLAD, clip_low=0.3, alpha=0.9)
    opd, rlad = (phase.algorithm for phase in both.phases)
    assert (opd.type, opd.model_dump()["clip_low"]) == ("opd", 0.3)
    assert "alpha" not in opd.model_dump()
    assert (rlad.model_dump()["clip_low"], rlad.model_dump()["alpha"]) == (0.3, 0.9)


def test_a_field_that_no_algorithm_has_is_refused_with_their_types() -> None:
    with pytest.raises(SpecError) as refused:
        changed(job(algorithm={"type": "grpo"}), alpha=0.5)
    assert str(refused.value) == (
        "alpha: no algorithm of the job has it: found algorithm.type 'grpo'"
    )
    phases = phased(
        {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 8}},
        {"algorithm": {"type": "grpo"}},
    )
    with pytest.raises(SpecError, match=r"found phases\.0\.algorithm\.type 'opd', phases\.1\."):
        changed(phases, alpha=0.5)


def test_a_coefficient_that_a_phase_moves_is_not_changed_but_others_are() -> None:
    data = phased(
        {"algorithm": {"type": "rlad"}, "until": {"type": "step", "step": 8}},
        {"algorithm": {"type": "rlad"}, "anneal": {"alpha": {"to": 1.0, "steps": 5}}},
    )
    with pytest.raises(SpecError) as refused:
        changed(data, alpha=0.5)
    assert str(refused.value) == (
        "alpha: phases.1.anneal moves it, to 1 in 5 steps: what a job moves itself cannot be "
        "changed"
    )
    assert changed(data, clip_high=0.5).phases[1].algorithm.model_dump()["clip_high"] == 0.5


@pytest.mark.parametrize(
    ("data", "values", "message"),
    [
        (OPD_RLAD, {"steps": 8}, r"phases\.0\.until\.step 8 cannot end the phase"),
        (job(), {"clip_low": 1.0}, r"algorithm\.clip_low: found 1\.0, should be less than 1"),
        (
            job(
                evaluation={"every": 2},
                checkpoint={"every": 2, "best_metric": "validation/pass_at_1"},
            ),
            {"evaluation_every": 0},
            "checkpoint.best_metric 'validation/pass_at_1' needs an evaluation at each",
        ),
    ],
)
def test_a_job_that_would_be_refused_is_refused_in_the_same_words(
    data: dict[str, Any], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        changed(data, **values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"alpha": None},
        {"seed": 1},
        {"learning_rate": 0},
        {"learning_rate": float("inf")},
        {"clip_low": -0.1},
        {"clip_low": 1.1},
        {"clip_high": -0.1},
        {"alpha": 1.5},
        {"steps": 0},
        {"evaluation_every": -1},
    ],
)
def test_what_no_job_could_have_is_no_change(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Changes(**values)


def test_the_later_of_two_changes_has_the_word() -> None:
    first, second = Changes(learning_rate=1e-5, steps=80), Changes(steps=60, evaluation_every=0)
    both = merged(first, second)
    assert both == Changes(learning_rate=1e-5, steps=60, evaluation_every=0)
    spec = parse_spec(job())
    assert changed_spec(changed_spec(spec, first), both) == changed_spec(spec, both)


def test_changes_are_written_without_what_was_never_changed() -> None:
    text = '{"number":3,"values":{"learning_rate":0.00001,"evaluation_every":0}}'
    assert ChangesSoFar.model_validate_json(text).model_dump() == {
        "number": 3,
        "values": {"learning_rate": 1e-05, "evaluation_every": 0},
    }
    assert ChangesSoFar.model_validate_json(text).values.coefficients == {}
