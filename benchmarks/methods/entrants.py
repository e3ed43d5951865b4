"""The methods that are compared, each as the part of a job that it is.

Coefficients are those of the papers where these give them for tasks of this kind, and the same in
every cell: what is tuned is the learning rate alone, by the same grid for all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.methods.cells import GROUP

Parts: TypeAlias = dict[str, Any]

OFFLINE: Final = "sft"
TEACHERLESS: Final = ("grpo", OFFLINE)
"""Their jobs ask no teacher, and so spend nothing on one."""
BETA: Final = 0.1
"""Of kdrl: arXiv 2609.04108 takes 0.02 to 0.2 in its logic tasks."""
BETAS: Final = (0.2, 0.02)
"""From the first to the last step, where it is annealed."""
ALPHA: Final = 0.5
"""The paper's (arXiv 2602.22495, appendix B)."""
ALPHA_PREFIX: Final = "rlad-alpha-"


def _annealed(steps: int) -> Parts:
    first, last = BETAS
    algorithm = {"type": "kdrl", "beta": first}
    anneal = {"beta": {"to": last, "steps": max(1, steps - 1)}}
    return {"phases": [{"algorithm": algorithm, "anneal": anneal}]}


def _in_turn(steps: int) -> Parts:
    """The teacher for the first half, the reward for the second."""
    first = {"algorithm": {"type": "opd"}, "until": {"type": "step", "step": max(1, steps // 2)}}
    return {"phases": [first, {"algorithm": {"type": "grpo"}}]}


METHODS: Final[Mapping[str, Callable[[int], Parts]]] = {
    "grpo": lambda steps: {"algorithm": {"type": "grpo"}},
    "opd": lambda steps: {"algorithm": {"type": "opd"}},
    "kdrl": lambda steps: {"algorithm": {"type": "kdrl", "beta": BETA}},
    "kdrl-annealed": _annealed,
    "rlad": lambda steps: {"algorithm": {"type": "rlad", "alpha": ALPHA}},
    "opd-then-grpo": _in_turn,
    OFFLINE: lambda steps: {"algorithm": {"type": "sft"}},
}
"""By name; each is given the steps after which all are compared."""


def alpha_name(alpha: float) -> str:
    """What rlad with another alpha is called; with the paper's it is plain ``rlad``."""
    return "rlad" if alpha == ALPHA else f"{ALPHA_PREFIX}{alpha:g}"


def method_parts(name: str, steps: int) -> Parts:
    """The fields of a job that make it one of this method."""
    if name.startswith(ALPHA_PREFIX):
        alpha = float(name.removeprefix(ALPHA_PREFIX))
        return {"algorithm": {"type": "rlad", "alpha": alpha}}
    return METHODS[name](steps)


def source_parts(name: str, store: Path) -> Parts:
    """Where the method's rollouts come from, as fields of ``rollout``."""
    if name == OFFLINE:
        return {"source": {"type": "store", "path": str(store)}}
    return {"group_size": GROUP}
