"""What the teacher costs: RLAD against GRPO, with a teacher of twice the layers.

Each job runs in a process of its own, which counts the CPU time of a whole step; then the durations
of its parts are replayed on roles that only wait, as if there were cores to spare.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.loop_cost import Instant, Nothing
from benchmarks.models import SHAPES, VOCABULARY, folder, make_model, make_tokenizer, prompt_files
from benchmarks.results import ROOT, Figure, Goal, Result, Row, result
from rkd_online.inference.environment import prepare_engine_process
from rkd_online.metrics.sinks import read_reports
from rkd_online.run.loop import Roles, train
from rkd_online.run.pipeline import Pipeline
from rkd_online.run.pools import GeneratorPool, ScorerPool
from rkd_online.run.records import AttemptFolder, RunFolder
from rkd_online.run.report import StepReporter
from rkd_online.run.steering import Steering
from rkd_online.spec import JobSpec
from rkd_online.types import (
    Progress,
    RolloutGroup,
    SamplingRequest,
    ScoredGroup,
    StepReport,
    TrainingBatch,
    UpdateResult,
)
from rkd_online.weights.publisher import WeightPublisher

STUDENT: Final = SHAPES["10M"]
TEACHER: Final = replace(STUDENT, layers=2 * STUDENT.layers)
PROMPTS, GROUP, PROMPT_TOKENS, NEW_TOKENS = 8, 8, 128, 64
WARM_UP, STEPS = 2, 8
REPLAYED: Final = 20


def measure() -> Result:
    """Core-seconds of a step of each, of a bare forward, and the step times of the replay."""
    grpo, rlad = _job("grpo"), _job("rlad")
    bare = float(_said("bare"))
    spent = {name: _core_seconds(reports) for name, reports in (("grpo", grpo), ("rlad", rlad))}
    with_teacher, without = _replay(rlad, scores=True), _replay(rlad, scores=False)
    rows: list[Row] = [
        Figure(what="GRPO, core-seconds of a step", value=spent["grpo"], unit="s"),
        Figure(what="RLAD, core-seconds of a step", value=spent["rlad"], unit="s"),
        Figure(what="bare teacher forward of its tokens, core-seconds", value=bare, unit="s"),
        Goal(
            what="what RLAD adds, over the bare forward",
            value=(spent["rlad"] - spent["grpo"]) / bare,
            unit="x",
            bound="at most",
            limit=1.1,
        ),
        Goal(
            what="step time with the teacher over that without, cores to spare (replay)",
            value=with_teacher / without,
            unit="x",
            bound="at most",
            limit=1.05,
        ),
    ]
    return result("teacher-cost", "What the teacher costs (10M student, twice its layers)", rows)


def main() -> None:
    """``job ALGORITHM FOLDER`` runs a job there, ``bare`` prints what a forward takes."""
    prepare_engine_process("cpu")
    if sys.argv[1] == "bare":
        print(_bare_forward())
        return
    from rkd_online.run.inline import run_inline

    run_inline(JobSpec.model_validate(_spec(sys.argv[2])), RunFolder(Path(sys.argv[3])))


def _job(algorithm: str) -> list[StepReport]:
    with tempfile.TemporaryDirectory(prefix="rkd-benchmark-") as place:
        _said("job", algorithm, place)
        (attempt,) = RunFolder(Path(place)).attempts()
        return read_reports([attempt.metrics])[WARM_UP:]


def _said(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.teacher_cost", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1] if done.stdout else ""


def _core_seconds(reports: Sequence[StepReport]) -> float:
    return statistics.median(report.metrics["loop/core_seconds"] for report in reports)


def _spec(algorithm: str) -> dict[str, Any]:
    models = {name: str(_model(name)) for name in ("student", "teacher")}
    files = {split: str(path) for split, path in prompt_files(PROMPT_TOKENS).items()}
    teacher = {"teacher": {"model": models["teacher"]}} if algorithm == "rlad" else {}
    return {
        "version": 1,
        "name": "teacher-cost",
        "policy": {"model": models["student"]},
        **teacher,
        "algorithm": {"type": algorithm},
        "task": {"type": "file", "match": "numeric", **files},
        "prompt": {"type": "plain"},
        "rewards": [{"type": "verifier", "extractor": "last_number"}],
        "rollout": {
            "prompts_per_step": PROMPTS,
            "group_size": GROUP,
            "max_prompt_tokens": PROMPT_TOKENS,
            "max_new_tokens": NEW_TOKENS,
        },
        "evaluation": {"prompts": 1, "samples": 1},
        "checkpoint": {"every": WARM_UP + STEPS},
        "steps": WARM_UP + STEPS,
    }


def _model(name: str) -> Path:
    place = folder() / "models" / f"teacher-cost-{name}"
    if not (place / "tokenizer.json").is_file():
        shape = TEACHER if name == "teacher" else STUDENT
        make_model(shape, VOCABULARY).save_pretrained(place)
        make_tokenizer(VOCABULARY).save_pretrained(place)
    return place


def _bare_forward() -> float:
    """Core-seconds of transformers' own forward of a step's tokens, all of one length, and of the
    log-probs of the completions, which is what a teacher is asked for."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(_model("teacher"), dtype=torch.float32).eval()
    ids = torch.randint(2, VOCABULARY, (PROMPTS, GROUP, PROMPT_TOKENS + NEW_TOKENS))
    times = []
    for _ in range(3):
        started = time.process_time()
        with torch.no_grad():
            for group in ids:
                logits = model(input_ids=group, logits_to_keep=NEW_TOKENS + 1).logits[:, :-1]
                targets = group[:, PROMPT_TOKENS:, None]
                torch.log_softmax(logits, -1).gather(-1, targets)
        times.append(time.process_time() - started)
    return min(times)


