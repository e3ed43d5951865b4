"""A step's report from spans and a clock whose numbers are known: a step from 100 s to 110 s."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import pytest

from rkd_online.metrics.busy import BusySpan, WorkLog
from rkd_online.run.report import StepReporter, idle_shares, throughput
from rkd_online.run.stages import StageClock
from rkd_online.types import (
    PromptItem,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    StepReport,
    VersionSpan,
    logprobs,
    token_ids,
)

START, END = 100.0, 110.0


def group(group_id: int, rewards: tuple[float, float], lengths: tuple[int, int]) -> ScoredGroup:
    prompt = PromptItem("p", "train", 0, token_ids([1]), "3", "t", "d")
    scored = tuple(
        ScoredRollout(
            Rollout(
                index,
                token_ids([5] * length),
                logprobs([-1.0] * length),
                (VersionSpan(0, 0, length),),
                "stop",
            ),
            reward,
            {"verifier": reward},
            reward,
            None,
        )
        for index, (reward, length) in enumerate(zip(rewards, lengths, strict=True))
    )
    return ScoredGroup(group_id, prompt, scored)


# 20 tokens in 4 rollouts.
GROUPS = [group(0, (1.0, 0.0), (3, 5)), group(1, (1.0, 1.0), (2, 10))]

GENERATORS = [
    BusySpan("generator", "generate", 101.0, 104.0),
    BusySpan("generator", "generate", 102.0, 105.0),
    BusySpan("generator", "publish", 108.0, 109.0),
]
SCORER = [BusySpan("scorer", "score", 104.0, 106.0), BusySpan("scorer", "score", 80.0, 95.0)]


class Worker:
    """Says once when it worked."""

    def __init__(self, spans: list[BusySpan], process: str, cpu_seconds: float) -> None:
        self._spans = tuple(spans)
        self._process = process
        self.cpu_seconds = cpu_seconds

    async def work(self) -> WorkLog:
        return WorkLog(self._spans, self._process, self.cpu_seconds)


class Sink:
    """Takes reports and traces."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []
        self.traced: list[tuple[int, dict[str, int]]] = []

    def step(self, step: int, spans: Mapping[str, Sequence[BusySpan]]) -> None:
        self.traced.append((step, {name: len(work) for name, work in spans.items()}))

    def report(self, report: StepReport) -> None:
        self.reports.append(report)

    def event(self, type: str, data: dict[str, object]) -> None: ...

    def close(self) -> None: ...


def test_rates_of_a_step_are_over_its_whole_time() -> None:
    rates = throughput(GROUPS, [], START, END)
    assert rates == {
        "throughput/rollouts_per_second": 0.4,
        "throughput/tokens_per_second": 2.0,
    }


def test_a_roles_rate_is_over_its_own_work_that_two_engines_share() -> None:
    rates = throughput(GROUPS, GENERATORS + SCORER, START, END)
    # Sampling covers 101 to 105, scoring 104 to 106.
    assert rates["throughput/generator_tokens_per_second"] == 5.0
    assert rates["throughput/scorer_tokens_per_second"] == 10.0


def test_work_outside_the_step_does_not_count() -> None:
    spans = [
        BusySpan("generator", "generate", 90.0, 102.0),
        BusySpan("scorer", "score", 109.5, 130.0),
        BusySpan("learner", "update", 90.0, 99.0),
        BusySpan("learner", "update", 111.0, 112.0),
    ]
    rates = throughput(GROUPS, spans, START, END)
    assert rates["throughput/generator_tokens_per_second"] == 10.0
    assert rates["throughput/scorer_tokens_per_second"] == 40.0
    assert "throughput/learner_tokens_per_second" not in rates


def test_where_nothing_is_sampled_a_generators_work_is_no_rate_of_the_step() -> None:
    """It answers the evaluation of a job that learns from a store."""
    spans = [*GENERATORS, BusySpan("learner", "update", 101.0, 103.0)]
    rates = throughput(GROUPS, spans, START, END, ["learner"])
    assert rates["throughput/learner_tokens_per_second"] == 10.0
    assert "throughput/generator_tokens_per_second" not in rates


