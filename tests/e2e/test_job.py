"""From a POST to a checkpoint: the whole service with real Ray, vLLM and torch."""

import json
import os
import signal
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForCausalLM, AutoTokenizer

from rkd_online.errors import ServiceError
from rkd_online.run.records import RunFolder
from rkd_online.service.schemas.event import Event
from rkd_online.service.schemas.job import JobRecord
from rkd_online.zoo import zoo_path
from tests.e2e.conftest import AWAY, STEPS, Service, spec


class Finished:
    """A job that succeeded, and all its events as the stream gave them."""

    def __init__(self, service: Service) -> None:
        trackers = [{"type": "tensorboard"}, {"type": "mlflow", "endpoint": "away"}]
        job = service.client.submit(spec(trackers=trackers)).id
        self.events: list[Event] = list(service.client.stream(job))
        self.record: JobRecord = service.client.get(job)
        self.folder = service.folder(job)
        self.actors = service.actors()
        self.ray_job = service.dashboard_json(f"/api/jobs/rkd-{job}-1")

    @property
    def attempt(self) -> Path:
        return self.folder / "attempts" / "1"


@pytest.fixture(scope="module")
def finished(service: Service) -> Finished:
    return Finished(service)


def test_the_job_succeeds_and_every_step_is_an_event(finished: Finished) -> None:
    assert finished.record.status == "succeeded", finished.record.error
    assert [event.number for event in finished.events] == list(range(1, len(finished.events) + 1))
    steps = [event.data["step"] for event in finished.events if event.type == "step"]
    assert steps == [1, 2, 3, 4]
    checkpoints = [event.data["path"] for event in finished.events if event.type == "checkpoint"]
    assert checkpoints == [f"attempts/1/checkpoints/step-{n:06d}" for n in (0, 2, 4)]


def test_the_report_compares_three_models(finished: Finished, service: Service) -> None:
    report = service.client.report(finished.record.id)
    assert report == json.loads((finished.folder / "report.json").read_text())
    for row in ("teacher", "student_before", "student_after"):
        found = report["pass_at_1"][row]
        assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
        assert found["n"] == 8
        assert report["tokens_per_answer"][row] > 1
        assert report["answers_per_second"][row] > 0
    assert {"generate", "score", "assemble", "update", "publish"} <= set(report["stage_seconds"])
    assert (finished.folder / "report.png").read_bytes()[:4] == b"\x89PNG"


def test_tensorboard_has_the_curve_of_metrics_jsonl(finished: Finished) -> None:
    found = EventAccumulator(str(finished.folder / "tensorboard"))
    found.Reload()
    rewards = [one.metrics["reward/mean"] for one in RunFolder(finished.folder).reports()]
    assert [one.step for one in found.Scalars("reward/mean")] == [1, 2, 3, 4]
    assert [one.value for one in found.Scalars("reward/mean")] == pytest.approx(rewards, rel=1e-6)


def test_a_tracker_that_cannot_work_is_two_events(finished: Finished) -> None:
    """Its package is missing, or its server is away: the job goes on either way."""
    told = [str(one.data["message"]) for one in finished.events if one.type == "log"]
    name = f"MLflow at {AWAY}"
    first, last = (message for message in told if name in message)
    assert "the job goes on" in first
    assert last == f"{name} misses 4 steps of this attempt"


def test_an_unknown_tracking_server_is_refused(service: Service) -> None:
    with pytest.raises(ServiceError, match=r"trackers\.0\.endpoint: 'team' is no .*allowed: away"):
        service.client.submit(spec(trackers=[{"type": "mlflow", "endpoint": "team"}]))


def test_the_trace_has_every_worker_and_every_step(finished: Finished, service: Service) -> None:
    trace = json.loads("".join(service.client.trace(finished.record.id)))
    events = trace["traceEvents"]
    threads = {one["args"]["name"] for one in events if one["name"] == "thread_name"}
    assert threads >= {"steps", "loop", "generator:0", "scorer:0", "learner:0"}
    steps = [one["name"] for one in events if one["ph"] == "X" and one["cat"] == "steps"]
    assert steps == ["step 1", "step 2", "step 3", "step 4"]
    assert {"generate", "score", "update", "swap"} <= set(trace["otherData"]["critical_path"])


