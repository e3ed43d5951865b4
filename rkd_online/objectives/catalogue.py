"""The catalogue: one row per method, named by the ``type`` of its spec.

A method is its log importance ratio, its advantage, what it makes of the two, and what it reports
beyond the common metrics. To add one, write what is new next to its kin, add the row here and test
it; ``docs/methods.md`` goes through the steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from torch import Tensor

from rkd_online.objectives import teaching
from rkd_online.objectives.advantages import acceptance, reward_advantage
from rkd_online.objectives.diagnostics import clamp_metrics
from rkd_online.objectives.outcomes import Outcomes
from rkd_online.objectives.ratios import (
    old_policy_log_ratio,
    sequence_log_ratio,
    teacher_mixture_log_ratio,
)
from rkd_online.objectives.surrogate import (
    Surrogate,
    clipped_surrogate,
    clipped_weight,
    likelihood,
)
from rkd_online.objectives.tokens import SampledTokens, TaughtTokens
from rkd_online.spec.algorithm import (
    TEACHER_METHODS,
    Algorithm,
    Averaged,
    Cispo,
    Grpo,
    Gspo,
    Hdpo,
    Kdrl,
    KdrlMask,
    Opd,
    Rlad,
    Rlsd,
    Sft,
    Srpo,
    Topd,
)

AlgorithmT = TypeVar("AlgorithmT", bound=Averaged)
TokensT = TypeVar("TokensT", bound=SampledTokens)


@dataclass(frozen=True, slots=True)
class Method(Generic[AlgorithmT, TokensT]):
    """One row. A method with a teacher reads ``TaughtTokens``, one without ``SampledTokens``.

    ``log_ratio`` carries the policy's gradient; ``advantage`` and every metric carry none. All are
    ``[B, T]``. ``surrogate`` makes of the two what is to be maximized. ``metrics`` adds token
    values by name to those that every method reports.

    ``needs_old_first`` is for an advantage that reads the old log-probs of whole groups: siblings
    may be in several micro-batches, so no single pass that is differentiated has them all.
    """

    log_ratio: Callable[[AlgorithmT, TokensT], Tensor]
    advantage: Callable[[AlgorithmT, TokensT, Outcomes], Tensor]
    surrogate: Callable[[Any, TokensT, Tensor, Tensor], Surrogate] = clipped_surrogate
    metrics: tuple[Callable[[AlgorithmT, TokensT], dict[str, Tensor]], ...] = ()
    needs_old_first: bool = False


GRPO: Method[Grpo, SampledTokens] = Method(old_policy_log_ratio, reward_advantage)
GSPO: Method[Gspo, SampledTokens] = Method(sequence_log_ratio, reward_advantage)
CISPO: Method[Cispo, SampledTokens] = Method(old_policy_log_ratio, reward_advantage, clipped_weight)
RLAD: Method[Rlad, TaughtTokens] = Method(
    teacher_mixture_log_ratio, reward_advantage, metrics=(clamp_metrics,)
)
OPD: Method[Opd, TaughtTokens] = Method(old_policy_log_ratio, teaching.teacher_log_ratio)
KDRL: Method[Kdrl, TaughtTokens] = Method(old_policy_log_ratio, teaching.added)
KDRL_MASK: Method[KdrlMask, TaughtTokens] = Method(old_policy_log_ratio, teaching.added_where_wrong)
SRPO: Method[Srpo, TaughtTokens] = Method(old_policy_log_ratio, teaching.routed)
HDPO: Method[Hdpo, TaughtTokens] = Method(old_policy_log_ratio, teaching.added_where_all_wrong)
RLSD: Method[Rlsd, TaughtTokens] = Method(old_policy_log_ratio, teaching.scaled)
TOPD: Method[Topd, TaughtTokens] = Method(
    old_policy_log_ratio, teaching.standardized_returns, needs_old_first=True
)
SFT: Method[Sft, SampledTokens] = Method(old_policy_log_ratio, acceptance, likelihood)

METHODS: Mapping[str, Method[Any, Any]] = MappingProxyType(
    {
        "grpo": GRPO,
        "gspo": GSPO,
        "cispo": CISPO,
        "rlad": RLAD,
        "opd": OPD,
        "kdrl": KDRL,
        "kdrl_mask": KDRL_MASK,
        "srpo": SRPO,
        "hdpo": HDPO,
        "rlsd": RLSD,
        "topd": TOPD,
        "sft": SFT,
    }
)


def method_for(algorithm: Algorithm, tokens: SampledTokens) -> Method[Any, Any]:
    """The row of an algorithm. ``ValueError`` where it needs a teacher that scored nothing."""
    if algorithm.type in TEACHER_METHODS and not isinstance(tokens, TaughtTokens):
        raise ValueError(
            f"teacher_logprobs is None, but {algorithm.type} needs the teacher's log-prob of every "
            "sampled token: give the job a teacher or choose an algorithm without one"
        )
    return METHODS[algorithm.type]


def needs_old_first(algorithm: Algorithm) -> bool:
    """Whether the old policy's log-probs of the whole batch come before its first gradient."""
    return METHODS[algorithm.type].needs_old_first
