"""What fits the device that a job computes on."""

from collections.abc import Mapping
from typing import Final

from rkd_online.spec.resources import Resources, TeacherSpec

ROLES: Final = ("generator", "learner", "scorer")


def device_problem(resources: Resources, teachers: Mapping[str, TeacherSpec]) -> str | None:
    """Why the roles of a job with these teachers, by their fields, cannot have these GPUs; None
    where they can."""
    gpus = {role: getattr(resources, role).gpus for role in ROLES}
    taken = [f"resources.{role}.gpus {count:g}" for role, count in gpus.items() if count]
    idle = None if teachers else "scorer"
    missing = [f"resources.{role}.gpus" for role in ROLES if not gpus[role] and role != idle]
    split = _split_problem(resources, teachers)
    if split is not None:
        return split
    if resources.device == "cuda" and missing:
        return f"resources.device 'cuda' needs GPUs, found 0: set {', '.join(missing)} above 0"
    if resources.device == "cpu" and taken:
        return (
            f"resources.device 'cpu' leaves GPUs idle, found {', '.join(taken)}: set each to 0, or "
            "resources.device 'cuda'"
        )
    return None


def _split_problem(resources: Resources, teachers: Mapping[str, TeacherSpec]) -> str | None:
    """An engine that is split takes a GPU for each of its parts."""
    engines = [("generator", resources.generator.tensor_parallel)]
    for teacher in teachers.values():
        if teacher.scorer.type == "vllm":
            engines.append(("scorer", teacher.scorer.tensor_parallel))
    for role, size in engines:
        gpus = getattr(resources, role).gpus
        if size > 1 and gpus != size:
            return (
                f"tensor_parallel {size} of the {role} needs as many GPUs, found "
                f"resources.{role}.gpus {gpus:g}: set it to {size}, and resources.device 'cuda'"
            )
    return None
