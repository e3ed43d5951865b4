"""Errors as the API answers them (RFC 9457)."""

from pydantic import Field, JsonValue

from rkd_online.service.schemas.answer import Answer
from rkd_online.service.state import Status


class FieldError(Answer):
    """One thing that is wrong with a request."""

    field: str
    """Path of the field with dots; empty for the request as a whole."""
    message: str
    """What is wrong, with the value found and what is allowed."""
    value: JsonValue = None
    """The value that was found."""


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    """Nothing beyond the status; read ``code``."""
    title: str
    """The HTTP status in words."""
    status: int
    """The HTTP status."""
    code: str
    """What went wrong, for programs."""
    detail: str
    """What went wrong, for people."""
    errors: list[FieldError] = Field(default_factory=list)
    """Every field that is wrong."""
    current_status: Status | None = None
    """The job's status, where it forbids what was asked."""
    request_id: str
    """The id under which the server's log has this request."""
