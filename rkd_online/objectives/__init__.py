"""The algorithms, as pure tensor functions. Only torch and ``spec`` are imported here."""

from rkd_online.objectives.advantages import group_advantages
from rkd_online.objectives.aggregation import batch_denominator
from rkd_online.objectives.catalogue import needs_old_first
from rkd_online.objectives.diagnostics import METRIC_NAMES
from rkd_online.objectives.divergence import CandidateTokens
from rkd_online.objectives.importance import importance_weights
from rkd_online.objectives.loss import policy_loss, token_advantages

__all__ = [
    "METRIC_NAMES",
    "CandidateTokens",
    "batch_denominator",
    "group_advantages",
    "importance_weights",
    "needs_old_first",
    "policy_loss",
    "token_advantages",
]