def test_what_was_done_before_the_first_step_costs_it_nothing_and_is_in_its_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processor = iter([1.0, 1.5, 1.75])
    times = SimpleNamespace(time=lambda: END, process_time=lambda: next(processor))
    monkeypatch.setattr("rkd_online.run.report.time", times)
    monkeypatch.setattr("rkd_online.run.cost.time", times)
    clock, sink = StageClock(), Sink()
    clock.started = START
    worker = Worker(SCORER, "a", 4.0)
    reporter = StepReporter({"scorer:0": worker}, sink, sink, correct_at=1.0)
    asyncio.run(reporter.start())
    worker.cpu_seconds = 6.0
    asyncio.run(reporter.step(1, GROUPS, {}, clock))
    # Process a 2 s since the start, and a quarter of a second of this one.
    assert sink.reports[0].metrics["loop/core_seconds"] == pytest.approx(2.25)
    assert sink.traced == [(1, {"loop": 0, "scorer:0": 4})]


def test_a_report_joins_metrics_rates_and_the_loops_own_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processor = iter([1.0, 1.5])
    times = SimpleNamespace(time=lambda: END, process_time=lambda: next(processor))
    monkeypatch.setattr("rkd_online.run.report.time", times)
    monkeypatch.setattr("rkd_online.run.cost.time", times)
    clock = StageClock()
    clock.started = START
    clock.add("generate", 101.0, 105.0)
    clock.add("score", 105.0, 106.0)
    sink = Sink()
    workers = {
        "generator:0": Worker(GENERATORS, "a", 4.0),
        "generator:1": Worker([], "b", 0.25),
        "scorer:0": Worker(SCORER, "a", 4.0),
    }
    reporter = StepReporter(workers, sink, sink, correct_at=1.0)
    asyncio.run(reporter.step(7, GROUPS, {"policy/loss": -0.5}, clock))
    (report,) = sink.reports
    metrics = report.metrics
    assert (report.step, report.version, report.staleness) == (7, 7, 6)
    assert report.timings == {"generate": 4.0, "score": 1.0, "step": 10.0}
    assert metrics["policy/loss"] == -0.5
    assert metrics["reward/mean"] == 0.75
    assert metrics["throughput/tokens_per_second"] == 2.0
    # Somebody works from 101 to 106 and from 108 to 109.
    assert metrics["loop/share"] == pytest.approx(0.4)
    # One generator is idle for all 10 s, the other for 5; the scorer works 2 of them.
    assert metrics["idle/generator_share"] == pytest.approx((1.0 + 0.5) / 2)
    assert metrics["idle/scorer_share"] == pytest.approx(0.8)
    # Process a 4 s, b 0.25 s, and half a second of this one.
    assert metrics["loop/core_seconds"] == pytest.approx(4.75)
    assert metrics["cost/generator_busy_seconds"] == pytest.approx(5.0)
    assert metrics["cost/loop_core_seconds"] == pytest.approx(0.5)
    assert metrics["rollout/staleness_mean"] == 6
    assert sink.traced == [(7, {"loop": 2, "generator:0": 3, "generator:1": 0, "scorer:0": 2})]


def test_idle_shares_are_of_each_teachers_scorers_too() -> None:
    work = {
        "scorer:easy:0": [BusySpan("scorer", "score", 100.0, 105.0)],
        "scorer:easy:1": [],
        "scorer:hard+odd:0": SCORER,
        "learner:0": [BusySpan("learner", "update", 100.0, 110.0)],
    }
    assert idle_shares(work, START, END) == pytest.approx(
        {
            "idle/scorer_share": (0.5 + 1.0 + 0.8) / 3,
            "idle/scorer_share/easy": 0.75,
            "idle/scorer_share/hard+odd": 0.8,
            "idle/learner_share": 0.0,
        }
    )


def test_a_report_names_the_rewards_of_the_parts() -> None:
    sink = Sink()
    reporter = StepReporter({}, sink, sink, correct_at=1.0, parts=["t"])
    asyncio.run(reporter.step(1, GROUPS, {}, StageClock()))
    assert sink.reports[0].metrics["reward/mean/t"] == 0.75
