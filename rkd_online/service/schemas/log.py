"""Logs as the API answers them."""

from typing import Literal, TypeAlias

from rkd_online.service.schemas.answer import Answer

LogRole: TypeAlias = Literal["driver", "generator", "scorer", "learner", "evaluator"]


class JobLog(Answer):
    """The end of a log."""

    attempt: int
    """The attempt that wrote it."""
    role: LogRole
    """The role that wrote it."""
    worker: str | None
    """The worker of the role, as it is called in the trace; null for the driver."""
    stream: Literal["out", "err"] | None
    """The stream it was written to; null for the driver, whose two are one."""
    text: str
    """The lines, each with its end; empty where nothing was written yet."""
