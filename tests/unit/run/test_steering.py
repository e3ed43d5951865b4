"""A job that is changed or paused while it runs, on fakes."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from rkd_online.run.steering import NO_ORDERS, Paused, unless_paused
from rkd_online.spec.changes import Changes, ChangesSoFar
from rkd_online.types import Progress, RolloutGroup, ScoredGroup, ScoredRollout, logprobs
from tests.unit.run.fake_run import FakeRun, run_train, spec

PLATEAU = {"type": "plateau", "metric": "reward/mean", "patience": 2}


def so_far(number: int, **values: Any) -> ChangesSoFar:
    return ChangesSoFar(number=number, values=Changes(**values))


class During:
    """Orders that come while the steps with these numbers are under way, 0 before the first."""

    def __init__(
        self,
        fake: FakeRun,
        changes: Mapping[int, ChangesSoFar] | None = None,
        *,
        pause: float = float("inf"),
    ) -> None:
        self._fake = fake
        self._changes = changes or {}
        self._pause = pause

    @property
    def _step(self) -> int:
        return self._fake.batches[-1].step if self._fake.batches else 0

    @property
    def changes(self) -> ChangesSoFar | None:
        come = [step for step in self._changes if step <= self._step]
        return self._changes[max(come)] if come else None

    @property
    def pausing(self) -> bool:
        return self._pause <= self._step


def steps(fake: FakeRun) -> list[int]:
    return [report.step for report in fake.reports]


def told(fake: FakeRun, *kinds: str) -> list[str]:
    return [line for line in fake.log if line.startswith(kinds)]


def paused(fake: FakeRun, **changes: Any) -> int:
    """The step after which a run with these arguments ends."""
    with pytest.raises(Paused) as pause:
        run_train(fake, **changes)
    return pause.value.step


def test_changes_hold_from_the_next_step_and_are_said_once() -> None:
    fake = FakeRun()
    changes = {2: so_far(1, learning_rate=1e-3, clip_low=0.125, steps=5, evaluation_every=1)}
    steering = run_train(fake, spec(), orders=During(fake, changes))
    kinds = ("update", "validate", "learn", "prompts", "changed", "checkpoint")
    assert told(fake, *kinds) == [
        "update 1",
        "update 2", "validate 2",
        "prompts of 5 steps from group 9",
        "learn at 0.001 for 5 steps",
        "changed: {'step': 3, 'number': 1, 'values': {'learning_rate': 0.001, 'clip_low': 0.125, "
        "'steps': 5, 'evaluation_every': 1}}",
        "checkpoint 2",
        "update 3", "validate 3",
        "update 4", "validate 4", "checkpoint 4",
        "update 5", "validate 5", "checkpoint 5",
    ]  # fmt: skip
    clips = [report.metrics.get("phase/clip_low") for report in fake.reports]
    assert clips == [None, None, 0.125, 0.125, 0.125]
    assert (steering.spec.steps, steering.done) == (5, 5)


def test_a_change_to_the_value_that_it_has_changes_nothing() -> None:
    plain, changed = FakeRun(), FakeRun()
    run_train(plain, spec())
    run_train(changed, spec(), orders=During(changed, {1: so_far(1, learning_rate=1e-6)}))
    kinds = ("update", "publish", "validate", "record", "report", "checkpoint")
    assert told(changed, *kinds) == told(plain, *kinds)
    assert changed.batches == plain.batches
    assert changed.saved == plain.saved


def test_what_is_told_again_is_not_taken_again_but_what_comes_next_is() -> None:
    fake = FakeRun()
    first, second = so_far(1, alpha=0.25), so_far(2, alpha=0.25, steps=5)
    run_train(fake, spec(), orders=During(fake, {0: first, 2: second}))
    assert told(fake, "changed") == [
        "changed: {'step': 1, 'number': 1, 'values': {'alpha': 0.25}}",
        "changed: {'step': 3, 'number': 2, 'values': {'alpha': 0.25, 'steps': 5}}",
    ]
    assert [report.metrics["phase/alpha"] for report in fake.reports] == [0.25] * 5


def test_a_resumed_run_is_told_changes_that_its_spec_has_and_says_nothing() -> None:
    fake = FakeRun()
    fake.sampler_version = 1
    job = spec(algorithm={"type": "rlad", "alpha": 0.25})
    orders = During(fake, {0: so_far(4, alpha=0.25)})
    run_train(fake, job, done=1, orders=orders, applied=4)
    assert told(fake, "changed", "learn") == []
    assert [report.metrics["phase/alpha"] for report in fake.reports] == [0.25, 0.25]


@pytest.mark.parametrize("fewer", [1, 2])
def test_a_job_whose_new_last_step_has_begun_ends_with_the_one_under_way(fewer: int) -> None:
    fake = FakeRun()
    job = spec(steps=9, checkpoint={"every": 5})
    steering = run_train(fake, job, orders=During(fake, {2: so_far(1, steps=fewer)}))
    assert steps(fake) == [1, 2]
    assert fake.saved == [Progress(2, 9, (6, 7, 8))]
    (event,) = told(fake, "changed")
    assert event == f"changed: {{'step': 2, 'number': 1, 'values': {{'steps': {fewer}}}}}"
    assert steering.stopping.last == 2


def test_fewer_steps_bring_the_last_one_forward() -> None:
    fake = FakeRun()
    rollout = {"prompts_per_step": 3, "group_size": 2, "max_staleness": 2}
    job = spec(steps=9, checkpoint={"every": 5}, rollout=rollout)
    run_train(fake, job, orders=During(fake, {2: so_far(1, steps=4)}))
    assert steps(fake) == [1, 2, 3, 4]
    assert [one.step for one in fake.saved] == [4]


def test_more_steps_that_come_with_the_last_one_make_it_one_of_many() -> None:
    fake = FakeRun()
    run_train(fake, spec(), orders=During(fake, {3: so_far(1, steps=6)}))
    assert steps(fake) == [1, 2, 3, 4, 5, 6]
    assert [batch.oldest_version for batch in fake.batches] == [0, 1, 2, 3, 4, 5]
    assert [one.step for one in fake.saved] == [2, 4, 6]


class Rising(FakeRun):
    """Rewards get better until step 3, so that a plateau of two values ends with step 5."""

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        reward = min(group.group_id // 3, 2) / 4
        scored = tuple(
            ScoredRollout(rollout, reward, {}, reward, logprobs([-1, -1]))
            for rollout in group.rollouts
        )
        return ScoredGroup(group.group_id, group.prompt, scored)


@pytest.mark.parametrize(
    "ends",
    [
        {"early_stop": PLATEAU},
        {
            "algorithm": None,
            "phases": [
                {"algorithm": {"type": "opd"}, "until": PLATEAU},
                {"algorithm": {"type": "grpo"}},
            ],
        },
    ],
)
def test_a_step_that_became_the_last_one_stops_nothing_early_and_begins_no_phase(
    ends: dict[str, Any],
) -> None:
    plain, changed = Rising(), Rising()
    run_train(plain, spec(steps=6, **ends))
    assert len(told(plain, "early_stop", "phase")) == 1
    run_train(changed, spec(steps=6, **ends), orders=During(changed, {5: so_far(1, steps=4)}))
    assert steps(changed) == [1, 2, 3, 4, 5]
    assert told(changed, "early_stop", "phase") == []


def test_a_pause_ends_a_run_behind_the_checkpoint_of_the_step_under_way() -> None:
    fake = FakeRun()
    job = spec(checkpoint={"every": 5}, steps=9)
    assert paused(fake, job=job, orders=During(fake, pause=2)) == 2
    assert steps(fake) == [1, 2]
    assert fake.log[-2:] == ["trace 2", "checkpoint 2"]
    assert fake.saved == [Progress(2, 9, (6, 7, 8))]


def test_a_paused_job_goes_on_as_if_it_had_not_been_paused() -> None:
    whole, first, second = FakeRun(), FakeRun(), FakeRun()
    job = spec(steps=5)
    run_train(whole, job)
    assert paused(first, job=job, orders=During(first, pause=3)) == 3
    second.sampler_version = 3
    run_train(second, job, done=3, earlier=first.reports)
    assert first.batches + second.batches == whole.batches
    assert steps(first) + steps(second) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("done", [0, 2])
def test_a_pause_before_the_first_step_begins_none(done: int) -> None:
    fake = FakeRun()
    assert paused(fake, job=spec(), done=done, orders=During(fake, pause=0)) == done
    assert fake.log == []


def test_a_pause_at_the_last_step_leaves_the_measurements_to_the_next_attempt() -> None:
    fake = FakeRun()
    assert paused(fake, job=spec(), orders=During(fake, pause=3)) == 3
    assert [one.step for one in fake.saved] == [2, 3]


def test_changes_that_come_with_a_pause_are_taken_for_the_next_attempt() -> None:
    fake = FakeRun()
    orders = During(fake, {1: so_far(1, steps=7)}, pause=1)
    assert paused(fake, job=spec(), orders=orders) == 1
    assert told(fake, "changed") == ["changed: {'step': 2, 'number': 1, 'values': {'steps': 7}}"]


class Switch:
    """Orders without changes."""

    changes = None
    pausing = False


def test_a_pause_gives_up_what_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rkd_online.run.steering.WATCH_SECONDS", 0.01)
    orders, ended = Switch(), []

    async def measure() -> None:
        orders.pausing = True
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("measurement")

    async def run() -> None:
        with pytest.raises(Paused) as pause:
            await unless_paused(measure(), orders, 4)
        assert pause.value.step == 4
        assert ended == ["measurement"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_what_is_no_step_gives_its_result_or_its_error() -> None:
    async def measure(value: int) -> int:
        await asyncio.sleep(0)
        return 12 // value

    assert asyncio.run(unless_paused(measure(3), NO_ORDERS, 0)) == 4
    with pytest.raises(ZeroDivisionError):
        asyncio.run(unless_paused(measure(0), NO_ORDERS, 0))


def test_a_run_that_is_called_off_ends_what_it_measures() -> None:
    ended = []

    async def measure() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("measurement")

    async def run() -> None:
        task = asyncio.create_task(unless_paused(measure(), NO_ORDERS, 0))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        assert ended == ["measurement"]

    asyncio.run(run())
