"""Which trackers a job may ask for, and what is said of those that it may not."""

from typing import Any

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec.load import parse_spec
from rkd_online.spec.plan import describe_plan
from tests.unit.spec.job import job


def test_a_job_has_no_tracker_of_itself() -> None:
    assert parse_spec(job()).trackers == ()
    assert "trackers" not in describe_plan(parse_spec(job()))


def test_the_plan_names_the_trackers() -> None:
    asked = [{"type": "tensorboard"}, {"type": "mlflow", "endpoint": "team", "experiment": "sums"}]
    assert (
        "  trackers     TensorBoard files in the job's folder\n"
        "               MLflow at team, experiment sums\n"
    ) in describe_plan(parse_spec(job(trackers=asked)))


@pytest.mark.parametrize(
    ("trackers", "line"),
    [
        (
            [{"type": "wandb"}],
            "trackers.0.type: found 'wandb', should be 'tensorboard', 'mlflow'",
        ),
        (
            [{"type": "tensorbord"}],
            "trackers.0.type: found 'tensorbord', should be 'tensorboard', 'mlflow'; did you mean "
            "'tensorboard'?",
        ),
        ([{"experiment": "a"}], "trackers.0.type: missing, should be 'tensorboard', 'mlflow'"),
        (
            [{"type": "mlflow", "uri": "http://elsewhere"}],
            "trackers.0.uri: unknown key (found 'http://elsewhere') (allowed: type, endpoint, "
            "experiment, run_name)",
        ),
        (
            [{"type": "mlflow", "endpoint": "http://elsewhere"}],
            "trackers.0.endpoint: found 'http://elsewhere', should match pattern "
            "'^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'",
        ),
        (
            [{"type": "mlflow"}, {"type": "tensorboard"}, {"type": "mlflow", "endpoint": "team"}],
            "trackers.2.type 'mlflow' is that of trackers.0 too: a job takes each type once",
        ),
    ],
)
def test_what_cannot_be_is_refused(trackers: list[dict[str, Any]], line: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_spec(job(trackers=trackers))
    assert str(refused.value).splitlines() == [line]


@pytest.mark.parametrize("title", ["", "two\nlines", "x" * 251])
def test_a_title_is_one_line_that_mlflow_takes(title: str) -> None:
    with pytest.raises(SpecError, match=r"trackers\.0\.experiment: found .* should match pattern"):
        parse_spec(job(trackers=[{"type": "mlflow", "experiment": title}]))
