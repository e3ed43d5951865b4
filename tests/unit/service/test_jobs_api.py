"""Submit, look, list, cancel, report."""

import base64
import json
import re

import pytest

from rkd_online.errors import SpecError
from rkd_online.spec import JobSpec
from tests.unit.metrics.traced import two_steps, write_steps
from tests.unit.service.plane import SPEC, Plane

pytestmark = pytest.mark.asyncio


async def test_a_submitted_job_is_queued_with_its_defaults_filled_in(plane: Plane) -> None:
    answer = await plane.http.post("/v1/jobs", json=SPEC)
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job == (await plane.http.get(answer.headers["Location"])).json()
    assert (job["status"], job["attempt"], job["name"]) == ("queued", 0, "quick")
    assert job["spec"]["rollout"]["group_size"] == 8
    assert job["created_at"] == "2026-03-01T12:00:00Z"
    assert job["links"]["ray_dashboard"] is None
    assert job["links"]["data"].endswith(f"/data/runs/{job['id']}")


async def test_job_ids_sort_by_time_and_fit_paths_and_actor_names(plane: Plane) -> None:
    ids = []
    for _ in range(3):
        ids.append(await plane.submit())
        plane.clock.pass_by(0.001)
    assert ids == sorted(ids)
    assert all(job_id.startswith("job-") and job_id[4:].isalnum() for job_id in ids)
    assert {len(job_id) for job_id in ids} == {20}


async def test_a_wrong_value_is_named_with_what_is_allowed(plane: Plane) -> None:
    answer = await plane.http.post("/v1/jobs", json={**SPEC, "rollout": {"group_size": 1}})
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == "invalid_request"
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    [error] = problem["errors"]
    assert error == {
        "field": "rollout.group_size",
        "message": "found 1, should be greater than or equal to 2",
        "value": 1,
    }


async def test_an_unknown_key_is_named_with_the_known_ones_of_its_place(plane: Plane) -> None:
    spec = {**SPEC, "task": {"type": "chain_sum", "terms": 3}}
    [error] = (await plane.http.post("/v1/jobs", json=spec)).json()["errors"]
    assert (error["field"], error["value"]) == ("task.terms", 3)
    assert error["message"].endswith(
        "did you mean 'min_terms' or 'max_terms'? (allowed: type, min_terms, max_terms)"
    )


async def test_an_unknown_algorithm_is_named_with_the_known_ones(plane: Plane) -> None:
    spec = {**SPEC, "algorithm": {"type": "ppo"}}
    [error] = (await plane.http.post("/v1/jobs", json=spec)).json()["errors"]
    assert error["field"] == "algorithm.type"
    assert error["message"] == (
        "found 'ppo', should be 'grpo', 'gspo', 'cispo', 'rlad', 'opd', 'kdrl', 'kdrl_mask', "
        "'srpo', 'hdpo', 'rlsd', 'topd', 'sft'"
    )


async def test_fields_that_do_not_fit_together_are_told_in_the_specs_own_words(
    plane: Plane,
) -> None:
    spec = {**SPEC, "algorithm": {"type": "rlad"}}
    [error] = (await plane.http.post("/v1/jobs", json=spec)).json()["errors"]
    assert error == {
        "field": "",
        "message": "algorithm.type 'rlad' needs a teacher: add teacher.model",
    }


async def test_a_number_that_is_not_finite_is_not_json(plane: Plane) -> None:
    body = json.dumps({**SPEC, "steps": float("nan")})
    headers = {"Content-Type": "application/json"}
    answer = await plane.http.post("/v1/jobs", content=body, headers=headers)
    assert answer.status_code == 422
    assert "NaN is not a number in JSON" in answer.text


