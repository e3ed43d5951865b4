"""A job's metrics over its steps, out of the reports that its runs sent."""

from typing import Any

import pytest

from rkd_online.service.launchers.base import Launch, RunState
from rkd_online.service.reading.series import Bucket, Counted, Downsampled
from tests.unit.service.plane import Plane

pytestmark = pytest.mark.asyncio

REWARD = "reward/mean"


def step_event(number: int, step: int, **metrics: float) -> dict[str, Any]:
    """Names have ``__`` for ``/``."""
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    report = {"step": step, "version": step, "staleness": 0, "timings": {}, "metrics": named}
    return {"number": number, "type": "step", "data": report}


async def with_steps(plane: Plane, count: int) -> Launch:
    """A job whose reward is the step's number, and whose validation comes every fourth step."""
    launch = await plane.running()
    events = []
    for step in range(1, count + 1):
        more = {"validation__pass_at_1": step / 100} if step % 4 == 0 else {}
        events.append(step_event(step + 1, step, reward__mean=float(step), **more))
    assert (await plane.send(launch, *events)).is_success
    return launch


async def ask(plane: Plane, job_id: str, query: str = "") -> Any:
    answer = await plane.http.get(f"/v1/jobs/{job_id}/metrics?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def series(plane: Plane, job_id: str, query: str) -> Any:
    [found] = await ask(plane, job_id, query)
    return found["series"]


async def test_without_names_all_metrics_are_listed_with_unit_and_meaning(plane: Plane) -> None:
    launch = await plane.running()
    metrics = {"policy__loss": 0.5, "reward__mean__sums-2": 1.0, "phase__alpha": 0.2, "own__x": 1.0}
    await plane.send(launch, step_event(2, 1, **metrics), step_event(3, 2, reward__std=0.0))
    assert await ask(plane, launch.job_id) == [
        {"name": "own/x", "unit": "", "description": "", "series": None},
        {
            "name": "phase/alpha",
            "unit": "",
            "description": "Value of a coefficient that the phase anneals, or that was changed.",
            "series": None,
        },
        {
            "name": "policy/loss",
            "unit": "loss",
            "description": "The objective that was minimized.",
            "series": None,
        },
        {
            "name": "reward/mean/sums-2",
            "unit": "reward",
            "description": "Mean reward of the part's rollouts in the step.",
            "series": None,
        },
        {
            "name": "reward/std",
            "unit": "reward",
            "description": "Standard deviation of those rewards.",
            "series": None,
        },
    ]


async def test_few_points_are_exact_and_steps_without_the_metric_are_in_none(plane: Plane) -> None:
    launch = await with_steps(plane, 9)
    names = "names=reward/mean,validation/pass_at_1"
    reward, validation = await ask(plane, launch.job_id, names)
    steps = list(range(1, 10))
    values = [float(step) for step in steps]
    assert reward["series"] == {
        "exact": True,
        "step": steps,
        "last_step": steps,
        "mean": values,
        "min": values,
        "max": values,
    }
    assert (validation["unit"], validation["series"]["step"]) == ("share", [4, 8])
    assert validation["series"]["mean"] == [0.04, 0.08]


async def test_names_may_be_given_again_and_come_once_each_in_that_order(plane: Plane) -> None:
    launch = await with_steps(plane, 4)
    query = "names=validation/pass_at_1&names=reward/mean,,validation/pass_at_1"
    found = await ask(plane, launch.job_id, query)
    assert [one["name"] for one in found] == ["validation/pass_at_1", "reward/mean"]


async def test_many_points_share_buckets_with_mean_least_and_largest(plane: Plane) -> None:
    """Nine points in at most three buckets: of four, since three of two are not enough."""
    launch = await with_steps(plane, 9)
    assert await series(plane, launch.job_id, f"names={REWARD}&max_points=3") == {
        "exact": False,
        "step": [1, 5, 9],
        "last_step": [4, 8, 9],
        "mean": [2.5, 6.5, 9.0],
        "min": [1.0, 5.0, 9.0],
        "max": [4.0, 8.0, 9.0],
    }


async def test_a_sparse_series_stays_exact_beside_a_dense_one(plane: Plane) -> None:
    launch = await with_steps(plane, 12)
    names = "names=reward/mean&names=validation/pass_at_1&max_points=3"
    reward, validation = await ask(plane, launch.job_id, names)
    assert reward["series"]["exact"] is False
    assert (validation["series"]["exact"], validation["series"]["step"]) == (True, [4, 8, 12])


async def test_a_range_of_steps_has_its_own_points(plane: Plane) -> None:
    launch = await with_steps(plane, 9)
    query = f"names={REWARD}&from_step=3&to_step=5&max_points=3"
    found = await series(plane, launch.job_id, query)
    assert (found["exact"], found["step"]) == (True, [3, 4, 5])
    empty = await series(plane, launch.job_id, f"names={REWARD}&from_step=10")
    assert (empty["exact"], empty["step"], empty["mean"]) == (True, [], [])


async def test_a_step_that_was_done_again_counts_as_its_last_attempt_did_it(plane: Plane) -> None:
    """The first attempt came to step 9, the second goes on from step 4: its steps 7 to 9 of another
    course of things are not the job's any more."""
    first = await with_steps(plane, 9)
    plane.launcher.end(first.job_id, 1, RunState.FAILED)
    await plane.reconcile()
    await plane.reconcile()
    second = plane.launcher.launches[-1]
    again = [step_event(step - 3, step, reward__mean=step + 0.5) for step in (5, 6)]
    assert (await plane.send(second, *again)).is_success
    found = await series(plane, first.job_id, f"names={REWARD}")
    assert found["step"] == [1, 2, 3, 4, 5, 6]
    assert found["mean"] == [1.0, 2.0, 3.0, 4.0, 5.5, 6.5]
    validation = await series(plane, first.job_id, "names=validation/pass_at_1")
    assert validation["step"] == [4]


async def test_three_attempts_each_replace_what_came_behind_their_first_step() -> None:
    counted = Counted({1: 1, 2: 4, 3: 3})
    steps = [(1, 1), (1, 2), (1, 3), (1, 5), (2, 4), (2, 5), (3, 3), (3, 4)]
    assert [one for one in steps if counted.counts(*one)] == [(1, 1), (1, 2), (3, 3), (3, 4)]


async def test_a_report_of_a_step_that_came_before_is_left_out() -> None:
    counted = Counted({1: 1})
    assert [counted.counts(1, step) for step in (1, 2, 2, 1, 3)] == [True, True, False, False, True]


@pytest.mark.parametrize(
    ("points", "most", "sizes"),
    [(5, 5, [1] * 5), (6, 5, [2, 2, 2]), (10, 5, [2] * 5), (11, 5, [4, 4, 3]), (7, 1, [7])],
)
async def test_buckets_hold_all_points_and_are_never_more(
    points: int, most: int, sizes: list[int]
) -> None:
    made = Downsampled(most)
    for step in range(points):
        made.add(step, float(step % 3))
    assert [one.count for one in made.buckets] == sizes
    assert sum(one.total for one in made.buckets) == sum(step % 3 for step in range(points))
    assert made.buckets[-1].last == points - 1


async def test_a_bucket_of_buckets_is_that_of_their_points() -> None:
    whole = Bucket(1, 2, 2, 3.0, 1.0, 2.0)
    whole.add(Bucket(3, 3, 1, -6.0, -6.0, -6.0))
    assert whole == Bucket(1, 3, 3, -3.0, -6.0, 2.0)


async def test_a_metric_that_is_not_reported_yet_is_empty_and_an_unknown_one_is_refused(
    plane: Plane,
) -> None:
    launch = await with_steps(plane, 2)
    assert (await series(plane, launch.job_id, "names=policy/kl_teacher"))["step"] == []
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/metrics?names=reward/maen")
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_metric")
    assert answer.json()["detail"] == (
        "names: there is no metric 'reward/maen'; did you mean 'reward/mean'?; without names all "
        "are listed"
    )


async def test_a_metric_of_another_version_is_known_by_its_reports_alone(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, step_event(2, 1, own__x=1.0))
    assert (await series(plane, launch.job_id, "names=own/x&from_step=2"))["step"] == []
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/metrics?names=own/y")
    assert answer.json()["code"] == "unknown_metric"


async def test_a_job_without_steps_has_no_metrics_and_empty_series(plane: Plane) -> None:
    job_id = await plane.submit()
    assert await ask(plane, job_id) == []
    assert (await series(plane, job_id, f"names={REWARD}"))["step"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("names=%00", "unknown_metric"),
        ("names=a%22b", "unknown_metric"),
        ("names=..%2F..%2Fetc", "unknown_metric"),
        ("names=" + "x" * 4001, "invalid_request"),
        ("names=" + ",".join(f"a/{number}" for number in range(21)), "too_many_metrics"),
        ("&".join(f"names=a{number}" for number in range(21)), "invalid_request"),
        ("max_points=0", "invalid_request"),
        ("max_points=5001", "invalid_request"),
        ("from_step=-1", "invalid_request"),
        ("from_step=99999999999999999999999", "invalid_request"),
        ("to_step=nan", "invalid_request"),
        ("from_step=5&to_step=4", "invalid_range"),
    ],
)
async def test_what_cannot_be_asked_is_refused(plane: Plane, query: str, code: str) -> None:
    launch = await with_steps(plane, 1)
    answer = await plane.http.get(f"/v1/jobs/{launch.job_id}/metrics?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_whatever_a_run_reports_is_read_without_an_error(plane: Plane) -> None:
    """Steps and values that no run of ours has: beyond every integer of a database."""
    launch = await plane.running()
    odd = step_event(3, 10**30, reward__mean=1e300)
    odd["data"]["metrics"]['a"b'] = 1.0
    answer = await plane.send(launch, step_event(2, 1, reward__mean=2), odd)
    assert answer.is_success, answer.text
    assert (await series(plane, launch.job_id, f"names={REWARD}"))["mean"] == [2.0]
    assert [one["name"] for one in await ask(plane, launch.job_id)] == ['a"b', "reward/mean"]


@pytest.mark.parametrize("job_id", ["job-0000000000000000", "..", "%00", "%2e%2e", "x" * 5000])
async def test_a_job_that_is_not_there_has_no_metrics(plane: Plane, job_id: str) -> None:
    answer = await plane.http.get(f"/v1/jobs/{job_id}/metrics")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
