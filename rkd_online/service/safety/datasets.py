"""What reasoning-gym would read or run for a job, beyond making problems."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rkd_online.spec.job import JobSpec
from rkd_online.spec.task import ReasoningGymTask

EVALUATING: Final = frozenset(
    {
        "binary_matrix",
        "countdown",
        "intermediate_integration",
        "n_queens",
        "polynomial_multiplication",
        "puzzle24",
        "simple_integration",
        "spiral_matrix",
        "string_insertion",
    }
)
"""Datasets whose verifiers run an answer as Python (``eval``, or sympy's ``parse_expr``, which does
the same): whoever brings the model writes the program."""

DATA_FILE: Final = "data_file"
"""The setting of ``spell_backward`` that reasoning-gym joins to a folder of its own, and reads."""

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def dataset_problems(spec: JobSpec, *, evaluated_answers: bool) -> Iterator[str]:
    """One line for each dataset or setting that a job may not name."""
    for part in spec.parts:
        if not isinstance(part.task, ReasoningGymTask):
            continue
        evaluating = EVALUATING.intersection(_names(part.task))
        if evaluating and not evaluated_answers:
            yield (
                f"{part.path}task.dataset: {min(evaluating)!r} runs the answers of the policy as "
                "Python: choose a dataset that does not; only the administrator can allow it "
                "(RKD_ALLOW_EVALUATED_ANSWERS)"
            )
        yield from _files(f"{part.path}task.config", part.task.config)


def _names(task: ReasoningGymTask) -> Iterator[str]:
    """The dataset and those that it mixes, in settings that nobody has checked yet."""
    yield task.dataset
    mixed = task.config.get("datasets")
    for one in mixed if isinstance(mixed, list) else ():
        if isinstance(one, Mapping):
            yield str(one.get("name"))


def _files(field: str, config: Any) -> Iterator[str]:
    """Every ``data_file`` at any depth that is more than a file's name."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key == DATA_FILE and not (isinstance(value, str) and _FILE_NAME.fullmatch(value)):
                yield f"{field}.{key}: {value!r:.120} is no name of a file of reasoning-gym's own"
            yield from _files(f"{field}.{key}", value)
    elif isinstance(config, list | tuple):
        for number, value in enumerate(config):
            yield from _files(f"{field}.{number}", value)
