"""Whether a job names only what the administrator allows. Call it before anything of the job is
looked at: its own check says what is in a file, and whether there is one."""

from collections.abc import Iterator
from pathlib import Path

from rkd_online.errors import SpecError
from rkd_online.service.safety.content import code_problem
from rkd_online.service.safety.datasets import dataset_problems
from rkd_online.service.safety.folders import OwnsJob
from rkd_online.service.safety.hub import hub_problem
from rkd_online.service.safety.limits import Limits
from rkd_online.service.safety.named import (
    NamedFile,
    NamedModel,
    NamedPath,
    hub_models_of,
    paths_of,
)
from rkd_online.service.safety.path_text import shown
from rkd_online.service.safety.trackers import tracker_problems
from rkd_online.service.safety.tree import tree_problem
from rkd_online.spec.job import JobSpec


def check_names(spec: JobSpec, limits: Limits, owns_job: OwnsJob) -> None:
    """Raise one SpecError with a line for each field that names what it may not.

    ``owns_job`` says whether a job is of the project for which this one is submitted.
    """
    refuse(list(_problems(spec, limits, owns_job)))


def refuse(problems: list[str]) -> None:
    """Raise them as one SpecError, if there are any."""
    if problems:
        raise SpecError("\n".join(problems))


def first_look(spec: JobSpec, limits: Limits) -> tuple[frozenset[str], list[str]]:
    """The ids of jobs, if they are any, whose files a job names, by links too: what to look up the
    projects of. And what is wrong where all of them are of the right project."""
    found: set[str] = set()

    def note(job: str) -> bool:
        found.add(job)
        return True

    problems = list(_problems(spec, limits, note))
    return frozenset(found), problems


def _problems(spec: JobSpec, limits: Limits, owns_job: OwnsJob) -> Iterator[str]:
    for hub in hub_models_of(spec):
        problem = hub_problem(hub.reference, limits.models)
        if problem is not None:
            yield f"{hub.field}: {problem}"
    for named in paths_of(spec):
        problem = _path_problem(named, limits, owns_job)
        if problem is not None:
            yield f"{named.field}: {problem}"
    yield from dataset_problems(spec, evaluated_answers=limits.evaluated_answers)
    yield from tracker_problems(spec, limits.trackers)


def _path_problem(named: NamedPath, limits: Limits, owns_job: OwnsJob) -> str | None:
    folders = limits.folders
    outside = folders.problem(named.path, owns_job)
    if outside is None and limits.apart and folders.is_of_a_job(named.path):
        return (
            f"{shown(named.path)} is of a job, and the files of jobs are in the object store, not "
            "on the nodes: download it (`rkd checkpoints download`, or the API) and put it into a "
            "folder of RKD_ALLOWED_PATHS that this API and all nodes have"
        )
    if outside is not None or isinstance(named, NamedFile):
        return outside
    folder = Path(named.path)
    wrong = tree_problem(folder, lambda real: folders.admits(real, owns_job))
    if wrong is None and isinstance(named, NamedModel) and not folders.is_of_a_job(named.path):
        # The learner keeps what the settings of its model say, and copies no code.
        wrong = code_problem(folder)
    return None if wrong is None else f"{shown(named.path)} {wrong}"