async def test_a_spec_that_cannot_run_is_refused_and_nothing_is_queued(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: JobSpec) -> None:
        raise SpecError("policy.model: no such folder: x\nrewards need a verifier: add it")

    monkeypatch.setattr("rkd_online.service.naming.check_spec", refuse)
    answer = await plane.http.post("/v1/jobs", json=SPEC)
    assert answer.status_code == 422
    assert answer.json()["code"] == "unusable_spec"
    assert answer.json()["errors"] == [
        {"field": "policy.model", "message": "no such folder: x"},
        {"field": "", "message": "rewards need a verifier: add it"},
    ]
    assert (await plane.http.get("/v1/jobs")).json()["data"] == []


async def test_validate_answers_spec_and_plan_and_queues_nothing(plane: Plane) -> None:
    answer = await plane.http.post("/v1/jobs:validate", json=SPEC)
    assert answer.status_code == 200
    assert answer.json()["plan"] == "4 steps"
    assert answer.json()["spec"]["optimizer"]["learning_rate"] == 1e-6
    assert (await plane.http.get("/v1/jobs")).json()["data"] == []


async def test_pages_hold_every_job_once_newest_first_even_of_one_moment(plane: Plane) -> None:
    made = [await plane.submit() for _ in range(3)]
    plane.clock.pass_by(1)
    made += [await plane.submit() for _ in range(2)]
    seen: list[str] = []
    after = ""
    while True:
        page = (await plane.http.get(f"/v1/jobs?limit=2{after}")).json()
        seen += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after={page['next']}"
    assert len(seen) == 5
    assert set(seen[:2]) == set(made[3:])
    assert set(seen) == set(made)
    assert page["next"] is None


async def test_the_list_can_be_of_some_statuses(plane: Plane) -> None:
    kept, gone = await plane.submit(), await plane.submit()
    await plane.cancel(gone)
    found = (await plane.http.get("/v1/jobs?status=queued")).json()["data"]
    assert [job["id"] for job in found] == [kept]
    both = (await plane.http.get("/v1/jobs?status=queued&status=cancelled")).json()["data"]
    assert {job["id"] for job in both} == {kept, gone}


@pytest.mark.parametrize(
    "content",
    [
        b"2",
        b'["2026-03-01T12:00:00", "x"]',
        b'["0001-01-01T00:00:00+23:59", "x"]',
        b'["2026-03-01T12:00:00+00:00", "\\u0000"]',
        b'["2026-03-01T12:00:00+00:00", 1]',
    ],
)
async def test_a_made_up_cursor_is_refused(plane: Plane, content: bytes) -> None:
    after = base64.urlsafe_b64encode(content).decode()
    answer = await plane.http.get("/v1/jobs", params={"after": after})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_a_time_that_no_zone_has_is_refused(plane: Plane) -> None:
    params = {"created_after": "0001-01-01T00:00:00+23:59"}
    answer = await plane.http.get("/v1/jobs", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "path", ["", "/events", "/events/stream", "/report", "/report.png", "/trace"]
)
async def test_a_job_that_does_not_exist_is_404_on_every_route(plane: Plane, path: str) -> None:
    answer = await plane.http.get(f"/v1/jobs/job-none{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


async def test_a_waiting_job_is_cancelled_at_once_and_again_is_no_change(plane: Plane) -> None:
    job_id = await plane.submit()
    first, again = await plane.cancel(job_id), await plane.cancel(job_id)
    assert (first.status_code, first.json()["status"]) == (202, "cancelled")
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await plane.events(job_id)) == 2


async def test_a_job_that_has_ended_cannot_be_cancelled(plane: Plane) -> None:
    launch = await plane.running()
    await plane.send(launch, {"number": 2, "type": "finished"})
    answer = await plane.cancel(launch.job_id)
    assert answer.status_code == 409
    assert answer.json()["code"] == "illegal_transition"
    assert answer.json()["current_status"] == "succeeded"


