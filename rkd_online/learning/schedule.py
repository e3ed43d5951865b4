"""The learning rate of each step."""

import math

from rkd_online.spec.training import ConstantSchedule, OptimizerSpec


def learning_rate(step: int, optimizer: OptimizerSpec, total_steps: int) -> float:
    """The rate of step ``step`` (from 1) of ``total_steps``.

    Warm-up is linear and reaches the peak at its last step. A decay then falls from the peak to
    ``final_fraction`` of it at the last step.
    """
    schedule, peak = optimizer.schedule, optimizer.learning_rate
    if step <= schedule.warmup_steps:
        return peak * step / schedule.warmup_steps
    if isinstance(schedule, ConstantSchedule):
        return peak
    done = (step - schedule.warmup_steps) / (total_steps - schedule.warmup_steps)
    left = 1 - done if schedule.type == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return peak * (schedule.final_fraction + (1 - schedule.final_fraction) * left)
