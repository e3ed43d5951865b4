"""Whether a job names only what its project may name, with the projects looked up."""

import asyncio

from rkd_online.service.safety.check import check_names, first_look, refuse
from rkd_online.service.safety.limits import Limits
from rkd_online.service.store import jobs
from rkd_online.service.store.engine import Database
from rkd_online.spec.check import check_spec
from rkd_online.spec.job import JobSpec


class NameChecker:
    """Asked when a job is submitted, and again when it starts: files may have changed meanwhile."""

    def __init__(self, limits: Limits, database: Database) -> None:
        self._limits = limits
        self._database = database

    async def check(self, spec: JobSpec, project: str) -> None:
        """Raise SpecError with a line for each field that names what the project may not name."""
        named, problems = await asyncio.to_thread(first_look, spec, self._limits)
        if named:
            async with self._database.read() as session:
                own = await jobs.of_project(session, named, project)
            if named - own:
                await asyncio.to_thread(check_names, spec, self._limits, own.__contains__)
        refuse(problems)

    async def admit(self, spec: JobSpec, project: str) -> None:
        """Raise SpecError where a job cannot be queued: for what it may not name, and only then for
        what lies there."""
        if await asyncio.to_thread(self._looked, spec):
            return
        await self.check(spec, project)
        await asyncio.to_thread(check_spec, spec)

    def _looked(self, spec: JobSpec) -> bool:
        """All of it at one go, where no project has to be looked up for it."""
        named, problems = first_look(spec, self._limits)
        if not named:
            refuse(problems)
            check_spec(spec)
        return not named
