"""What the administrator lets jobs name, from the settings."""

from dataclasses import dataclass
from pathlib import Path

from rkd_online.service.safety.folders import Folders
from rkd_online.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """``models`` are patterns of models of the hub. ``evaluated_answers``: whether verifiers may
    run answers as Python. ``trackers`` are names of tracking servers. ``apart``: whether the nodes
    see no job's folder."""

    folders: Folders
    models: tuple[str, ...]
    evaluated_answers: bool
    trackers: tuple[str, ...]
    apart: bool


def limits_of(settings: Settings, *, shared: bool) -> Limits:
    """The limits of a control plane that is ``shared``, or that one user started for himself: he
    may name what lies below the folder where he started it, and let answers be evaluated."""
    evaluated = settings.allow_evaluated_answers
    return Limits(
        folders=Folders.of(_allowed(settings, shared=shared), settings.data_dir),
        models=settings.allowed_models,
        evaluated_answers=not shared if evaluated is None else evaluated,
        trackers=tuple(settings.trackers),
        apart=bool(settings.object_store),
    )


def _allowed(settings: Settings, *, shared: bool) -> tuple[Path, ...]:
    if settings.allowed_paths is not None:
        return settings.allowed_paths
    here = Path.cwd()
    # Services are started in the root of the file system, where this would mean everything.
    return () if shared or here == Path(here.anchor) else (here,)
