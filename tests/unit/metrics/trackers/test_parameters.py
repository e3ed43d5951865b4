import json
from typing import Any

import pytest

from rkd_online.metrics.trackers.parameters import parameters, taken_name
from rkd_online.spec.load import parse_spec
from tests.unit.spec.job import job


@pytest.mark.parametrize(
    ("spec", "flat"),
    [
        ({"a": {"b": {"c": 1}}}, {"a.b.c": "1"}),
        ({"a": [{"b": 1.5}, "x"]}, {"a.0.b": "1.5", "a.1": "x"}),
        (
            {"a": None, "b": True, "c": [], "d": {}},
            {"a": "null", "b": "true", "c": "[]", "d": "{}"},
        ),
        ({"a": {"x+y (z)": 1}}, {"a.x_y _z_": "1"}),
        ({"a": "x" * 6000}, {"a": "x" * 6000}),
        ({"a": "x" * 6001}, {"a": "x" * 5997 + "..."}),
        ({"a" * 251: 1}, {"a" * 250: "1"}),
    ],
)
def test_fields_are_flat_within_what_mlflow_takes(
    spec: dict[str, Any], flat: dict[str, str]
) -> None:
    assert parameters(spec) == flat


def test_a_job_has_a_parameter_for_every_leaf() -> None:
    found = parameters(json.loads(parse_spec(job()).model_dump_json()))
    assert found["name"] == "tiny"
    assert found["rollout.max_new_tokens"] == "64"
    assert found["rewards.0.type"] == "verifier"
    assert found["evaluation.decoding.0"] == "temperature_1"
    assert found["phases"] == "[]"


def test_names_of_metrics_stay_but_for_signs_that_mlflow_refuses() -> None:
    assert taken_name("validation/pass_at_1/sums-2.b") == "validation/pass_at_1/sums-2.b"
    assert taken_name("idle/scorer_share/a+b:ä") == "idle/scorer_share/a_b__"
