"""The loop on fakes: order, versions, records and what happens when a role fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from rkd_online.errors import TrainingError
from rkd_online.spec import JobSpec
from rkd_online.types import (
    PhasePlace,
    Progress,
    RolloutGroup,
    SamplingRequest,
    TrainingBatch,
    UpdateResult,
)
from tests.unit.run.fake_run import FakeRun, run_train, spec


def test_each_step_runs_its_stages_in_order_on_the_newest_version() -> None:
    fake = FakeRun()
    run_train(fake, spec())
    assert [line for line in fake.log if not line.startswith(("sample", "trace"))] == [
        "update 1", "publish 1", "record 1", "report 1",
        "update 2", "publish 2", "validate 2", "record 2", "report 2", "checkpoint 2",
        "update 3", "publish 3", "record 3", "report 3", "checkpoint 3",
    ]  # fmt: skip
    assert all(fake.log.index(f"sample with {n}") > fake.log.index(f"publish {n}") for n in (1, 2))


def test_strictly_on_policy_the_next_step_is_sampled_after_the_validation_of_its_version() -> None:
    fake = FakeRun()
    run_train(fake, spec())
    assert [batch.oldest_version for batch in fake.batches] == [0, 1, 2]
    assert fake.log.index("validate 2") < fake.log.index("sample with 2")


def test_with_staleness_a_step_is_learned_from_while_later_ones_are_sampled() -> None:
    fake = FakeRun()
    run_train(fake, spec(rollout={"prompts_per_step": 3, "group_size": 2, "max_staleness": 1}))
    assert fake.log[:3] == ["sample with 0", "update 1", "publish 1"]
    assert [batch.oldest_version for batch in fake.batches] == [0, 0, 1]
    assert [report.staleness for report in fake.reports] == [0, 1, 1]
    assert [report.metrics["rollout/staleness_mean"] for report in fake.reports] == [0, 1, 1]


def test_a_checkpoint_says_what_is_under_way() -> None:
    fake = FakeRun()
    run_train(fake, spec())
    assert fake.saved == [Progress(2, 9, (6, 7, 8)), Progress(3, 9, ())]


def test_a_batch_is_in_the_order_of_its_groups_whatever_ended_first() -> None:
    fake = FakeRun()
    run_train(fake, spec(steps=1))
    assert [row.group_id for row in fake.batches[0].rows] == [0, 0, 1, 1, 2, 2]


def test_a_resumed_run_starts_with_the_step_after_the_last() -> None:
    fake = FakeRun()
    fake.sampler_version = 2
    run_train(fake, spec(), done=2)
    assert [report.step for report in fake.reports] == [3]


def test_a_report_holds_metrics_of_all_stages() -> None:
    fake = FakeRun()
    run_train(fake, spec(steps=2))
    report = fake.reports[1]
    assert (report.step, report.version, report.staleness) == (2, 2, 0)
    assert report.metrics["policy/loss"] == 0.5
    assert report.metrics["validation/pass_at_1"] == 0.25
    assert report.metrics["reward/mean"] == 0.5
    assert report.metrics["weights/probe_difference"] == 0.0
    stages = {"generate", "score", "assemble", "update", "publish", "swap", "record", "evaluate"}
    assert set(report.timings) == stages | {"step"}


def test_a_checkpoint_is_time_of_the_step_after_it() -> None:
    fake = FakeRun()
    run_train(fake, spec())
    assert ["checkpoint" in report.timings for report in fake.reports] == [False, False, True]


def phased(**changes: object) -> JobSpec:
    """A plateau of two values ends opd: the reward of every step is 0.5."""
    until = {"type": "plateau", "metric": "reward/mean", "patience": 2}
    phases = [{"algorithm": {"type": "opd"}, "until": until}, {"algorithm": {"type": "grpo"}}]
    return spec(algorithm=None, phases=phases, steps=5, **changes)


def test_the_phase_of_a_step_goes_with_its_batch_and_the_switch_is_an_event() -> None:
    fake = FakeRun()
    run_train(fake, phased())
    turns = [(batch.turn.phase, batch.turn.done) for batch in fake.batches]
    assert turns == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert [report.metrics["phase/index"] for report in fake.reports] == [0, 0, 0, 1, 1]
    assert [line for line in fake.log if line.startswith("phase")] == [
        "phase: {'step': 4, 'phase': 1, 'before': 'opd', 'after': 'grpo', "
        "'reason': 'reward/mean got no better in 2 values'}"
    ]


def test_a_checkpoint_has_the_place_in_the_phases() -> None:
    fake = FakeRun()
    run_train(fake, phased())
    assert [one.phase for one in fake.saved] == [
        PhasePlace(0, 1, (0.5, 0.5)),
        PhasePlace(1, 4, ()),
        PhasePlace(1, 4, ()),
    ]


class Unwanted(FakeRun):
    """Groups that no step waits for never end; those that are given up are written down."""

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        wanted = [request for request in requests if request.group_id < 9]
        async for group in super().sample(wanted):
            yield group
        if len(wanted) < len(requests):
            await asyncio.Event().wait()

    async def abort(self, group_ids: Sequence[int]) -> None:
        self.log.append(f"abort {list(group_ids)}")


def stopping(**changes: object) -> JobSpec:
    """A plateau of two values ends the job with step 3 of 5: the reward of every step is 0.5."""
    stop = {"type": "plateau", "metric": "reward/mean", "patience": 2}
    return spec(early_stop=stop, steps=5, checkpoint={"every": 2}, **changes)


STOP = "early_stop: {'step': 3, 'reason': 'reward/mean got no better in 2 values'}"


def test_an_early_stop_ends_the_job_with_a_checkpoint_and_gives_up_what_is_under_way() -> None:
    fake = Unwanted()
    run_train(fake, stopping())
    assert [report.step for report in fake.reports] == [1, 2, 3]
    kept = ("report", "early_stop", "checkpoint", "abort")
    assert [line for line in fake.log if line.startswith(kept)] == [
        "report 1", "report 2", "checkpoint 2", "report 3", STOP, "checkpoint 3",
        "abort [9, 10, 11]",
    ]  # fmt: skip


def test_with_staleness_an_early_stop_gives_up_the_groups_of_two_steps() -> None:
    fake = Unwanted()
    run_train(fake, stopping(rollout={"prompts_per_step": 3, "group_size": 2, "max_staleness": 1}))
    assert [report.step for report in fake.reports] == [1, 2, 3]
    assert fake.log[-1] == "abort [9, 10, 11, 12, 13, 14]"


def test_a_run_that_was_killed_after_its_early_stop_does_no_further_step() -> None:
    fake, again = Unwanted(), FakeRun()
    run_train(fake, stopping())
    run_train(again, stopping(), done=3, earlier=fake.reports)
    assert again.log == [STOP]


def test_a_resumed_run_stops_where_the_first_one_did() -> None:
    whole = Unwanted()
    run_train(whole, stopping())
    for done in (1, 2):
        fake = Unwanted()
        fake.sampler_version = done
        run_train(fake, stopping(), done=done, earlier=whole.reports[:done])
        assert [report.step for report in fake.reports] == list(range(done + 1, 4))
        assert STOP in fake.log


def test_an_early_stop_leaves_no_phase_to_begin() -> None:
    fake = Unwanted()
    stop = {"type": "reached", "metric": "validation/pass_at_1", "value": 0.25}
    phases = [
        {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": 2}},
        {"algorithm": {"type": "grpo"}},
    ]
    run_train(fake, spec(algorithm=None, phases=phases, early_stop=stop, steps=5))
    assert [report.step for report in fake.reports] == [1, 2]
    assert not [line for line in fake.log if line.startswith("phase")]
    assert [(one.step, one.phase) for one in fake.saved] == [(2, PhasePlace(0, 1, ()))]


class BrokenLearner(FakeRun):
    """The update fails while all groups but the first step's are being sampled."""

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        try:
            async for group in super().sample(requests[:3]):
                yield group
            await asyncio.Event().wait()
        finally:
            self.log.append("sampling ends")

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        self.log.append(f"update {batch.step}")
        raise TrainingError("the loss is NaN")


def test_an_error_of_an_update_ends_the_run_and_what_is_under_way() -> None:
    fake = BrokenLearner()
    with pytest.raises(TrainingError, match="the loss is NaN"):
        run_train(fake, spec(rollout={"prompts_per_step": 3, "group_size": 2, "max_staleness": 2}))
    assert fake.log == ["sample with 0", "update 1", "sampling ends"]
