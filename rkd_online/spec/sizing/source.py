"""Where the configuration of a model is found, without a network and without its weights."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from rkd_online.errors import ModelError, SpecError
from rkd_online.spec.check import references
from rkd_online.spec.job import JobSpec
from rkd_online.spec.model_files import read_json
from rkd_online.spec.references import is_hub_reference, parse_hub_reference, resolve_model
from rkd_online.spec.sizing.families import shape_of
from rkd_online.spec.sizing.shape import Shape

CONFIG = "config.json"
TABLE = "known.yaml"


@dataclass(frozen=True, slots=True)
class Sized:
    """A model with its shape, and from where that is known."""

    reference: str
    shape: Shape
    source: str


def sized_models(spec: JobSpec, given: Mapping[str, Path]) -> dict[str, Sized]:
    """Every model of a job by the names of ``references``. ``given`` are configurations that take
    the place of what would be looked for. Raises SpecError with a line for each that is missing."""
    named = references(spec)
    found: dict[str, Sized] = {}
    problems = [
        f"--config {name}: the job has no such model (it has {', '.join(named)})"
        for name in given
        if name not in named
    ]
    for name, reference in named.items():
        try:
            found[name] = _sized(reference, given.get(name))
        except (ModelError, SpecError) as error:
            problems.append(f"{name}.model: {error}")
    if problems:
        raise SpecError("\n".join(problems))
    return found


def _sized(reference: str, given: Path | None) -> Sized:
    if given is not None:
        file = given / CONFIG if given.is_dir() else given
        return Sized(reference, shape_of(read_json(file), file), str(file))
    if not is_hub_reference(reference):
        folder = resolve_model(reference)
        file = folder / CONFIG
        if not folder.is_dir():
            raise ModelError(f"there is no folder {folder}: give a folder in Hugging Face format")
        return Sized(reference, shape_of(read_json(file), file), str(file))
    return _of_hub(reference)


def _of_hub(reference: str) -> Sized:
    model = parse_hub_reference(reference)
    cached = _cached(model.name, model.revision)
    if cached is not None:
        return Sized(reference, shape_of(read_json(cached), cached), str(cached))
    known = known_models().get(model.name)
    if known is None:
        raise ModelError(
            f"{reference} is neither in the hub's cache ({_cache()}) nor among the models whose "
            f"configuration comes with this package ({', '.join(known_models())}): give its "
            "config.json by --config"
        )
    content, source = known
    return Sized(reference, shape_of(content, Path(TABLE)), source)


@cache
def known_models() -> dict[str, tuple[dict[str, Any], str]]:
    """Configurations that come with the package, by the name of the model, with their source."""
    text = (resources.files(__package__) / TABLE).read_text(encoding="utf-8")
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for one in yaml.safe_load(text):
        for name in one["names"]:
            found[name] = (one["config"], f"known: huggingface.co/{one['names'][0]}, {CONFIG}")
    return found


def _cache() -> Path:
    """The hub's cache, as huggingface_hub finds it; that package is no part of the base."""
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"
    )
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()


def _cached(name: str, revision: str) -> Path | None:
    folder = _cache() / f"models--{name.replace('/', '--')}"
    branch = folder / "refs" / revision
    commit = branch.read_text().strip() if branch.is_file() else revision
    file = folder / "snapshots" / commit / CONFIG
    return file if file.is_file() else None
