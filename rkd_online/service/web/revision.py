"""Revisions as entity tags: ``If-Match`` keeps one user from undoing what another decided."""

from typing import Annotated

from fastapi import Header

from rkd_online.service.web.problems import ApiError

IfMatch = Annotated[
    str | None,
    Header(description="The ETag that the change was made for; `*` is any.", max_length=200),
]


def tag(revision: int) -> str:
    """The ETag of a revision."""
    return f'"{revision}"'


def check(if_match: str | None, revision: int, what: str) -> None:
    """Raise ApiError 412 where the caller has seen another revision."""
    if if_match is None:
        return
    given = {part.strip() for part in if_match.split(",")}
    if "*" not in given and tag(revision) not in given:
        raise ApiError(
            412,
            "revision_changed",
            f"{what} is at revision {tag(revision)}, and If-Match is {if_match}: read it again",
        )


def require(if_match: str | None, revision: int, what: str) -> None:
    """Raise ApiError 428 where the caller does not say what it has seen, 412 where that is old."""
    if if_match is None:
        raise ApiError(
            428,
            "revision_required",
            f"send If-Match with the ETag of {what} as you read it, so that no change of somebody "
            "else is lost",
        )
    check(if_match, revision, what)
