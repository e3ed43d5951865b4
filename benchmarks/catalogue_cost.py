"""What a step of the learner costs by method, over one of grpo on the same batch.

Teacher log-probs and candidates are given, as a scorer would have given them beside the sampling.
Each step of a method has one of grpo next to it, before it and after it in turn, and their ratio
counts: a machine that becomes slower or faster meanwhile does so for both.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import torch

from benchmarks.models import random_model
from benchmarks.progress import Progress
from benchmarks.results import Figure, Goal, Result, Row, result
from rkd_online.learning.learner import PolicyLearner
from rkd_online.learning.ranks import Ranks
from rkd_online.objectives import needs_old_first
from rkd_online.spec.algorithm import Algorithm, Grpo
from rkd_online.spec.phases import Phase
from rkd_online.spec.training import OptimizerSpec
from rkd_online.types import (
    ALONE,
    CandidateRow,
    Candidates,
    TrainingBatch,
    TrainingRow,
    Turn,
    candidate_ids,
    logprobs,
    token_ids,
)
from rkd_online.zoo import zoo_path

THREADS: Final = 2
GROUP: Final = 8
IDS: Final = 250
"""Tokens that all models have."""
CANDIDATES: Final = 16
LIMIT: Final = 1.03
METHODS: Final[tuple[Algorithm, ...]] = tuple(kind() for kind in get_args(get_args(Algorithm)[0]))
OPTIONS: Final[dict[str, Algorithm]] = {
    "grpo with reference_kl (a forward pass of the reference)": Grpo.model_validate(
        {"reference_kl": {"type": "k2", "beta": 0.01}}
    ),
    f"grpo with teacher_divergence, k {CANDIDATES} (candidates in the head)": Grpo.model_validate(
        {"teacher_divergence": {"type": "reverse", "k": CANDIDATES, "weight": 0.1}}
    ),
}


@dataclass(frozen=True)
class Size:
    """A model and a batch of whole groups of ``GROUP`` rows, of which ``rounds`` steps are taken
    by each method."""

    name: str
    folder: Callable[[], Path]
    groups: int
    prompt: int
    completion: int
    rounds: int


SIZES: Final = (
    Size("bundled student", lambda: zoo_path("zoo:chain-sum/student"), 32, 12, 28, rounds=15),
    Size("10M", lambda: random_model("10M"), 4, 128, 64, rounds=7),
)


def measure() -> Result:
    """Every method of the catalogue, and the options that cost a model or a wider head."""
    before = torch.get_num_threads()
    try:
        rows = [row for size in SIZES for row in measured(size)]
    finally:
        torch.set_num_threads(before)
    return result(
        "catalogue-cost",
        f"A learner's step by method, over one of grpo, float32, {THREADS} threads",
        rows,
    )


def measured(size: Size) -> list[Row]:
    """The rows of one size."""
    others = [one for one in METHODS if one.type != "grpo"]
    algorithms = [Grpo(), *others, *OPTIONS.values()]
    steps = Steps(size, algorithms)
    found = ratios(steps.seconds, len(algorithms), size.rounds, size.name)
    what = f"{size.name}, {size.groups * GROUP} rows of {size.prompt} + {size.completion} tokens"
    rows: list[Row] = [
        Figure(what=f"{what}: grpo", value=statistics.median(steps.of_grpo), unit="s")
    ]
    rows += [_row(size.name, one, ratio) for one, ratio in zip(others, found, strict=False)]
    options = zip(OPTIONS, found[len(others) :], strict=True)
    return rows + [
        Figure(what=f"{size.name}: {name}", value=ratio, unit="") for name, ratio in options
    ]


def ratios(seconds: Callable[[int], float], algorithms: int, rounds: int, name: str) -> list[float]:
    """The median over rounds of what each algorithm but the first takes over the first, which goes
    before it in every second round and after it in the others."""
    progress = Progress(rounds + 1)
    progress.next(f"{name}: warming up")
    for place in range(algorithms):
        seconds(place)
    found: list[list[float]] = [[] for _ in range(1, algorithms)]
    for turn in range(rounds):
        progress.next(f"{name}: round {turn + 1}")
        for place in range(1, algorithms):
            order = (0, place) if turn % 2 else (place, 0)
            taken = {one: seconds(one) for one in order}
            found[place - 1].append(taken[place] / taken[0])
    return [statistics.median(one) for one in found]


def _row(size: str, algorithm: Algorithm, ratio: float) -> Row:
    if needs_old_first(algorithm):
        what = f"{size}: {algorithm.type} (a second forward pass of the policy)"
        return Figure(what=what, value=ratio, unit="")
    what = f"{size}: {algorithm.type}"
    return Goal(what=what, value=ratio, unit="", bound="at most", limit=LIMIT)


class Steps:
    """One learner whose phases are the algorithms, so that all share its weights and its memory."""

    def __init__(self, size: Size, algorithms: Sequence[Algorithm]) -> None:
        self._rows = batch_rows(size)
        self._learner = PolicyLearner(
            size.folder(),
            phases=[Phase(algorithm=one) for one in algorithms],
            optimizer=OptimizerSpec(),
            total_steps=1,
            device="cpu",
            threads=THREADS,
            ranks=Ranks(ALONE, device="cpu", timeout_seconds=1.0),
        )
        self.of_grpo: list[float] = []

    def seconds(self, phase: int) -> float:
        """What a step of one algorithm takes."""
        step = self._learner.version + 1
        batch = TrainingBatch(step, self._rows, 1.0, step - 1, Turn(phase, 0))
        started = time.perf_counter()
        self._learner.update(batch)
        taken = time.perf_counter() - started
        if phase == 0:
            self.of_grpo.append(taken)
        return taken


def batch_rows(size: Size) -> tuple[TrainingRow, ...]:
    """Random rows that every method can learn from: correct and wrong ones, and a group without a
    correct one."""
    draw = torch.Generator().manual_seed(0)
    rows: list[TrainingRow] = []
    for group in range(size.groups):
        prompt = token_ids(torch.randint(IDS, (size.prompt,), generator=draw).tolist())
        rows += [_row_of(size, group, index, prompt.tolist(), draw) for index in range(GROUP)]
    return tuple(rows)


def _row_of(
    size: Size, group: int, index: int, prompt: list[int], draw: torch.Generator
) -> CandidateRow:
    def stream() -> list[float]:
        values: list[float] = (-3 * torch.rand(size.completion, generator=draw) - 1).tolist()
        return values

    table = torch.randn(size.completion, IDS, generator=draw).log_softmax(-1)
    values, ids = table.topk(CANDIDATES)
    rest = table.scatter(1, ids, -torch.inf).logsumexp(-1)
    return CandidateRow(
        group_id=group,
        index=index,
        prompt_ids=token_ids(prompt),
        completion_ids=token_ids(torch.randint(IDS, (size.completion,), generator=draw).tolist()),
        sampler_logprobs=logprobs(stream()),
        teacher_logprobs=logprobs(stream()),
        advantage=1.0 if index % 2 else -1.0,
        correct=bool(group and index % 2),
        group_wrong=group == 0,
        candidates=Candidates(
            CANDIDATES,
            candidate_ids(ids.flatten().tolist()),
            logprobs(values.flatten().tolist()),
            logprobs(rest.tolist()),
        ),
    )
