"""A job that is changed and paused by its users while it runs, on a real Ray."""

import httpx

from rkd_online.metrics.sinks import read_reports
from tests.e2e.conftest import Service, spec


def test_a_running_job_takes_a_change_pauses_and_goes_on_to_its_new_end(service: Service) -> None:
    job = service.client.submit(spec(steps=400, checkpoint={"every": 500})).id
    service.wait_for_step(job, 1)
    headers = {"Authorization": f"Bearer {service.key}", "If-Match": "*"}
    http = httpx.Client(base_url=f"{service.url}/v1/jobs/", headers=headers, timeout=30)
    changed = http.patch(job, json={"learning_rate": 2e-5, "alpha": 0.25})
    assert changed.json()["changes"] == 1
    taken = next(event for event in service.client.stream(job) if event.type == "changed")
    assert taken.data["values"] == {"learning_rate": 2e-5, "alpha": 0.25}
    assert http.post(f"{job}/pause").json()["status"] == "pausing"
    paused = service.wait(job, "paused")
    assert paused.progress is not None
    assert paused.checkpoint is not None
    done = paused.progress.report.step
    assert paused.checkpoint.step == done
    assert http.patch(job, json={"steps": done + 2}).status_code == 200
    assert http.post(f"{job}/resume").json()["status"] == "queued"
    ended = service.wait(job, "succeeded", "failed")
    assert (ended.status, ended.attempt, ended.losses) == ("succeeded", 2, 0), ended.error
    attempts = [service.folder(job) / "attempts" / number / "metrics.jsonl" for number in "12"]
    first, second = (read_reports([path]) for path in attempts)
    assert [report.step for report in first] == list(range(1, done + 1))
    assert [report.step for report in second] == [done + 1, done + 2]
    step = int(taken.data["step"])
    rates = {report.step: report.metrics["optimizer/learning_rate"] for report in first + second}
    assert {rate for at, rate in rates.items() if at < step} == {1e-4}
    assert {rate for at, rate in rates.items() if at >= step} == {2e-5}
    # What was changed while it was paused is in the spec that its second run begins with.
    told = [event.type for event in service.client.stream(job)]
    counts = [told.count(kind) for kind in ("change_asked", "changed", "paused")]
    assert counts == [2, 1, 1]
