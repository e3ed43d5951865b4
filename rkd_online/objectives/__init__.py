"""The algorithms, as pure tensor functions. Only torch and ``spec`` are imported here."""

from rkd_online.objectives.advantages import group_advantages
from rkd_online.objectives.diagnostics import METRIC_NAMES
from rkd_online.objectives.importance import importance_weights
from rkd_online.objectives.loss import policy_loss

__all__ = ["METRIC_NAMES", "group_advantages", "importance_weights", "policy_loss"]
