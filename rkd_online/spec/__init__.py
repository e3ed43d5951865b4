"""What the user asks for. No machine-learning package is imported here."""

from rkd_online.spec.algorithm import Algorithm, Grpo, Rlad
from rkd_online.spec.job import JobSpec

__all__ = ["Algorithm", "Grpo", "JobSpec", "Rlad"]
