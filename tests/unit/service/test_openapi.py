"""The API's description: everything in it is said, and every example is one."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from rkd_online.service.app import create_app
from rkd_online.service.schemas.problem import Problem
from rkd_online.service.settings import Settings
from rkd_online.service.web.openapi import TAGS

VERBS = (
    *(
        "cancel",
        "change",
        "check",
        "download",
        "list",
        "make",
        "pause",
        "report",
        "resume",
        "revoke",
    ),
    *("rotate", "show", "stream", "submit", "validate", "who"),
)
NO_KEY = {"check_liveness", "check_readiness", "show_service_metrics"}
NO_EXAMPLE = {"show_report", "show_report_plot", "show_trace"}
"""Files, whose form other documents tell."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    paths = app.openapi()["paths"]
    found = [operation for methods in paths.values() for operation in methods.values()]
    by_id = {operation["operationId"]: operation for operation in found}
    assert len(by_id) == len(found)
    return by_id


@pytest.fixture(scope="module")
def routes(app: FastAPI) -> dict[str, APIRoute]:
    return {route.name: route for route in app.routes if isinstance(route, APIRoute)}


def test_operations_are_named_by_what_they_do(operations: dict[str, dict[str, Any]]) -> None:
    assert {"submit_job", "change_job", "list_keys", "who_am_i"} <= set(operations)
    for name in operations:
        assert re.fullmatch(rf"(?:{'|'.join(VERBS)})(?:_[a-z]+)+", name), name


def test_operations_and_parameters_are_described(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        summary, description = operation["summary"], operation["description"]
        assert 3 < len(summary) < 100 and "\n" not in summary, (name, summary)
        assert description.replace("\n", " ").startswith(summary), name
        assert operation["tags"][0] in TAGS, name
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])


def test_operations_need_a_key_but_for_the_probes(operations: dict[str, dict[str, Any]]) -> None:
    for name, operation in operations.items():
        scheme = "AttemptToken" if name == "report_events" else "ApiKey"
        expected: Any = None if name in NO_KEY else [{scheme: []}]
        assert operation.get("security") == expected, name


def test_the_two_schemes_are_bearer_tokens_and_say_so(app: FastAPI) -> None:
    schemes = app.openapi()["components"]["securitySchemes"]
    assert set(schemes) == {"ApiKey", "AttemptToken"}
    for scheme in schemes.values():
        assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
        assert scheme["description"]


def headers(operation: dict[str, Any]) -> set[str]:
    parameters = operation.get("parameters", [])
    return {parameter["name"] for parameter in parameters if parameter["in"] == "header"}


def test_headers_of_requests_are_described(operations: dict[str, dict[str, Any]]) -> None:
    changing = {name for name, one in operations.items() if "Idempotency-Key" in headers(one)}
    assert changing == {
        *("submit_job", "change_job", "cancel_job", "pause_job", "resume_job"),
        *("make_project", "change_project", "make_key", "rotate_key", "revoke_key"),
    }
    conditional = {name for name, one in operations.items() if "If-Match" in headers(one)}
    assert conditional == {
        *("change_job", "cancel_job", "pause_job", "resume_job", "change_project")
    }


def responses(operations: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, operation in operations.items():
        for status, response in operation["responses"].items():
            yield name, status, response


def test_headers_of_answers_are_described(operations: dict[str, dict[str, Any]]) -> None:
    tagged = {"submit_job", "show_job", "change_job", "cancel_job", "pause_job", "resume_job"}
    tagged |= {"make_project", "show_project", "change_project"}
    for name, status, response in responses(operations):
        assert response["description"] not in ("", "Successful Response"), (name, status)
        assert response["headers"]["X-Request-ID"]["description"]
        assert ("Retry-After" in response["headers"]) == (status == "429"), (name, status)
        has_tag = (name in tagged and status < "3") or (name, status) == ("download_file", "200")
        assert ("ETag" in response["headers"]) == has_tag, (name, status)


def test_every_problem_has_an_example_that_is_one(operations: dict[str, dict[str, Any]]) -> None:
    seen = set()
    for name, status, response in responses(operations):
        # A server of files answers 416 itself.
        if status < "4" or status == "416":
            continue
        found = Problem.model_validate(response["content"]["application/problem+json"]["example"])
        assert found.status == int(status), (name, status)
        seen.add(found.code)
    assert {"missing_key", "job_not_found", "key_not_found", "revision_changed"} <= seen


def test_every_body_has_an_example_that_is_accepted(
    operations: dict[str, dict[str, Any]], routes: dict[str, APIRoute]
) -> None:
    for name, operation in operations.items():
        if "requestBody" not in operation:
            continue
        body = routes[name].dependant.body_params[0].field_info.annotation
        assert body is not None, name
        adapter: TypeAdapter[Any] = TypeAdapter(body)
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        assert examples, name
        for example in examples.values():
            adapter.validate_python(example["value"])


def test_every_answer_has_an_example_as_it_would_be_written(
    operations: dict[str, dict[str, Any]], routes: dict[str, APIRoute]
) -> None:
    for name, status, response in responses(operations):
        content = response.get("content", {}).get("application/json")
        if status >= "4" or content is None or name in NO_EXAMPLE:
            continue
        adapter: TypeAdapter[Any] = TypeAdapter(routes[name].response_model)
        example = content["example"]
        assert adapter.dump_python(adapter.validate_python(example), mode="json") == example, name


def test_the_conventions_and_the_groups_are_told_at_the_top(app: FastAPI) -> None:
    document = app.openapi()
    assert "Idempotency-Key" in document["info"]["description"]
    assert [tag["name"] for tag in document["tags"]] == list(TAGS)
