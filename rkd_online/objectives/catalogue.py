"""The catalogue: one row per method, named by the ``type`` of its spec.

A method is its log importance ratio, its advantage and what it reports beyond the common metrics.
To add one, write those functions next to their kin, add the row here and test it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from torch import Tensor

from rkd_online.objectives.advantages import reward_advantage
from rkd_online.objectives.diagnostics import clamp_metrics
from rkd_online.objectives.ratios import old_policy_log_ratio, teacher_mixture_log_ratio
from rkd_online.objectives.tokens import SampledTokens, TaughtTokens
from rkd_online.spec.algorithm import TEACHER_METHODS, Algorithm, Clipped, Grpo, Rlad

AlgorithmT = TypeVar("AlgorithmT", bound=Clipped)
TokensT = TypeVar("TokensT", bound=SampledTokens)


@dataclass(frozen=True, slots=True)
class Method(Generic[AlgorithmT, TokensT]):
    """One row. A method with a teacher reads ``TaughtTokens``, one without ``SampledTokens``.

    ``log_ratio`` carries the policy's gradient; ``advantage`` and every metric carry none. All are
    ``[B, T]``. ``metrics`` adds token values by name to those that every method reports.
    """

    log_ratio: Callable[[AlgorithmT, TokensT], Tensor]
    advantage: Callable[[AlgorithmT, TokensT], Tensor]
    metrics: tuple[Callable[[AlgorithmT, TokensT], dict[str, Tensor]], ...] = ()


GRPO: Method[Grpo, SampledTokens] = Method(old_policy_log_ratio, reward_advantage)
RLAD: Method[Rlad, TaughtTokens] = Method(
    teacher_mixture_log_ratio, reward_advantage, metrics=(clamp_metrics,)
)

METHODS: Mapping[str, Method[Any, Any]] = MappingProxyType({"grpo": GRPO, "rlad": RLAD})


def method_for(algorithm: Algorithm, tokens: SampledTokens) -> Method[Any, Any]:
    """The row of an algorithm. ``ValueError`` where it needs a teacher that scored nothing."""
    if algorithm.type in TEACHER_METHODS and not isinstance(tokens, TaughtTokens):
        raise ValueError(
            f"teacher_logprobs is None, but {algorithm.type} needs the teacher's log-prob of every "
            "sampled token: give the job a teacher or choose an algorithm without one"
        )
    return METHODS[algorithm.type]