def test_a_checkpoint_is_a_hugging_face_folder(finished: Finished) -> None:
    folder = finished.attempt / "checkpoints" / f"step-{STEPS:06d}"
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert (
        tokenizer.get_chat_template()
        == AutoTokenizer.from_pretrained(zoo_path("zoo:chain-sum/student")).get_chat_template()
    )
    assert json.loads((folder / "manifest.json").read_text())["step"] == STEPS


def test_rollouts_hold_the_log_probs_of_three_policies(finished: Finished) -> None:
    table = parquet.read_table(finished.attempt / "rollouts" / "step-000002.parquet")
    assert table.schema.field("weight_versions").type == pa.list_(
        pa.struct([("version", pa.int64()), ("start", pa.int64()), ("end", pa.int64())])
    )
    rows = table.to_pylist()
    assert len(rows) == 16
    for row in rows:
        tokens = len(row["completion_ids"])
        streams = ("sampler_logprobs", "old_logprobs", "teacher_logprobs")
        assert [len(row[name]) for name in streams] == [tokens] * 3
        assert [span["version"] for span in row["weight_versions"]] == [1]
        mismatch = zip(row["sampler_logprobs"], row["old_logprobs"], strict=True)
        assert max(abs(sampler - old) for sampler, old in mismatch) < 1e-4
        assert row["reward"] == dict(row["reward_parts"])["verifier"]


def test_what_workers_wrote_is_kept_with_the_attempt(finished: Finished) -> None:
    roles = ("evaluator", "generator", "learner", "scorer")
    logs = finished.attempt / "logs"
    names = [f"{role}.0.{stream}" for role in roles for stream in ("err", "out")]
    assert sorted(file.name for file in logs.iterdir()) == names
    assert "vllm" in (logs / "generator.0.err").read_text()


def test_the_job_is_found_in_ray_by_its_id(finished: Finished, service: Service) -> None:
    job = finished.record.id
    assert finished.ray_job["metadata"]["rkd_job"] == job
    names = {a["name"] for a in finished.actors if a["name"].startswith(f"rkd:{job}:")}
    roles = ("generator", "scorer", "learner", "evaluator")
    assert names == {f"rkd:{job}:{role}:0" for role in roles}
    for role, said in (("driver", "rkd_online.cluster.entrypoint"), ("generator", "vllm")):
        url = f"{service.url}/v1/jobs/{job}/logs?role={role}"
        log = httpx.get(url, headers={"Authorization": f"Bearer {service.key}"}, timeout=60)
        assert said in log.json()["text"], log.text


def test_a_bad_spec_names_field_value_and_what_is_allowed(service: Service) -> None:
    rollout = {"prompts_per_step": 4, "group_size": 1}
    answer = httpx.post(
        f"{service.url}/v1/jobs",
        json=spec(rollout=rollout),
        headers={"Authorization": f"Bearer {service.key}"},
        timeout=30,
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert (error["field"], error["value"]) == ("rollout.group_size", 1)
    with pytest.raises(ServiceError, match="no bundled model is called"):
        service.client.submit(spec(policy={"model": "zoo:chain-sum/nobody"}))


def test_a_run_that_loses_its_learner_goes_on_from_the_checkpoint(service: Service) -> None:
    job = service.client.submit(spec(steps=30, checkpoint={"every": 2})).id
    service.wait_for_step(job, 5)
    actors = service.actors()
    (learner,) = (
        actor
        for actor in actors
        if actor["name"] == f"rkd:{job}:learner:0" and actor["state"] == "ALIVE"
    )
    os.kill(learner["pid"], signal.SIGKILL)
    record = service.wait(job, "succeeded", "failed")
    assert record.status == "succeeded", record.error
    assert record.attempt == 2
    second = service.folder(job) / "attempts" / "2" / "metrics.jsonl"
    first_step = json.loads(second.read_text().splitlines()[0])["step"]
    assert first_step % 2 == 1 and first_step >= 5
