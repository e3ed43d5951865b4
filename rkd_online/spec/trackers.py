"""Where else the metrics of a run go: experiment trackers, beside the run's own records."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints

from rkd_online.spec.base import SpecModel

ENDPOINT: Final = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
EndpointName = Annotated[str, StringConstraints(pattern=ENDPOINT)]
Title = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,250}$")]


class TensorboardTracker(SpecModel):
    """Event files for TensorBoard, in the folder ``tensorboard`` of the job."""

    type: Literal["tensorboard"]
    """Names this tracker."""


class MlflowTracker(SpecModel):
    """A run on an MLflow server, one for all attempts of the job."""

    type: Literal["mlflow"]
    """Names this tracker."""
    endpoint: EndpointName = "default"
    """Name of a server that the administrator allows (``RKD_TRACKERS``); with ``rkd run`` it is the
    one of ``MLFLOW_TRACKING_URI``."""
    experiment: Title = "rkd-online"
    """Experiment of the run, made where there is none."""
    run_name: Title | None = None
    """Name of the run; without one that of the job."""


Tracker: TypeAlias = Annotated[TensorboardTracker | MlflowTracker, Field(discriminator="type")]


def trackers_problem(trackers: Sequence[Tracker]) -> str | None:
    """Why these do not go together."""
    seen: dict[str, int] = {}
    for number, one in enumerate(trackers):
        if seen.setdefault(one.type, number) != number:
            return (
                f"trackers.{number}.type {one.type!r} is that of trackers.{seen[one.type]} too: a "
                "job takes each type once"
            )
    return None
