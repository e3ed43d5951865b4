"""Reading a job: YAML or JSON in, a validated ``JobSpec`` or one error that lists all out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from rkd_online.errors import SpecError
from rkd_online.spec.invalid import describe
from rkd_online.spec.job import JobSpec
from rkd_online.spec.mixture import AnyTask, MixtureTask, TaskPart
from rkd_online.spec.references import anchor
from rkd_online.spec.resources import PolicySpec, TeacherSpec
from rkd_online.spec.task import FileTask
from rkd_online.spec.training import StoreSource

YAML_SUFFIXES: Final = frozenset({".yaml", ".yml"})


def load_spec(path: Path) -> JobSpec:
    """The job in a ``.yaml``, ``.yml`` or ``.json`` file.

    Relative folders and files in it are taken from the spec's own folder and made absolute. Raises
    SpecError with one line for each thing that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot read the spec file {path}: {error}") from error
    if path.suffix == ".json":
        data = _json(path, text)
    elif path.suffix in YAML_SUFFIXES:
        data = _yaml(path, text)
    else:
        raise SpecError(f"spec file {path} ends in {path.suffix!r}: use .yaml, .yml or .json")
    return _anchored(parse_spec(data), path.resolve().parent)


def parse_spec(data: Any) -> JobSpec:
    """The job in plain data. Raises SpecError with one line for each field that is wrong."""
    if not isinstance(data, Mapping):
        raise SpecError(f"a job spec is a mapping of field names, found {type(data).__name__}")
    try:
        return JobSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(describe(error))) from error


def _anchored(spec: JobSpec, folder: Path) -> JobSpec:
    """The same job without relative paths, so that it means the same in every process."""
    changes: dict[str, object] = {"policy": _anchored_model(spec.policy, folder)}
    if spec.teacher is not None:
        changes["teacher"] = _anchored_model(spec.teacher, folder)
    changes["task"] = _anchored_task(spec.task, folder)
    source = spec.rollout.source
    if isinstance(source, StoreSource):
        anchored = source.model_copy(update={"path": folder / source.path.expanduser()})
        changes["rollout"] = spec.rollout.model_copy(update={"source": anchored})
    return spec.model_copy(update=changes)


def _anchored_model(model: PolicySpec | TeacherSpec, folder: Path) -> PolicySpec | TeacherSpec:
    return model.model_copy(update={"model": anchor(model.model, folder)})


def _anchored_task(task: AnyTask, folder: Path) -> AnyTask:
    if isinstance(task, MixtureTask):
        parts = tuple(_anchored_part(part, folder) for part in task.parts)
        return task.model_copy(update={"parts": parts})
    return _anchored_files(task, folder) if isinstance(task, FileTask) else task


def _anchored_part(part: TaskPart, folder: Path) -> TaskPart:
    changes: dict[str, object] = {"task": _anchored_task(part.task, folder)}
    if part.teacher is not None:
        changes["teacher"] = _anchored_model(part.teacher, folder)
    return part.model_copy(update=changes)


def _anchored_files(task: FileTask, folder: Path) -> FileTask:
    files = {"train": task.train, "validation": task.validation, "test": task.test}
    return task.model_copy(
        update={split: folder / file.expanduser() for split, file in files.items()}
    )


def _json(path: Path, text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise SpecError(f"{path}: key {min(twice)!r} is given twice in one object")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise SpecError(
            f"{path}, line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error


def _yaml(path: Path, text: str) -> Any:
    try:
        return yaml.load(text, _UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(f"{path}{where}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: {error}") from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's own loader keeps the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)
