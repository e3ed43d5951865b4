"""Refusals as errors."""

import copy
import pickle

import httpx
import pytest

from rkd_online.client import ProblemError
from rkd_online.errors import ServiceError
from tests.unit.client.both import Kind, answering

PROBLEM: dict[str, object] = {
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "invalid_request",
    "detail": "steps found 0; the job is no good",
    "errors": [
        {"field": "steps", "message": "found 0, should be greater than 0", "value": 0},
        {"field": "", "message": "the job is no good"},
    ],
    "request_id": "req-7",
}


def refused(kind: Kind, problem: dict[str, object]) -> ProblemError:
    with (
        answering(kind, lambda _: httpx.Response(422, json=problem)) as client,
        pytest.raises(ProblemError) as caught,
    ):
        client.get("job-1")
    return caught.value


def test_a_problem_is_an_error_with_all_that_the_service_said(kind: Kind) -> None:
    error = refused(kind, PROBLEM)
    assert isinstance(error, ServiceError)
    assert (error.code, error.status, error.request_id) == ("invalid_request", 422, "req-7")
    assert [(one.field, one.value) for one in error.errors] == [("steps", 0), ("", None)]
    assert str(error) == "steps: found 0, should be greater than 0\nthe job is no good"


def test_without_fields_the_message_is_the_detail_with_the_code(kind: Kind) -> None:
    error = refused(kind, PROBLEM | {"errors": []})
    assert str(error) == "steps found 0; the job is no good (invalid_request)"


def test_a_problem_survives_pickling_and_copying(kind: Kind) -> None:
    error = refused(kind, PROBLEM)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is ProblemError
        assert (str(again), again.code, again.url) == (str(error), error.code, "http://plane")


def test_a_refusal_that_is_no_problem_is_told_as_it_came(kind: Kind) -> None:
    with (
        answering(kind, lambda _: httpx.Response(403, text="<h1>Forbidden</h1>\n")) as client,
        pytest.raises(ServiceError) as caught,
    ):
        client.get("job-1")
    assert not isinstance(caught.value, ProblemError)
    assert str(caught.value) == "http://plane answered 403: <h1>Forbidden</h1>"


@pytest.mark.parametrize("text", ["<html>welcome</html>", '{"id": "job-1"}', ""])
def test_an_answer_of_something_else_names_address_and_path(kind: Kind, text: str) -> None:
    with (
        answering(kind, lambda _: httpx.Response(200, text=text)) as client,
        pytest.raises(ServiceError, match=r"^http://plane answered GET /v1/jobs/job-1 with what"),
    ):
        client.get("job-1")
