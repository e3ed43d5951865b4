"""What fits a job that learns from a store, and what makes no sense without sampling."""

from collections.abc import Mapping
from typing import Final

from rkd_online.spec.algorithm import Algorithm
from rkd_online.spec.training import RolloutSpec

OFFLINE: Final = "sft"
"""The ``type`` of the algorithm that learns from a store, and of it alone."""


def offline_problem(
    algorithms: Mapping[str, Algorithm], rollout: RolloutSpec, *, best_metric: str, teacher: bool
) -> str | None:
    """Why a job with these algorithms, by their fields, cannot have rollouts from this source; None
    where it can."""
    for field, algorithm in algorithms.items():
        problem = _source_problem(field, algorithm.type, rollout.source.type)
        if problem is not None:
            return problem
    if rollout.source.type == "policy":
        return None
    if teacher:
        return (
            "teacher: a job that learns from rollout.source.type 'store' asks no teacher: leave it "
            "out, `rkd eval` measures it"
        )
    if best_metric != "validation/pass_at_1":
        return (
            f"checkpoint.best_metric {best_metric!r} would be that of the store's samples, which "
            "says nothing of the policy: set 'validation/pass_at_1', and evaluation.every"
        )
    return _sampling_problem(rollout)


def _source_problem(field: str, name: str, source: str) -> str | None:
    if name == OFFLINE and field != "algorithm":
        return (
            f"{field}.type {name!r} learns from a store, which no phase does: run it as a job of "
            "its own, and the next one with its checkpoint as policy.model"
        )
    if name == OFFLINE and source == "policy":
        return (
            f"{field}.type {name!r} learns from the samples of a store, found rollout.source.type "
            "'policy': set 'store' with a path, or an algorithm that samples the policy"
        )
    if name != OFFLINE and source == "store":
        return (
            f"{field}.type {name!r} learns from the policy's own samples, found "
            f"rollout.source.type 'store': set 'policy', or {field}.type {OFFLINE!r}"
        )
    return None


def _sampling_problem(rollout: RolloutSpec) -> str | None:
    """Fields that say how to sample, and would be without effect."""
    default = RolloutSpec()
    reasons = {
        "max_staleness": "samples of a store have no weight version to lie behind",
        "dynamic_sampling": "a store gives no other groups for those that are dropped",
        "group_size": "a prompt has as many siblings as the store has correct samples of it",
        "temperature": "the policy learns its own distribution, at temperature 1",
    }
    for field, reason in reasons.items():
        found = getattr(rollout, field)
        if found != getattr(default, field):
            shown = getattr(found, "type", found)
            return f"rollout.{field} {shown!r} has no meaning with a store ({reason}): leave it out"
    return None
