"""Checkpoints as the API answers them."""

from datetime import datetime

from rkd_online.service.schemas.answer import Answer


class Measured(Answer):
    """A mean over prompts, with its 95 % interval."""

    value: float
    """The mean."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    n: int
    """Number of prompts."""


class CheckpointEvaluation(Answer):
    """What was measured of a checkpoint's weights."""

    name: str
    """``validation-NNNNNN``, ``student-before`` or ``student-after``."""
    split: str
    """The split that was asked."""
    pass_at_1: dict[str, Measured]
    """Share of correct answers by decoding."""


class CheckpointRecord(Answer):
    """A whole checkpoint."""

    name: str
    """Attempt and folder: ``ATTEMPT-step-NNNNNN``."""
    attempt: int
    """The attempt that wrote it."""
    step: int
    """The step it was written after; 0 is the student as it was loaded."""
    path: str
    """Its folder, relative to the job's."""
    written_at: datetime
    """When it became whole."""
    files: int
    """How many files it has."""
    bytes: int
    """Their size together."""
    resumes: bool
    """Whether the job would go on from it."""
    last: bool | None
    """Whether the job's report measured it; null before there is a report."""
    best: bool | None
    """Whether it is the best by the job's ``checkpoint.best_metric``; null before there is a
    report."""
    evaluations: list[CheckpointEvaluation]
    """What is known of its weights."""


class CheckpointFile(Answer):
    """A file of a checkpoint."""

    path: str
    """Where it lies in the checkpoint's folder."""
    bytes: int
    """Its size."""
    sha256: str | None
    """Its digest as it was written; null for the manifest, which has all others."""
