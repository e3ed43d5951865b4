"""Whether the fields of a job go together: each check says in one sentence why not, or nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rkd_online.spec.algorithm import (
    REWARD_DRIVEN,
    TEACHER_METHODS,
    Algorithm,
    Sft,
    divergence_of,
    is_reward_driven,
)
from rkd_online.spec.devices import device_problem
from rkd_online.spec.divergence import Divergence, TeacherDivergence
from rkd_online.spec.early_stop import early_stop_problem
from rkd_online.spec.mixture import mixture_problem, teacher_problem
from rkd_online.spec.offline import offline_problem
from rkd_online.spec.phases import phase_problem
from rkd_online.spec.task import verdicts
from rkd_online.spec.trackers import trackers_problem

if TYPE_CHECKING:
    from rkd_online.spec.job import JobSpec


def inconsistency(job: "JobSpec") -> str | None:
    """The first reason why the fields of a job do not go together."""
    return next(filter(None, (check(job) for check in CHECKS)), None)


def _algorithm_or_phases(job: "JobSpec") -> str | None:
    """One algorithm, or phases."""
    if (job.algorithm is None) is not bool(job.phases):
        found = "neither" if job.algorithm is None else "both"
        return f"a job takes one of algorithm and phases, found {found}"
    return None


def _source_fits_algorithm(job: "JobSpec") -> str | None:
    """Where rollouts come from goes with who learns from them."""
    return offline_problem(
        job.algorithms,
        job.rollout,
        best_metric=job.checkpoint.best_metric,
        teacher=bool(job.teachers),
    )


def _phases_can_end(job: "JobSpec") -> str | None:
    """Every phase comes to its end, and the next one to its steps."""
    return phase_problem(
        job.phases,
        steps=job.steps,
        validation_every=job.evaluation.every,
        teacher=bool(job.teachers),
    )


def _early_stop_can_come(job: "JobSpec") -> str | None:
    """The early stop is one that can come."""
    return early_stop_problem(
        job.early_stop,
        job.phases_in_turn,
        steps=job.steps,
        validation_every=job.evaluation.every,
        teacher=bool(job.teachers),
        stored=job.rollout.source.type == "store",
    )


def _teacher_fits_algorithm(job: "JobSpec") -> str | None:
    """What asks for a teacher has one."""
    for field, algorithm in job.algorithms.items():
        wanting: dict[str, Algorithm | TeacherDivergence] = {
            field: algorithm,
            f"{field}.teacher_divergence": divergence_of(algorithm),
        }
        for place, one in wanting.items():
            if not job.teachers and (one.type in TEACHER_METHODS or isinstance(one, Divergence)):
                return f"{place}.type {one.type!r} needs a teacher: add teacher.model"
    return None


def _divergences_share_their_candidates(job: "JobSpec") -> str | None:
    """All phases ask for as many candidates."""
    found = {field: one.k for field, one in job.divergences().items()}
    if len(set(found.values())) > 1:
        each = ", ".join(f"{field}.k {k}" for field, k in found.items())
        return f"the teacher scores a rollout once for all phases, found {each}: set one k"
    return None


def _temperature_fits_scorer(job: "JobSpec") -> str | None:
    """The scorer knows the temperature of the rollouts."""
    warm = job.rollout.temperature != 1.0
    for field, teacher in job.teachers.items():
        if warm and teacher.scorer.type == "vllm":
            return (
                f"rollout.temperature {job.rollout.temperature} does not fit "
                f"{field}.scorer.type 'vllm', whose log-probs are always at temperature 1: set "
                f"rollout.temperature 1.0 or {field}.scorer.type 'transformers'"
            )
    return None


def _staleness_is_corrected(job: "JobSpec") -> str | None:
    """Older weights are corrected for, and kept keys and values are of some."""
    stale = job.rollout.max_staleness
    for field, algorithm in job.algorithms.items():
        if isinstance(algorithm, Sft):
            continue
        if stale and algorithm.sampler_correction.type == "none":
            return (
                f"rollout.max_staleness {stale} samples with older weights, which "
                f"{field}.sampler_correction.type 'none' leaves uncorrected: set "
                f"rollout.max_staleness 0 or {field}.sampler_correction.type 'truncate'"
            )
    if not stale and job.rollout.kv_on_update == "keep":
        return (
            "rollout.kv_on_update 'keep' needs rollouts in flight during an update, "
            "rollout.max_staleness is 0: set rollout.max_staleness to 1 or more, or leave "
            "rollout.kv_on_update out"
        )
    return None


def _resampling_fits_algorithm(job: "JobSpec") -> str | None:
    """Groups are dropped where nothing would be learned from them."""
    found = list(job.algorithms.values())
    if job.rollout.dynamic_sampling.type == "refill" and not any(map(is_reward_driven, found)):
        names = " and ".join(sorted({one.type for one in found}))
        without = " without teacher_divergence" if job.divergences() else ""
        return (
            f"rollout.dynamic_sampling.type 'refill' drops groups from which {names} would "
            "learn; set 'off', or one of the algorithms "
            f"{', '.join(sorted(REWARD_DRIVEN))}{without}"
        )
    return None


def _minibatches_fit_step(job: "JobSpec") -> str | None:
    """Minibatches are of equally many groups."""
    if job.rollout.prompts_per_step % job.optimizer.minibatches:
        return (
            f"optimizer.minibatches {job.optimizer.minibatches} does not divide "
            f"rollout.prompts_per_step {job.rollout.prompts_per_step}"
        )
    return None


def _best_metric_is_measured(job: "JobSpec") -> str | None:
    """What chooses the best checkpoint is measured at each."""
    every, checks = job.checkpoint.every, job.evaluation.every
    by_validation = job.checkpoint.best_metric == "validation/pass_at_1"
    if by_validation and (checks == 0 or every % checks):
        return (
            "checkpoint.best_metric 'validation/pass_at_1' needs an evaluation at each "
            f"checkpoint: checkpoint.every is {every}, evaluation.every {checks}; set "
            f"evaluation.every {every}"
        )
    return None


def _gpus_fit_device(job: "JobSpec") -> str | None:
    """The roles have the GPUs that the device asks for."""
    return device_problem(job.resources, job.teachers)


def _parts_fit(job: "JobSpec") -> str | None:
    """The parts of a mixture and their teachers go together."""
    return mixture_problem(job.task) or teacher_problem(job.task, job.teacher)


def _one_verdict(job: "JobSpec") -> str | None:
    """One part of every reward says what is correct."""
    for field, rewards in job.reward_lists().items():
        found = len(verdicts(rewards))
        if found != 1:
            return (
                f"{field} need exactly one of type 'verifier', or of type 'installed' with "
                f"verdict true, found {found}"
            )
    return None


def _terms_in_order(job: "JobSpec") -> str | None:
    """Sums have a range of terms."""
    for part in job.parts:
        task, field = part.task, f"{part.path}task"
        if task.type == "chain_sum" and task.min_terms > task.max_terms:
            return f"{field}.min_terms {task.min_terms} is above {field}.max_terms {task.max_terms}"
    return None


def _trackers_differ(job: "JobSpec") -> str | None:
    """No two trackers are of one type."""
    return trackers_problem(job.trackers)


CHECKS: Final[tuple[Callable[["JobSpec"], str | None], ...]] = (
    _algorithm_or_phases,
    _source_fits_algorithm,
    _phases_can_end,
    _early_stop_can_come,
    _teacher_fits_algorithm,
    _divergences_share_their_candidates,
    _temperature_fits_scorer,
    _staleness_is_corrected,
    _resampling_fits_algorithm,
    _minibatches_fit_step,
    _best_metric_is_measured,
    _gpus_fit_device,
    _parts_fit,
    _one_verdict,
    _terms_in_order,
    _trackers_differ,
)
