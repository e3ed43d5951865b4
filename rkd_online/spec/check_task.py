"""What can be known of a job's task and rewards before they are built."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

from rkd_online.spec.curriculum import empty_stages
from rkd_online.spec.deal import Deal
from rkd_online.spec.installed import GROUP, installed_rewards
from rkd_online.spec.invalid import suggestion
from rkd_online.spec.job import JobSpec
from rkd_online.spec.levels import empty_levels
from rkd_online.spec.mixture import AnyTask, MixtureTask, Part
from rkd_online.spec.reasoning_gym import reasoning_gym_problems
from rkd_online.spec.task import (
    FileTask,
    InstalledReward,
    OverlongReward,
    ReasoningGymTask,
    Reward,
    part_name,
)

FILE_SUFFIXES: Final = frozenset({".jsonl", ".parquet"})


def task_problems(task: AnyTask) -> list[str]:
    """One line for each thing that is wrong with a task, each starting with its field."""
    if isinstance(task, MixtureTask):
        return [
            f"task.parts.{number}.{line}"
            for number, part in enumerate(task.parts)
            for line in task_problems(part.task)
        ]
    if isinstance(task, FileTask):
        files = [line for split in ("train", "validation", "test") for line in _file(task, split)]
        return [*files, *_matching(task)]
    if isinstance(task, ReasoningGymTask) and find_spec("reasoning_gym") is not None:
        return list(reasoning_gym_problems(task)) or list(empty_levels(task))
    return []


def reward_problems(spec: JobSpec) -> list[str]:
    """The same of a job's rewards, and of what it has too few groups or prompts for."""
    lists = spec.reward_lists().items()
    found = [line for field, rewards in lists for line in _rewards(spec, field, rewards)]
    return [*_stages(spec), *_prompts(spec), *found]


def _rewards(spec: JobSpec, field: str, rewards: Sequence[Reward]) -> Iterator[str]:
    seen: dict[str, int] = {}
    longest = spec.rollout.max_new_tokens
    for number, reward in enumerate(rewards):
        here, name = f"{field}.{number}", part_name(reward)
        if seen.setdefault(name, number) != number:
            yield (
                f"{here}: its part would be recorded as {name!r}, as that of "
                f"{field}.{seen[name]} is: leave one of them out"
            )
        if isinstance(reward, InstalledReward):
            yield from _installed(f"{here}.name", name)
        if isinstance(reward, OverlongReward) and reward.soft_tokens > longest:
            yield (
                f"{here}.soft_tokens: {reward.soft_tokens} is above rollout.max_new_tokens "
                f"{longest}: lower it"
            )


def _stages(spec: JobSpec) -> Iterator[str]:
    """Parts of a mixture, and stages of a curriculum, that the job has too few groups for."""
    groups = spec.steps * spec.rollout.prompts_per_step
    yield from _without("steps", f"{groups} groups", groups, spec.parts)
    for part, own in zip(spec.parts, _dealt(spec.parts, groups), strict=True):
        if isinstance(part.task, ReasoningGymTask) and part.task.curriculum and own:
            what, task = f"groups of {part.name}" if part.name else "groups", f"{part.path}task"
            yield from empty_stages("steps", what, own, part.task.curriculum, task)


def _prompts(spec: JobSpec) -> Iterator[str]:
    """Parts of a mixture that nothing would be measured of."""
    asked = spec.evaluation
    counts = {"evaluation.prompts": asked.prompts}
    if asked.every:
        counts["evaluation.every_prompts"] = asked.every_prompts
    for field, count in counts.items():
        yield from _without(field, f"{count} prompts", count, spec.parts)


def _without(field: str, what: str, total: int, parts: Sequence[Part]) -> Iterator[str]:
    whole = sum(part.weight for part in parts)
    for part, own in zip(parts, _dealt(parts, total), strict=True):
        if own == 0:
            yield (
                f"{field}: {what} leave none for {part.name}, whose weight ({part.path}weight) is "
                f"{part.weight:g} of {whole:g}: raise one of them"
            )


def _dealt(parts: Sequence[Part], total: int) -> list[int]:
    """How many of ``total`` things each part gets."""
    return Deal([part.weight for part in parts]).counts(total)


def _installed(field: str, name: str) -> Iterator[str]:
    known = installed_rewards()
    if name not in known:
        there = f"installed are: {', '.join(known)}" if known else "none are installed"
        yield (
            f"{field}: no installed package has an entry point {name!r} in the group {GROUP}"
            f"{suggestion(name, known)} ({there})"
        )
    elif len(known[name]) > 1:
        objects = " and ".join(point.value for point in known[name])
        yield f"{field}: {name!r} is {objects}: uninstall one of the packages"


def _matching(task: FileTask) -> Iterator[str]:
    # The base package, which has no torch, checks jobs that run elsewhere.
    runs_jobs = find_spec("torch") is not None
    if task.match == "math" and runs_jobs and find_spec("math_verify") is None:
        yield "task.match: 'math' needs the package math-verify: install it, or choose another"


def _file(task: FileTask, split: str) -> Iterator[str]:
    path: Path = getattr(task, split)
    if path.suffix not in FILE_SUFFIXES:
        yield f"task.{split}: {path} ends in {path.suffix!r}, should be .jsonl or .parquet"
    elif not path.is_absolute():
        yield f"task.{split}: {path} is a relative path: give an absolute one"
    elif not path.is_file():
        yield f"task.{split}: there is no file {path}"
    else:
        try:
            columns = _columns(path)
        except (OSError, ValueError) as error:
            yield f"task.{split}: cannot read {path}: {error}"
            return
        yield from _missing_columns(task, split, columns)


def _missing_columns(task: FileTask, split: str, columns: list[str] | None) -> Iterator[str]:
    wanted: Mapping[str, str | None] = {
        "prompt_field": task.prompt_field,
        "answer_field": task.answer_field,
        "difficulty_field": task.difficulty_field,
    }
    for setting, column in wanted.items():
        if columns is not None and column is not None and column not in columns:
            yield (
                f"task.{setting}: {getattr(task, split)} has no column {column!r}"
                f"{suggestion(column, columns)} (it has: {', '.join(columns)})"
            )


def _columns(path: Path) -> list[str] | None:
    """Columns, for JSONL those of the first record; None where they cannot be read here."""
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8") as lines:
            first = next(islice((line for line in lines if line.strip()), 1), None)
        return _keys(first)
    if find_spec("pyarrow") is None:
        return None
    import pyarrow.parquet

    return list(pyarrow.parquet.read_schema(path).names)


def _keys(line: str | None) -> list[str]:
    if line is None:
        raise ValueError("it is empty")
    record: Any = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError(f"its first record is a {type(record).__name__} instead of an object")
    return list(record)
