"""What reasoning-gym says of a dataset's name and settings. Needs the package when it is called."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rkd_online.spec.curriculum import curriculum_problems
from rkd_online.spec.invalid import suggestion
from rkd_online.spec.task import ReasoningGymTask

COMPOSITE: Final = "composite"
"""The dataset that mixes others: ``{"datasets": [{"name": ..., "weight": ..., "config": {}}]}``."""

OWN_KEYS: Final = {
    "seed": "task.seed",
    "size": "task.train_size, validation_size and test_size",
}

UNREPRODUCIBLE: Final = frozenset({"codeio"})
"""Datasets whose problems change from one process to the next whatever their seed."""


def reasoning_gym_problems(task: ReasoningGymTask) -> Iterator[str]:
    """One line for each thing that is wrong, each starting with its field."""
    wrong = list(_name_problems("task.dataset", task.dataset))
    if wrong:
        yield from wrong
        return
    if task.dataset == COMPOSITE:
        yield from _composite_problems(task.config)
    else:
        yield from _config_problems("task.config", task.dataset, task.config)
    if task.curriculum:
        yield from curriculum_problems(task)


def dataset_names(task: ReasoningGymTask) -> list[str]:
    """The dataset, or those that it mixes."""
    if task.dataset == COMPOSITE:
        return [part["name"] for part in task.config["datasets"]]
    return [task.dataset]


def dataset_config(task: ReasoningGymTask) -> dict[str, Any]:
    """The settings as the dataset's configuration class takes them."""
    if task.dataset != COMPOSITE:
        return task.config
    from reasoning_gym.composite import DatasetSpec

    return {"datasets": [DatasetSpec(**part) for part in task.config["datasets"]]}


def _composite_problems(config: Mapping[str, Any]) -> Iterator[str]:
    parts = config.get("datasets")
    if config.keys() != {"datasets"} or not isinstance(parts, list) or not parts:
        yield f"task.config: composite takes a list of datasets and nothing else, found {config}"
        return
    for number, part in enumerate(parts):
        field = f"task.config.datasets.{number}"
        if not _is_part(part):
            yield f"{field}: found {part}, should be a mapping of name, weight above 0 and config"
        elif wrong := list(_name_problems(f"{field}.name", part["name"])):
            yield from wrong
        else:
            yield from _config_problems(f"{field}.config", part["name"], part["config"])


def _is_part(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and part.keys() == {"name", "weight", "config"}
        and isinstance(part["name"], str)
        and isinstance(part["weight"], int | float)
        and part["weight"] > 0
        and isinstance(part["config"], dict)
    )


def _name_problems(field: str, name: str) -> Iterator[str]:
    from reasoning_gym.factory import DATASETS

    if name not in DATASETS:
        some = f" (it has {len(DATASETS)}, chain_sum and knights_knaves among them)"
        near = suggestion(name, DATASETS) or some
        yield f"{field}: reasoning-gym has no dataset {name!r}{near}"
    elif name in UNREPRODUCIBLE:
        yield f"{field}: {name!r} makes other problems in every process: choose another"


def _config_problems(field: str, name: str, config: Mapping[str, Any]) -> Iterator[str]:
    from reasoning_gym.factory import DATASETS

    _, config_class = DATASETS[name]
    known = {one.name for one in dataclasses.fields(config_class)} - OWN_KEYS.keys()
    wrong = [_key_problem(field, name, key, known) for key in config if key not in known]
    yield from wrong or _value_problems(field, name, config)


def _key_problem(field: str, name: str, key: str, known: set[str]) -> str:
    if key in OWN_KEYS:
        return f"{field}.{key}: set {OWN_KEYS[key]} instead"
    allowed = ", ".join(sorted(known))
    return f"{field}.{key}: {name} has no such setting{suggestion(key, known)} (allowed: {allowed})"


def _value_problems(field: str, name: str, config: Mapping[str, Any]) -> Iterator[str]:
    from reasoning_gym import create_dataset

    try:
        create_dataset(name, seed=0, size=1, **config)
    except Exception as error:  # whatever the dataset's own checks raise for a wrong value
        yield f"{field}: {name} refuses {config}: {error or type(error).__name__}"
