"""What is free for jobs that wait, behind those that hold a place."""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from rkd_online.service.launchers.room import LabelledRoom, Ledger, RoleLedger, Room
from rkd_online.service.reconcile.needs import needs_of
from rkd_online.service.store import jobs
from rkd_online.spec.job import JobSpec
from rkd_online.spec.needs import KINDS, Role
from rkd_online.spec.placed import PlacedNeeds


async def open_ledger(session: AsyncSession, room: Room, reserved: Mapping[str, float]) -> Ledger:
    """By the nodes of each role, where it is known which they are. ``reserved`` is what the jobs
    that hold a place need, by kind."""
    if not isinstance(room, LabelledRoom):
        return Ledger(room, reserved)
    return RoleLedger(room, reserved, await _reserved_by_role(session, room.label))


async def _reserved_by_role(session: AsyncSession, label: str) -> dict[Role, dict[str, float]]:
    found: dict[Role, dict[str, float]] = defaultdict(lambda: dict.fromkeys(KINDS, 0.0))
    for spec in await jobs.holding(session):
        needs = needs_of(JobSpec.model_validate(spec), label)
        for share in needs.shares if isinstance(needs, PlacedNeeds) else ():
            for kind in KINDS:
                found[share.role][kind] += share.total(kind)
    return found
