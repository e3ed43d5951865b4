"""Made-up records of the comparison."""

from collections.abc import Sequence

from benchmarks.methods.cells import CELLS, FULL, Effort
from benchmarks.methods.entrants import METHODS, alpha_name
from benchmarks.methods.outcome import Baseline, Examined, Prices, Trained
from benchmarks.methods.plan import Findings

STEPS = 4


def examined(correct: Sequence[int], samples: int = 4, groups: Sequence[str] = ()) -> Examined:
    return Examined(
        samples=samples,
        groups=tuple(groups) or ("all",) * len(correct),
        correct=tuple(correct),
        greedy=tuple(min(1, one) for one in correct),
        tokens=20.0,
        truncated=0.0,
    )


def trained(
    method: str, *, seed: int = 0, rate: float = 1e-4, tests: dict[int, Examined] | None = None,
    validated: Sequence[float | None] = (None, 0.5, None, 0.75),
) -> Trained:  # fmt: skip
    steps = len(validated)
    every_step = (
        "policy/entropy",
        "rollout/completion_length",
        "policy/clip_low_share",
        "policy/clip_high_share",
    )
    curves: dict[str, tuple[float | None, ...]] = dict.fromkeys(every_step, (0.25,) * steps)
    if method not in ("grpo", "sft"):
        curves["policy/kl_teacher"] = (0.5, 0.25, 0.125, 0.0625)[:steps]
    if method.startswith("rlad"):
        curves |= {f"policy/clamp_{side}_share": (0.1,) * steps for side in ("low", "high")}
    return Trained(
        method=method,
        rate=rate,
        seed=seed,
        steps=steps,
        compared=steps,
        curves=curves | {"validation/pass_at_1": tuple(validated)},
        tests=tests if tests is not None else {2: examined([1, 2, 3]), 4: examined([2, 3, 4])},
        commit="abc",
        machine="2 cores",
    )


def findings(effort: Effort = FULL) -> Findings:
    """After two steps every method has the same; after four all but grpo are better by a quarter at
    each prompt. sft has no step within the budget."""
    grid = dict.fromkeys(effort.rates, 0.5) | {effort.rates[-1]: 0.75}
    names = [*METHODS, *map(alpha_name, effort.alphas)]
    ahead = {2: examined([1, 2, 3]), 4: examined([2, 3, 4])}
    behind = {2: examined([1, 2, 3]), 4: examined([1, 2, 3])}
    return Findings(
        cell=CELLS["sums-unreliable"],
        effort=effort,
        baseline=Baseline(
            teacher=examined([4, 4, 4]),
            student=examined([0, 1, 2]),
            commit="abc",
            machine="2 cores",
        ),
        prices=Prices(
            rows=4096,
            collecting=8.0,
            steps=dict.fromkeys(METHODS, 2.0),
            commit="abc",
            machine="2 cores",
        ),
        grids={name: grid for name in METHODS if len(effort.rates) > 1},
        rates=dict.fromkeys(METHODS, effort.rates[-1]),
        equal_steps={name: {"grpo": 4, "sft": 0}.get(name, 2) for name in METHODS},
        trained={
            name: [
                trained(name, seed=seed, tests=behind if name == "grpo" else ahead)
                for seed in effort.seeds
            ]
            for name in names
        },
        trees=["abc"],
    )