class Replayed(Instant):
    """Roles that take as long as the measured ones: one generator, one scorer, one learner, each
    busy with one thing at a time."""

    def __init__(self, reports: Sequence[StepReport], *, scores: bool) -> None:
        super().__init__()
        self._generate = _busy(reports, "generator", PROMPTS)
        self._score = _busy(reports, "scorer", PROMPTS) if scores else 0.0
        self._update = statistics.median(report.timings["update"] for report in reports)
        self._scorer = asyncio.Lock()

    async def sample(self, requests: Sequence[SamplingRequest]) -> AsyncIterator[RolloutGroup]:
        async for group in super().sample(requests):
            await asyncio.sleep(self._generate)
            yield group

    async def score(self, group: RolloutGroup) -> ScoredGroup:
        async with self._scorer:
            await asyncio.sleep(self._score)
        return await super().score(group)

    async def update(self, batch: TrainingBatch) -> UpdateResult:
        await asyncio.sleep(self._update)
        return await super().update(batch)


def _busy(reports: Sequence[StepReport], role: str, groups: int) -> float:
    """Seconds that a role works on one group."""
    tokens = PROMPTS * GROUP * NEW_TOKENS
    rate = statistics.median(
        report.metrics[f"throughput/{role}_tokens_per_second"] for report in reports
    )
    return tokens / rate / groups


def _replay(reports: Sequence[StepReport], *, scores: bool) -> float:
    """Seconds of a step in the middle of a pipelined run."""

    class Kept(Nothing):
        def __init__(self) -> None:
            self.steps: list[float] = []

        def report(self, report: StepReport) -> None:
            self.steps.append(report.timings["step"])

    kept, nothing = Kept(), Nothing()

    async def run() -> None:
        fake = Replayed(reports, scores=scores)
        spec = JobSpec.model_validate(_spec("rlad") | {"steps": REPLAYED})
        rollout = spec.rollout.model_copy(update={"max_staleness": 1})
        spec, start = spec.model_copy(update={"rollout": rollout}), Progress(0, 0, ())
        policy, scorers = GeneratorPool([fake]), ScorerPool([fake])
        with tempfile.TemporaryDirectory() as place:
            roles = Roles(
                batches=Pipeline(fake, policy, scorers, spec, start),
                learner=fake,
                publisher=WeightPublisher(fake, [fake], precision="float32", timeout_seconds=60.0),
                records=AttemptFolder(Path(place)),
                validation=nothing,
                checkpoints=nothing,
                reporter=StepReporter({"learner:0": fake}, kept, nothing, correct_at=1.0),
            )
            await train(roles, Steering(spec, start), start)

    asyncio.run(run())
    return statistics.median(kept.steps[3:-3])


if __name__ == "__main__":
    main()