async def test_the_report_is_the_runs_file_once_it_is_there(plane: Plane) -> None:
    launch = await plane.running()
    before = await plane.http.get(f"/v1/jobs/{launch.job_id}/report")
    assert (before.status_code, before.json()["code"]) == (404, "no_report")
    assert "running" in before.json()["detail"]
    (launch.job_dir / "report.json").write_text('{"gap_closed": 0.6}')
    after = await plane.http.get(f"/v1/jobs/{launch.job_id}/report")
    assert after.json() == {"gap_closed": 0.6}


async def test_the_plot_is_the_picture_beside_the_report(plane: Plane) -> None:
    launch = await plane.running()
    path = f"/v1/jobs/{launch.job_id}/report.png"
    (launch.job_dir / "report.png").write_bytes(b"half of a picture")
    early = await plane.http.get(path)
    assert (early.status_code, early.json()["code"]) == (404, "no_report")
    (launch.job_dir / "report.json").write_text("{}")
    (launch.job_dir / "report.png").write_bytes(b"a picture")
    found = await plane.http.get(path)
    assert (found.content, found.headers["Content-Type"]) == (b"a picture", "image/png")
    (launch.job_dir / "report.png").unlink()
    gone = await plane.http.get(path)
    assert (gone.status_code, gone.json()["code"]) == (404, "no_plot")
    assert str(launch.job_dir / "report.png") in gone.json()["detail"]


async def test_the_trace_is_there_from_the_first_step_on(plane: Plane) -> None:
    launch = await plane.running()
    path = f"/v1/jobs/{launch.job_id}/trace"
    file = write_steps(launch.job_dir, 1)
    file.write_text('{"step": 1, "spans": {"loop": [["gen')
    early = await plane.http.get(path)
    assert (early.status_code, early.json()["code"]) == (404, "no_trace")
    assert early.json()["detail"] == (
        f"{launch.job_id} is running and has no trace: it begins when the first step is done"
    )
    file.write_text("")
    two_steps(launch.job_dir)
    found = await plane.http.get(path)
    assert found.json()["otherData"]["steps"] == 2
    assert found.headers["Content-Disposition"].endswith(f'"{launch.job_id}.trace.json"')


async def test_the_pages_under_docs_load_nothing_from_elsewhere(plane: Plane) -> None:
    page = await plane.http.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert [name.rpartition(".")[2] for name in loaded] == ["css", "png", "js", "json"]
    for path in loaded:
        assert path.startswith("/") and not path.startswith("//")
        found = await plane.http.get(path)
        assert found.status_code == 200 and found.content


async def test_openapi_says_what_report_plot_and_trace_are(plane: Plane) -> None:
    paths = (await plane.http.get("/openapi.json")).json()["paths"]
    kinds = {
        "report": "application/json",
        "report.png": "image/png",
        "trace": "application/json",
    }
    for name, kind in kinds.items():
        answers = paths[f"/v1/jobs/{{job_id}}/{name}"]["get"]["responses"]
        assert list(answers["200"]["content"]) == [kind]
        assert list(answers["404"]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8420", "localhost", "[::1]:8420", "LOCALHOST:80", "10.2.3.4:8420"]
)
async def test_this_machines_own_name_and_addresses_are_answered(plane: Plane, host: str) -> None:
    assert (await plane.http.get("/livez", headers={"Host": host})).status_code == 200


async def test_a_foreign_host_name_is_refused_against_dns_rebinding(plane: Plane) -> None:
    for host in ("evil.example:8420", "localhost.evil.example", "", "127.0.0.1.evil.example"):
        answer = await plane.http.get("/v1/jobs", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
    assert "RKD_ALLOWED_HOSTS" in answer.json()["detail"]


async def test_an_unknown_path_is_a_problem_too(plane: Plane) -> None:
    answer = await plane.http.get("/v2/jobs")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_openapi_documents_problems_and_not_fastapis_own_errors(plane: Plane) -> None:
    document = (await plane.http.get("/openapi.json")).json()
    refusals = document["paths"]["/v1/jobs"]["post"]["responses"]["422"]
    assert list(refusals["content"]) == ["application/problem+json"]
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
