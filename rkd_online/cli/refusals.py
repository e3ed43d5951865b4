"""Errors in the words of who types commands: what to type next."""

from collections.abc import Iterator
from contextlib import contextmanager

from rkd_online.cli.connection import NO_KEY, VARIABLE, find_key
from rkd_online.cli.hints import hint
from rkd_online.client import ProblemError
from rkd_online.errors import RkdError, ServiceError

LISTED = {
    "job_not_found": "list",
    "key_not_found": "keys list",
    "project_not_found": "projects list",
}
"""Commands that show what there is."""


def told(error: RkdError) -> str:
    """The message of an error."""
    if not isinstance(error, ProblemError):
        return str(error)
    detail, url = error.problem.detail, error.url
    if error.status == 401:
        return _without_key(url)
    if error.code in LISTED:
        return f"{detail} at {url}: `{hint(LISTED[error.code], url)}` shows those that there are"
    if error.status >= 500:
        return f"{error}, request {error.request_id}"
    return str(error)


@contextmanager
def unless_changed(what: str, look: str, url: str) -> Iterator[None]:
    """Say it where a change came too late; ``look`` is the command that shows what there is now."""
    try:
        yield
    except ProblemError as error:
        if error.status != 412:
            raise
        raise ServiceError(
            f"{what} was changed by somebody else meanwhile, so nothing of this is: look again "
            f"with `{hint(look, url)}`"
        ) from error


def _without_key(url: str) -> str:
    login = hint("login", url)
    found = find_key(url)
    if found is NO_KEY:
        return f"this needs an API key: `{login}` asks for one and keeps it"
    if found.source == VARIABLE:
        return f"the key in {VARIABLE} is unknown, expired or revoked at {url}: set another one"
    return (
        f"the key in {found.source} is unknown, expired or revoked at {url}: `{login}` takes "
        "another one"
    )
