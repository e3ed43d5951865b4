"""A control plane and runs that share no folder: all that goes between them is in an object store.

The control plane's data folder and that of the cluster's node are two, and neither process is told
of the other's.
"""

import io
import json
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from transformers import AutoModelForCausalLM

from rkd_online.learning.manifest import read_manifest
from rkd_online.service.schemas.job import JobRecord
from tests.e2e.conftest import Service, spec, started
from tests.s3 import S3, s3_server

STEPS = 12


@pytest.fixture(scope="module")
def store() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the cluster's node."""
    return tmp_path_factory.mktemp("node")


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, store: S3, node: Path) -> Iterator[Service]:
    variables = {"RKD_OBJECT_STORE": store.address, "RKD_DATA_DIR": str(node)}
    with started(tmp_path_factory.mktemp("plane"), store.variables | variables) as service:
        yield service


@pytest.fixture(scope="module")
def resumed(apart: Service) -> JobRecord:
    """A job whose learner was killed behind its fifth step."""
    job = apart.client.submit(spec(steps=STEPS, checkpoint={"every": 2, "keep": 2})).id
    apart.wait_for_step(job, 5)
    (learner,) = (
        actor
        for actor in apart.actors()
        if actor["name"] == f"rkd:{job}:learner:0" and actor["state"] == "ALIVE"
    )
    os.kill(learner["pid"], signal.SIGKILL)
    record = apart.wait(job, "succeeded", "failed")
    assert record.status == "succeeded", record.error
    return record


def get(service: Service, path: str, **headers: str) -> httpx.Response:
    named = {"Authorization": f"Bearer {service.key}"} | headers
    return httpx.get(f"{service.url}/v1/jobs/{path}", headers=named, timeout=60)


def test_the_job_goes_on_from_a_checkpoint_out_of_the_store(
    apart: Service, resumed: JobRecord
) -> None:
    assert resumed.attempt == 2
    events = list(apart.client.stream(resumed.id))
    said = [event.data["message"] for event in events if event.type == "log"]
    assert any(words.startswith("resuming from") for words in said)
    steps = [event.data["step"] for event in events if event.type == "step"]
    assert set(steps) == set(range(1, STEPS + 1))
    # It began behind a checkpoint, and did again what the first attempt had done since.
    second = int(next(w for w in said if w.startswith("resuming from"))[-6:]) + 1
    assert second % 2 == 1 and second >= 5
    assert steps[-(STEPS - second + 1) :] == list(range(second, STEPS + 1))


def test_nothing_went_through_a_folder(apart: Service, resumed: JobRecord, node: Path) -> None:
    """The node keeps nothing of a job that ended, the control plane a cache alone."""
    assert not list(apart.data.glob("runs/*"))
    assert not list(node.glob("runs/*"))
    left = [path for path in node.rglob("*") if path.is_file() and path.name[0] != "."]
    assert [path.name for path in left if resumed.id in str(path)] == []


def test_the_store_has_the_job_as_a_data_folder_has_it(
    apart: Service, store: S3, resumed: JobRecord
) -> None:
    base = f"some/prefix/runs/{resumed.id}/"
    names = [name.removeprefix(base) for name in store.names(base)]
    assert {"spec.json", "report.json", "report.png"} <= set(names)
    second = "attempts/2/"
    assert {
        f"{second}setup.json",
        f"{second}metrics.jsonl/000000",
        f"{second}trace.jsonl/000000",
    } <= set(names)
    for attempt in ("1", "2"):
        base = f"attempts/{attempt}/checkpoints/"
        # The learner may have been killed while it stored one: that has no manifest, and is none.
        whole = [name for name in names if name.startswith(base) and name.endswith("manifest.json")]
        own = {name.split("/")[3] for name in whole}
        listed = get(apart, f"{resumed.id}/checkpoints").json()["data"]
        assert own == {
            one["path"].split("/")[3] for one in listed if one["attempt"] == int(attempt)
        }
    # The two newest, the best one of this attempt where it is another, and no step 0.
    assert {"step-000010", "step-000012"} <= own
    assert len(own) <= 3
    assert "step-000000" not in own


def test_a_checkpoint_is_downloaded_whole_and_in_parts(
    apart: Service, resumed: JobRecord, tmp_path: Path
) -> None:
    name = f"2-step-{STEPS:06d}"
    listed = get(apart, f"{resumed.id}/checkpoints").json()["data"]
    assert listed[0]["name"] == name
    assert (listed[0]["resumes"], listed[0]["last"]) == (True, True)
    assert [one["name"] for one in listed[0]["evaluations"]] == [
        "validation-000012",
        "student-after",
    ]
    whole = get(apart, f"{resumed.id}/checkpoints/{name}/archive")
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    with tarfile.open(fileobj=io.BytesIO(whole.content)) as opened:
        assert opened.getnames()[-1] == f"{name}/manifest.json"
        opened.extractall(tmp_path, filter="data")
    assert read_manifest(tmp_path / name)["step"] == STEPS
    AutoModelForCausalLM.from_pretrained(tmp_path / name)
    weights = (tmp_path / name / "model.safetensors").read_bytes()
    path = f"{resumed.id}/checkpoints/{name}/files/model.safetensors"
    assert get(apart, path).content == weights
    part = get(apart, path, Range="bytes=1000-1999")
    assert (part.status_code, part.content) == (206, weights[1000:2000])


def test_rollouts_report_and_trace_are_read_out_of_the_store(
    apart: Service, resumed: JobRecord
) -> None:
    page = get(apart, f"{resumed.id}/rollouts?step={STEPS}&limit=100").json()
    assert len(page["data"]) == 16
    assert {row["attempt"] for row in page["data"]} == {2}
    first = get(apart, f"{resumed.id}/rollouts?step=1&limit=100").json()
    assert {row["attempt"] for row in first["data"]} == {1}
    one = get(apart, f"{resumed.id}/rollouts/{page['data'][0]['id']}").json()
    assert len(one["old_logprobs"]) == len(one["completion_ids"])
    assert apart.client.report(resumed.id)["steps"] == STEPS
    assert get(apart, f"{resumed.id}/report.png").content[:4] == b"\x89PNG"
    trace = json.loads("".join(apart.client.trace(resumed.id)))
    done = [one["name"] for one in trace["traceEvents"] if one.get("cat") == "steps"]
    assert {f"step {step}" for step in range(1, STEPS + 1)} == set(done)
    assert "update" in trace["otherData"]["critical_path"]
