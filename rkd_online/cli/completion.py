"""What the shell completes: names that one quick question to the control plane gives.

Whatever goes wrong gives none: a shell has no place for an error.
"""

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from rkd_online.cli.hints import DEFAULT_URL
from rkd_online.errors import RkdError

if TYPE_CHECKING:
    from rkd_online.client import Client

MOST = 100


def complete_jobs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest jobs, with name and status."""
    return _found(
        ctx,
        incomplete,
        lambda client: (
            (job.id, f"{job.name}, {job.status}") for job in client.list(limit=MOST).data
        ),
    )


def complete_projects(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Names of projects."""
    return _found(
        ctx,
        incomplete,
        lambda client: ((project.id, "") for project in client.projects(limit=MOST).data),
    )


def complete_keys(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest keys that are not revoked, with what they are for."""
    return _found(
        ctx,
        incomplete,
        lambda client: (
            (key.id, f"{key.name}, {key.scope}")
            for key in client.keys(limit=MOST).data
            if key.revoked_at is None
        ),
    )


def _found(
    ctx: typer.Context,
    incomplete: str,
    ask: Callable[["Client"], Iterable[tuple[str, str]]],
) -> list[tuple[str, str]]:
    from rkd_online.cli.connection import connect_briefly

    url = ctx.params.get("url") or os.environ.get("RKD_URL", DEFAULT_URL)
    with contextlib.suppress(RkdError, ValueError), connect_briefly(url) as client:
        return [(name, words) for name, words in ask(client) if name.startswith(incomplete)]
    return []
