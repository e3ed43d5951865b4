"""The API's description: FastAPI's own, with problems, headers, examples and readable words."""

import re
from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from rkd_online.service.schemas.problem import Problem
from rkd_online.service.web.examples import ANSWERS, REQUESTS
from rkd_online.service.web.examples.problems import problem
from rkd_online.service.web.problems import MEDIA_TYPE

REF: Final = "#/components/schemas/{model}"
JSON: Final = "application/json"
DONE: Final = {
    "200": "What was asked for.",
    "201": "It is made.",
    "202": "It is under way: the record says how far.",
}
DESCRIPTION: Final = """\
Every request but those of `health` needs an API key: `Authorization: Bearer rkd_...`.

- **Errors** are problems (RFC 9457): read `code`, show `detail` and each of `errors`.
- **Lists** come in pages: pass `next` as `after` while `has_more`.
- **A change can be repeated safely** with an `Idempotency-Key`: it is done once.
- **A change of a job or a project** needs `If-Match` with the `ETag` of what you read: nobody then
  undoes what somebody else decided meanwhile.
- **`Retry-After`** says for how many seconds a key has asked too often.
"""
TAGS: Final = {
    "jobs": "Jobs: submit, look, change, pause, cancel.",
    "events": "What happened to a job, as pages and as a stream.",
    "results": "What a job leaves behind.",
    "projects": "Projects and their quotas.",
    "keys": "API keys and whose they are.",
    "audit": "Who did what.",
    "runs": "Where runs report; not for people.",
    "health": "Probes, without a key.",
}
PARAMETERS: Final = {
    "job_id": "Id of the job.",
    "key_id": "Id of the key: the part behind `rkd_`.",
    "number": "Number of the attempt.",
    "step": "Only of this step.",
    "group": "Only of this group.",
    "min_reward": "Only with this reward or more.",
    "max_reward": "Only with this reward or less.",
    "task": "Only of this task, or part of a mixture.",
    "from_step": "The first step.",
    "to_step": "The last step.",
    "max_points": "Points of a series at most.",
    "role": "Whose log it is.",
    "If-None-Match": "ETags that are known: one of them is answered with 304.",
    "project": "Name of the project.",
    "status": "Statuses; given several times, any of them.",
    "created_after": "Only those that were submitted later.",
    "after": "Number of the last event that is known.",
    "limit": "How many at most.",
    "Last-Event-ID": "Number of the last event that came; it wins over `after`.",
}
"""Of those that say nothing themselves."""
FIRST_CLAUSE: Final = re.compile(r"[.;:] ")
REQUEST_ID: Final = "The id under which the server's log has this request."
RETRY_AFTER: Final = "Seconds to wait before the same request is worth another try."
REPLAYED: Final = "`true` where this is the kept answer to an earlier request with the same key."


def operation_id(route: APIRoute) -> str:
    """The name of the route's function, such as ``submit_job``."""
    return route.name


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=DESCRIPTION,
            routes=app.routes,
            tags=[{"name": name, "description": words} for name, words in TAGS.items()],
        )
        for operation in _operations(document):
            _complete(operation)
        app.openapi_schema = _with_problems(document)
    return app.openapi_schema


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def _complete(operation: dict[str, Any]) -> None:
    """What is the same for all operations is said here, once."""
    words = operation["description"].replace("\n", " ")
    operation["summary"] = FIRST_CLAUSE.split(words)[0].rstrip(".")
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header":
            parameter["name"] = parameter["schema"]["title"].replace("-Id", "-ID")
        if parameter["name"] in PARAMETERS:
            parameter.setdefault("description", PARAMETERS[parameter["name"]])
    if "requestBody" in operation:
        named = REQUESTS.get(operation["operationId"], {})
        examples = {name: {"value": value} for name, value in named.items()}
        operation["requestBody"]["content"][JSON]["examples"] = examples
    for status, response in operation["responses"].items():
        _complete_response(operation, status, response)


def _complete_response(operation: dict[str, Any], status: str, response: dict[str, Any]) -> None:
    headers = response.setdefault("headers", {})
    headers["X-Request-ID"] = _header(REQUEST_ID)
    if status == "429":
        headers["Retry-After"] = _header(RETRY_AFTER)
    if status.startswith("2"):
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", [])):
            headers["Idempotency-Replayed"] = _header(REPLAYED)
        if response["description"] == "Successful Response":
            response["description"] = DONE[status]
    for kind, content in response.get("content", {}).items():
        if kind == MEDIA_TYPE:
            content["example"] = problem(operation["tags"][0], int(status))
        elif operation["operationId"] in ANSWERS:
            content["example"] = ANSWERS[operation["operationId"]]


def _header(description: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "description": description}


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    model = Problem.model_json_schema(ref_template=REF)
    schemas = document["components"]["schemas"]
    schemas.update(model.pop("$defs"))
    schemas["Problem"] = model
    return document
