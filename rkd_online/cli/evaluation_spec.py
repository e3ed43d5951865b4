"""From the command line to what a model is asked: a job that takes no step."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from rkd_online.cli.pairs import CHANGES
from rkd_online.errors import ModelError, SpecError
from rkd_online.spec.check import check_spec
from rkd_online.spec.invalid import suggestion
from rkd_online.spec.job import JobSpec
from rkd_online.spec.load import load_spec, parse_spec
from rkd_online.spec.model_files import read_model
from rkd_online.spec.references import (
    anchor,
    is_hub_reference,
    parse_hub_reference,
    resolve_model,
)
from rkd_online.spec.training import RolloutSpec

SPEC_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
TAKEN: Final = frozenset(
    {
        "task",
        "prompt",
        "rewards",
        "correct_at",
        "judging",
        "evaluation",
        "resources",
        "precision",
        "seed",
    }
)
"""The fields of a job that an evaluation takes over; of ``rollout`` the longest lengths."""
LONGEST: Final = "max_new_tokens"
ROLLOUT: Final = ("max_prompt_tokens", LONGEST)


def parse_changes(given: Sequence[str]) -> dict[str, Any]:
    """Values by field, each read as YAML."""
    changes: dict[str, Any] = {}
    for field, value in CHANGES.read(given).items():
        root = field.partition(".")[0]
        if root not in TAKEN and field not in (f"rollout.{name}" for name in ROLLOUT):
            allowed = [*sorted(TAKEN), *(f"rollout.{name}" for name in ROLLOUT)]
            raise SpecError(
                f"--set {field}: an evaluation has no such field{suggestion(field, allowed)} "
                f"(allowed: {', '.join(allowed)}, and what is in them)"
            )
        try:
            changes[field] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SpecError(f"--set {field}: cannot read {value!r}: {error}") from error
    return changes


def known_models(references: Sequence[str]) -> dict[str, str]:
    """References without relative paths, by a short name. Raises ModelError for one that is not
    there."""
    names = [_last_part(reference) for reference in references]
    shown = names if len(set(names)) == len(names) else references
    if len(set(shown)) < len(shown):
        raise SpecError(f"each MODEL can be given once, found {' '.join(references)}")
    return dict(zip(shown, map(_known_model, references), strict=True))


def _last_part(reference: str) -> str:
    """The name of a bundled model, of one of the hub, or of a folder."""
    if is_hub_reference(reference):
        return Path(parse_hub_reference(reference).name).name
    return Path(reference).absolute().name


def _known_model(reference: str) -> str:
    absolute = anchor(reference, Path.cwd())
    if is_hub_reference(absolute):
        return absolute
    try:
        read_model(resolve_model(absolute))
    except ModelError as error:
        raise ModelError(
            f"MODEL {reference!r}: {error}; a bundled one is zoo:PAIR/NAME, one of the hub "
            "hf:ORG/NAME@REVISION"
        ) from error
    return absolute


def asked(models: Mapping[str, str], task: str, changes: Mapping[str, Any]) -> dict[str, JobSpec]:
    """What each of the models, which are references by name, is asked.

    ``task`` is the file of a job or a task's short name. With a short name an answer may fill half
    of the smallest context of the models, and at most as much as a job gives it by default.
    """
    if Path(task).suffix in SPEC_SUFFIXES:
        data = _from_job(load_spec(Path(task)))
    else:
        data = {"task": _named_task(task), "rewards": [{"type": "verifier"}]}
        if f"rollout.{LONGEST}" not in changes:
            contexts = [_context(reference) for reference in models.values()]
            longest = min([RolloutSpec().max_new_tokens, *(size // 2 for size in contexts if size)])
            data["rollout"] = {LONGEST: longest}
    return {name: _spec(data, reference, changes) for name, reference in models.items()}


def _context(reference: str) -> int | None:
    """Longest sequence of a model; one of the hub is fetched."""
    if is_hub_reference(reference):
        from rkd_online.models.folder import resolve_for_run

        return read_model(resolve_for_run(reference)).context_length
    return read_model(resolve_model(reference)).context_length


def _spec(data: Mapping[str, Any], model: str, changes: Mapping[str, Any]) -> JobSpec:
    """The job of one model, checked. Raises SpecError with one line for each thing wrong."""
    whole: dict[str, Any] = copy.deepcopy(dict(data))
    for field, value in changes.items():
        _change(whole, field, value)
    whole |= {
        "version": 1,
        "name": "evaluation",
        "policy": {"model": model},
        "algorithm": {"type": "grpo"},
        "steps": 1,
    }
    spec = parse_spec(whole)
    longest = spec.rollout.max_prompt_tokens + spec.rollout.max_new_tokens
    # No step is taken, so no sequence has to fit into a step's forward pass.
    optimizer = spec.optimizer.model_copy(update={"micro_batch_tokens": longest})
    spec = spec.model_copy(update={"optimizer": optimizer})
    check_spec(spec)
    return spec


def _from_job(spec: JobSpec) -> dict[str, Any]:
    """What was written into the job, so that a change of a ``type`` finds no other's defaults."""
    data = spec.model_dump(mode="json", exclude_unset=True, include=set(TAKEN))
    lengths = spec.rollout.model_dump(include=set(ROLLOUT))
    for part in data["task"].get("parts", ()):
        part.pop("teacher", None)  # An evaluation asks for rewards alone.
    return data | {"rollout": lengths}


def _named_task(name: str) -> dict[str, str]:
    if name == "chain_sum":
        return {"type": name}
    kind, _, dataset = name.partition("/")
    if kind == "reasoning_gym" and dataset:
        return {"type": kind, "dataset": dataset}
    near = suggestion(name, ["chain_sum", f"reasoning_gym/{name}"])
    raise SpecError(
        f"TASK {name!r} is neither the file of a job (.yaml, .yml or .json) nor one of chain_sum "
        f"and reasoning_gym/DATASET{near}"
    )


def _change(data: dict[str, Any], field: str, value: Any) -> None:
    """Set one field by its path. Another ``type`` begins its mapping anew: the fields of the one
    before are not its own."""
    *parents, name = field.split(".")
    place: Any = data
    for parent in parents:
        place = _entry(place, parent, field)
    if name == "type" and isinstance(place, dict) and place.get("type") != value:
        place.clear()
    if not isinstance(place, dict):
        raise SpecError(f"--set {field}: {'.'.join(parents)} has no fields")
    place[name] = value


def _entry(place: Any, name: str, field: str) -> Any:
    if isinstance(place, list):
        if not name.isdecimal() or int(name) >= len(place):
            raise SpecError(f"--set {field}: {name} is no number from 0 to {len(place) - 1}")
        return place[int(name)]
    if not isinstance(place, dict):
        raise SpecError(f"--set {field}: {name} is below something that has no fields")
    if not isinstance(place.get(name), dict | list):
        place[name] = {}
    return place[name]
