"""Who asks, and what they may do."""

from dataclasses import dataclass
from typing import Final

from rkd_online.service.access.scope import Scope
from rkd_online.service.web.problems import ApiError


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key. ``project`` is None for a key that is good for all of them."""

    id: str
    name: str
    project: str | None
    scope: Scope

    def sees(self, project: str) -> bool:
        """Whether anything of this project exists for the caller."""
        return self.project in (None, project)

    def choose(self, asked: str | None, default: str) -> str:
        """The project that a request is about: the one it names, else the key's own."""
        if asked is None:
            return self.project or default
        if not self.sees(asked):
            raise no_such_project(asked)
        return asked

    def require(self, scope: Scope) -> None:
        """Raise ApiError unless the key has this scope."""
        if not self.scope.covers(scope):
            raise ApiError(
                403,
                "scope_too_small",
                f"this needs the scope {scope}, and key {self.id} ({self.name}) has {self.scope}",
            )

    def require_all_projects(self) -> None:
        """Raise ApiError unless the key is good for every project."""
        if self.project is not None:
            raise ApiError(
                403,
                "project_key",
                f"this is about all projects, and key {self.id} ({self.name}) is of the project "
                f"{self.project}",
            )


def no_such_project(project: str) -> ApiError:
    """Also the answer for a project that the caller may not see."""
    return ApiError(404, "project_not_found", f"there is no project {project!r}")


LOCAL: Final = Caller("local", "this machine, without keys", None, Scope.ADMIN)
"""Everybody, where keys are off."""
