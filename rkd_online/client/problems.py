"""What the service refuses, as errors."""

import httpx
from pydantic import ValidationError

from rkd_online.errors import ServiceError
from rkd_online.service.schemas.problem import FieldError, Problem

LONGEST_TEXT = 500


class ProblemError(ServiceError):
    """The service refused a request: the problem that it answered, and its address."""

    def __init__(self, problem: Problem, url: str) -> None:
        super().__init__(problem, url)
        self.problem = problem
        self.url = url

    def __str__(self) -> str:
        lines = [f"{one.field}: {one.message}".removeprefix(": ") for one in self.errors]
        return "\n".join(lines) or f"{self.problem.detail} ({self.code})"

    @property
    def code(self) -> str:
        """What went wrong, for programs."""
        return self.problem.code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def errors(self) -> list[FieldError]:
        """Every field that is wrong."""
        return self.problem.errors

    @property
    def request_id(self) -> str:
        """The id under which the service's log has the request."""
        return self.problem.request_id


def refusal(url: str, response: httpx.Response) -> ServiceError:
    """The error of an answer that is no success; a proxy's own has no problem in it."""
    try:
        return ProblemError(Problem.model_validate_json(response.content), url)
    except ValidationError:
        text = response.text.strip()[:LONGEST_TEXT]
        return ServiceError(f"{url} answered {response.status_code}: {text}")
