"""The rollouts that a job learned from."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query

from rkd_online.service.access.authentication import Viewer
from rkd_online.service.reading.rollout_files import MOST_GROUP, RolloutId, parse_id
from rkd_online.service.reading.rollout_table import Wanted, require_pyarrow
from rkd_online.service.reading.rollouts import find_rollout, rollout_page
from rkd_online.service.reading.series import MOST_STEP
from rkd_online.service.routes.access import read_job
from rkd_online.service.schemas.answer import Page
from rkd_online.service.schemas.rollout import RolloutRecord, RolloutTokens
from rkd_online.service.services import ServicesDep
from rkd_online.service.web.problems import ApiError, documented

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

RESPONSES = documented(401, 404, 429, 501)
Reward = Annotated[float | None, Query(allow_inf_nan=False)]


@router.get("/rollouts", responses=RESPONSES)
async def list_rollouts(
    job_id: str,
    caller: Viewer,
    services: ServicesDep,
    step: Annotated[int | None, Query(ge=0, le=MOST_STEP)] = None,
    group: Annotated[int | None, Query(ge=0, le=MOST_GROUP)] = None,
    min_reward: Reward = None,
    max_reward: Reward = None,
    correct: Annotated[
        bool | None, Query(description="Rollouts without a verdict match neither.")
    ] = None,
    task: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=60, description="`next` of the page before.")] = (
        None
    ),
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[RolloutRecord]:
    """The rollouts of a job, newest step first, those of a step by group and place; of a step that
    was done again those of its last attempt.

    They are read from the job's files: where this service sees neither the disk that runs write to
    nor their object store there are none. A page that looks for what is rare ends early: go on
    while `has_more`.
    """
    await read_job(services, caller, job_id)
    await asyncio.to_thread(require_pyarrow)
    wanted = Wanted(step, group, min_reward, max_reward, correct, task)
    files = services.storage.files(job_id)
    found = await asyncio.to_thread(rollout_page, files, wanted, _position(after), limit)
    return Page(
        data=found.rows,
        has_more=found.next is not None,
        next=None if found.next is None else str(found.next),
    )


@router.get("/rollouts/{rollout_id}", responses=RESPONSES)
async def show_rollout(
    job_id: str,
    rollout_id: Annotated[str, Path(max_length=60, description="`STEP-GROUP-INDEX`")],
    caller: Viewer,
    services: ServicesDep,
) -> RolloutTokens:
    """One rollout, with the log-probs of its tokens and the weights that sampled them."""
    await read_job(services, caller, job_id)
    await asyncio.to_thread(require_pyarrow)
    wanted = parse_id(rollout_id)
    files = services.storage.files(job_id)
    found = await asyncio.to_thread(find_rollout, files, wanted) if wanted else None
    if found is None:
        raise ApiError(404, "rollout_not_found", f"{job_id} has no rollout {rollout_id!r}")
    return found


def _position(after: str | None) -> RolloutId | None:
    if after is None:
        return None
    found = parse_id(after)
    if found is None:
        raise ApiError(
            422, "invalid_cursor", f"after={after!r} is not the `next` of an earlier page"
        )
    return found
