"""What follows from what in one cell: measure, tune, train, and train with other alphas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.methods.cells import Cell, Effort
from benchmarks.methods.entrants import ALPHA, METHODS, OFFLINE, alpha_name
from benchmarks.methods.outcome import Baseline, Prices, Trained
from benchmarks.methods.pieces import Measuring, Pricing, Training
from benchmarks.methods.pool import Places, Pool

YARDSTICK = "grpo"
"""Its whole training is what equal core-seconds are equal to."""

Grid = Mapping[float, float]
"""What a method's tuning gave: by learning rate the mean of pass@1 on the validation split over the
last third of the steps."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a cell gave, by method. ``grids`` are empty where there was one learning rate to
    take; ``equal_steps`` take as many core-seconds as the yardstick's whole training; ``trained``
    are one a seed, and also by alpha."""

    cell: Cell
    effort: Effort
    baseline: Baseline
    prices: Prices
    grids: Mapping[str, Grid]
    rates: Mapping[str, float]
    equal_steps: Mapping[str, int]
    trained: Mapping[str, list[Trained]]
    trees: Sequence[str]
    """Of every piece, tuning included; one with changes that were not committed ends in ``+``."""


class CellPlan:
    """The pieces of one cell, in the order in which they can be done."""

    def __init__(self, cell: Cell, effort: Effort, pool: Pool, places: Places) -> None:
        self._cell = cell
        self._effort = effort
        self._pool = pool
        self._places = places
        self._steps = min(cell.steps, effort.most_steps)
        self._trees: set[str] = set()

    def run(self) -> Findings:
        """Everything that is not done yet, and what all of it gave."""
        measuring = Measuring(cell=self._cell.name, effort=self._effort.name)
        pricing = Pricing(cell=self._cell.name, effort=self._effort.name)
        self._pool.do([measuring, pricing], f"{self._cell.name}, before training")
        baseline, prices = self._places.baseline(measuring), self._places.prices(pricing)
        self._trees |= {baseline.commit, prices.commit}
        grids = self._tuned() if len(self._effort.rates) > 1 else {}
        rates = dict.fromkeys(METHODS, self._effort.rates[0])
        rates |= {name: best(grid) for name, grid in grids.items()}
        equal = equal_steps(prices, self._steps, every=self._effort.every)
        return Findings(
            cell=self._cell,
            effort=self._effort,
            baseline=baseline,
            prices=prices,
            grids=grids,
            rates=rates,
            equal_steps=equal,
            trained=self._trained(rates, equal),
            trees=sorted(self._trees),
        )

    def _read(self, piece: Training) -> Trained:
        found = self._places.trained(piece)
        self._trees.add(found.commit)
        return found

    def _tuned(self) -> dict[str, Grid]:
        pieces = {
            (name, rate): [self._training(name, rate, seed) for seed in self._effort.tuning_seeds]
            for rate in self._effort.rates
            for name in METHODS
        }
        whole = [piece for found in pieces.values() for piece in found]
        self._pool.do(whole, f"{self._cell.name}, learning rates")
        scores = {
            key: mean(late_score(self._read(piece)) for piece in asked)
            for key, asked in pieces.items()
        }
        return {name: {rate: scores[name, rate] for rate in self._effort.rates} for name in METHODS}

    def _trained(
        self, rates: Mapping[str, float], equal: Mapping[str, int]
    ) -> dict[str, list[Trained]]:
        pieces: dict[str, list[Training]] = {}
        for seed in self._effort.seeds:
            for name, rate in rates.items():
                tested = tuple(sorted({self._steps, equal[name]} - {0}))
                pieces.setdefault(name, []).append(self._training(name, rate, seed, tested))
            for alpha in self._effort.alphas:
                piece = self._training(
                    alpha_name(alpha), rates[alpha_name(ALPHA)], seed, (self._steps,)
                )
                pieces.setdefault(alpha_name(alpha), []).append(piece)
        by_seed = [piece for together in zip(*pieces.values(), strict=True) for piece in together]
        self._pool.do(by_seed, f"{self._cell.name}, trainings")
        return {name: [self._read(piece) for piece in asked] for name, asked in pieces.items()}

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


def best(grid: Grid) -> float:
    """The learning rate with the highest score; of equals the smallest."""
    return max(sorted(grid), key=lambda rate: grid[rate])


def late_score(one: Trained) -> float:
    """Mean of pass@1 on the validation split over the last third of the steps."""
    late = [value for step, value in one.validated().items() if step > one.steps * 2 / 3]
    return mean(late)


def equal_steps(prices: Prices, steps: int, *, every: int) -> dict[str, int]:
    """By method the steps that take as many core-seconds as ``steps`` of the yardstick, to the
    nearest multiple of ``every``, which checkpoints lie apart; 0 where none fits. The offline
    method has paid for its samples before its first."""
    budget = steps * prices.steps[YARDSTICK]
    found = {}
    for name, price in prices.steps.items():
        left = budget - spent_before(prices, name)
        found[name] = max(0, round(left / price / every) * every)
    return found


def spent_before(prices: Prices, name: str) -> float:
    """Core-seconds before the first step."""
    return prices.collecting if name == OFFLINE else 0.0
