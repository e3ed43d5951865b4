"""What follows from what in one cell: measure, tune, train, and train with other alphas."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, median

from benchmarks.methods.cells import Cell, Effort
from benchmarks.methods.entrants import ALPHA, METHODS, OFFLINE, alpha_name
from benchmarks.methods.outcome import Baseline, Collected, Trained
from benchmarks.methods.pieces import Collecting, Measuring, Training
from benchmarks.methods.pool import Places, Pool

YARDSTICK = "grpo"
"""Its whole training is what equal core-seconds are equal to."""


@dataclass(frozen=True, slots=True)
class Grid:
    """What a method's tuning gave: by learning rate the mean of pass@1 on the validation split over
    the last third of the steps, and the median core-seconds of a step with the best one."""

    scores: Mapping[float, float]
    step_seconds: float

    @property
    def best(self) -> float:
        """The learning rate with the highest score; of equals the smallest."""
        return max(sorted(self.scores), key=lambda rate: self.scores[rate])


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a cell gave. ``equal_steps`` are the steps of each method that take as many
    core-seconds as the yardstick's whole training; ``trained`` are by method, one a seed."""

    cell: Cell
    effort: Effort
    baseline: Baseline
    collected: Collected
    grids: Mapping[str, Grid]
    equal_steps: Mapping[str, int]
    trained: Mapping[str, list[Trained]]


class CellPlan:
    """The pieces of one cell, in the order in which they can be done."""

    def __init__(self, cell: Cell, effort: Effort, pool: Pool, places: Places) -> None:
        self._cell = cell
        self._effort = effort
        self._pool = pool
        self._places = places
        self._steps = min(cell.steps, effort.most_steps)

    def run(self) -> Findings:
        """Everything that is not done yet, and what all of it gave."""
        measuring = Measuring(cell=self._cell.name, effort=self._effort.name)
        collecting = Collecting(cell=self._cell.name, effort=self._effort.name)
        self._pool.do([measuring, collecting], f"{self._cell.name}, before training")
        collected = self._places.collected(collecting)
        grids = self._tuned()
        equal = {
            name: equal_steps(
                grid.step_seconds,
                self._steps * grids[YARDSTICK].step_seconds,
                spent=collected.core_seconds if name == OFFLINE else 0.0,
                every=self._effort.every,
            )
            for name, grid in grids.items()
        }
        return Findings(
            cell=self._cell,
            effort=self._effort,
            baseline=self._places.baseline(measuring),
            collected=collected,
            grids=grids,
            equal_steps=equal,
            trained=self._trained(grids, equal),
        )

    def _tuned(self) -> dict[str, Grid]:
        pieces = {
            (name, rate): [self._training(name, rate, seed) for seed in self._effort.tuning_seeds]
            for rate in self._effort.rates
            for name in METHODS
        }
        whole = [piece for found in pieces.values() for piece in found]
        self._pool.do(whole, f"{self._cell.name}, learning rates")
        found = {
            key: [self._places.trained(piece) for piece in asked] for key, asked in pieces.items()
        }
        return {
            name: grid({rate: found[name, rate] for rate in self._effort.rates}) for name in METHODS
        }

    def _trained(
        self, grids: Mapping[str, Grid], equal: Mapping[str, int]
    ) -> dict[str, list[Trained]]:
        pieces: dict[str, list[Training]] = {}
        for seed in self._effort.seeds:
            for name, one in grids.items():
                tested = tuple(sorted({self._steps, equal[name]} - {0}))
                pieces.setdefault(name, []).append(self._training(name, one.best, seed, tested))
            for alpha in self._effort.alphas:
                piece = self._training(
                    alpha_name(alpha), grids[alpha_name(ALPHA)].best, seed, (self._steps,)
                )
                pieces.setdefault(alpha_name(alpha), []).append(piece)
        by_seed = [piece for together in zip(*pieces.values(), strict=True) for piece in together]
        self._pool.do(by_seed, f"{self._cell.name}, trainings")
        return {
            name: [self._places.trained(piece) for piece in asked] for name, asked in pieces.items()
        }

    def _training(
        self, method: str, rate: float, seed: int, tested: tuple[int, ...] = ()
    ) -> Training:
        return Training(
            cell=self._cell.name,
            effort=self._effort.name,
            method=method,
            rate=rate,
            seed=seed,
            steps=max((self._steps, *tested)),
            compared=self._steps,
            tested=tested,
        )


def grid(found: Mapping[float, list[Trained]]) -> Grid:
    """The grid of one method from its trainings by learning rate."""
    scores = {rate: mean(map(late_score, trainings)) for rate, trainings in found.items()}
    best = Grid(scores, 0.0).best
    seconds = [cost for one in found[best] for cost in one.core_seconds]
    return Grid(scores, median(seconds))


def late_score(one: Trained) -> float:
    """Mean of pass@1 on the validation split over the last third of the steps."""
    late = [value for step, value in one.validated().items() if step > one.steps * 2 / 3]
    return mean(late)


def equal_steps(step_seconds: float, budget: float, *, spent: float, every: int) -> int:
    """The steps that fit into ``budget`` core-seconds of which ``spent`` are gone before the first,
    to the nearest multiple of ``every``, which checkpoints lie apart. 0 where none fits."""
    fitting = max(0.0, budget - spent) / step_seconds
    return round(fitting / every) * every
