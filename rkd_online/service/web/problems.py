"""Errors as RFC 9457 problems: ``application/problem+json`` with code, fields and request id."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rkd_online.errors import ObjectStoreError, ServiceError, SpecError
from rkd_online.service.schemas.problem import FieldError, Problem
from rkd_online.service.state import IllegalTransition
from rkd_online.service.web.fields import field_errors
from rkd_online.service.web.replayed import Replayed
from rkd_online.service.web.request_id import HEADER, request_id

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger(__name__)


class ApiError(ServiceError):
    """A refusal with its HTTP status and a code that clients can rely on."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        return self.detail


def no_such_job(job_id: str) -> ApiError:
    """The 404 of every route under a job."""
    return ApiError(404, "job_not_found", f"there is no job {job_id!r}")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the problems that a route can answer with."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Register the handlers that turn every error into a problem."""

    @app.exception_handler(ApiError)
    async def refused(request: Request, error: ApiError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(IllegalTransition)
    async def illegal(request: Request, error: IllegalTransition) -> JSONResponse:
        return _response(409, "illegal_transition", str(error), current_status=error.current)

    @app.exception_handler(SpecError)
    async def unusable(request: Request, error: SpecError) -> JSONResponse:
        lines = [line for line in str(error).splitlines() if line.strip()]
        errors = [_spec_problem(line) for line in lines]
        return _response(422, "unusable_spec", str(error), errors=errors)

    @app.exception_handler(ObjectStoreError)
    async def away(request: Request, error: ObjectStoreError) -> JSONResponse:
        log.error("the object store is away: %s", error)
        detail = "the object store with the files of jobs does not answer: ask again later"
        return _response(503, "object_store_away", detail)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = field_errors(error)
        detail = "; ".join(f"{found.field} {found.message}".strip() for found in errors)
        return _response(422, "invalid_request", detail, errors=errors)

    @app.exception_handler(Replayed)
    async def replayed(request: Request, again: Replayed) -> Response:
        return again.response()

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        code = HTTPStatus(error.status_code).name.lower()
        return _response(error.status_code, code, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request %s failed", request_id(), exc_info=error)
        detail = "the control plane hit an error; its log has it under this request id"
        # Made outside of all middleware, which would add the id.
        return _response(500, "internal_error", detail, headers={HEADER: request_id()})


def problem_response(error: ApiError) -> JSONResponse:
    """A refusal as it is sent."""
    return _response(error.status, error.code, error.detail, headers=error.headers)


def _spec_problem(line: str) -> FieldError:
    """A line of a SpecError is led by the field's path where there is one."""
    field, found, message = line.partition(": ")
    if not found or " " in field:
        return FieldError(field="", message=line)
    return FieldError(field=field, message=message)


def _response(
    status: int, code: str, detail: str, *, headers: Any = None, **members: Any
) -> JSONResponse:
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id(),
        **members,
    )
    content = jsonable_encoder(body, exclude_none=True)
    if status == 401:
        headers = {**(headers or {}), "WWW-Authenticate": "Bearer"}
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)
