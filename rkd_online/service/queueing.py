"""Whether a job can be queued, and whether it could start."""

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.access.caller import no_such_project
from rkd_online.service.launchers.base import LauncherError
from rkd_online.service.launchers.groups import grown_room
from rkd_online.service.launchers.room import LabelledRoom, Room
from rkd_online.service.reconcile.ledgers import open_ledger
from rkd_online.service.schemas.job import Verdict
from rkd_online.service.services import Services
from rkd_online.service.store import jobs, projects
from rkd_online.service.store.jobs import NewJob
from rkd_online.service.store.projects import Quota
from rkd_online.service.web.problems import ApiError
from rkd_online.spec.job import JobSpec
from rkd_online.spec.needs import Needs, shortfall
from rkd_online.spec.placed import PlacedNeeds, label_shortfall, scattered


async def check_queue(session: AsyncSession, new: NewJob) -> None:
    """Raise ApiError where the project is not there, its queue is full, or the job could never
    start within its quota. Holds the project's row where the queue's length counts."""
    quota = await projects.quota(session, new.project)
    if quota is None:
        raise no_such_project(new.project)
    if problem := beyond_quota(quota, new.gpus):
        raise ApiError(422, "beyond_quota", problem)
    if quota.max_queued_jobs is None:
        return
    await projects.lock(session, new.project)
    if (queued := await projects.queued(session, new.project)) >= quota.max_queued_jobs:
        raise ApiError(
            429,
            "queue_full",
            f"{queued} jobs of the project {new.project} wait, and its quota is "
            f"{quota.max_queued_jobs}: wait until one starts, or cancel one",
            headers={"Retry-After": "60"},
        )


def beyond_quota(quota: Quota, gpus: float) -> str | None:
    """Why a job could never start in its project."""
    if quota.max_active_jobs == 0:
        return f"the quota of the project {quota.project} is 0 active jobs"
    if quota.max_gpus is not None and gpus > quota.max_gpus:
        return (
            f"the job needs {gpus:g} GPUs, and the quota of the project {quota.project} is "
            f"{quota.max_gpus:g}"
        )
    return None


async def never_fits(services: Services, spec: JobSpec, needs: Needs) -> str | None:
    """Why the cluster could never hold a job; None also where nobody tells what it has."""
    if problem := scattered(needs) or services.launcher.unfit(spec):
        return problem
    room = await _all_nodes(services)
    if room is None:
        return None
    if isinstance(needs, PlacedNeeds) and isinstance(room, LabelledRoom):
        return label_shortfall(needs, room.labelled)
    return shortfall(needs, room.totals)


async def _all_nodes(services: Services) -> Room | None:
    """Those that are not there yet count too; None where nobody tells any."""
    try:
        room = await services.room.latest()
    except LauncherError:
        room = None
    groups = services.settings.cluster_groups
    if not groups or (room is not None and room.endless):
        return room
    return grown_room(groups, services.settings.role_label)


async def verdict(services: Services, project_id: str, spec: JobSpec, needs: Needs) -> Verdict:
    """Whether a job could start now."""
    if problem := await never_fits(services, spec, needs):
        return Verdict(fits=False, detail=problem)
    async with services.database.read() as session:
        quota = await projects.quota(session, project_id)
        if quota is None:
            raise no_such_project(project_id)
        if problem := beyond_quota(quota, needs.total("GPU")):
            return Verdict(fits=False, detail=problem)
    try:
        room = await services.room.latest()
    except LauncherError as error:
        return Verdict(fits=None, detail=f"needs {needs}; {error}")
    async with services.database.read() as session:
        _, reserved = await jobs.reserved(session)
        lack = (await open_ledger(session, room, reserved)).lack(needs)
    now = "the cluster's own queue says when" if room.endless else "there is room for it now"
    return Verdict(fits=True, detail=f"needs {needs}; {lack or now}")
