"""What can be seen of a job while it runs: its metrics, its processes, and that it can be stopped.

The tests share one job that is far from its end; the last of them cancels it.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyarrow import parquet

from rkd_online.inference.environment import engine_environment
from rkd_online.metrics.sinks import read_reports
from rkd_online.types import StepReport
from tests.e2e.conftest import Service, spec

EXPORT_SECONDS = 90
"""Ray takes a process's metrics every 10 s."""
OF_THE_JOB = {
    "ray_rkd_reward_mean": "reward/mean",
    "ray_rkd_kl_teacher_nats": "policy/kl_teacher",
    "ray_rkd_kl_reference_nats": "policy/kl_reference",
    "ray_rkd_teacher_divergence_nats": "teacher/divergence",
    "ray_rkd_clip_low_share": "policy/clip_low_share",
    "ray_rkd_clip_high_share": "policy/clip_high_share",
    "ray_rkd_clamp_low_share": "policy/clamp_low_share",
    "ray_rkd_clamp_high_share": "policy/clamp_high_share",
    "ray_rkd_sampler_mismatch_nats": "sampler/mismatch_mean",
    "ray_rkd_capped_share": "sampler/capped_share",
    "ray_rkd_stale_groups": "rollout/stale_groups",
    "ray_rkd_late_groups": "rollout/late_groups",
    "ray_rkd_flat_groups": "rollout/flat_groups",
    "ray_rkd_core_seconds": "loop/core_seconds",
    "ray_rkd_correct_share": "reward/correct_share",
    "ray_rkd_no_signal_share": "reward/no_signal_share",
    "ray_rkd_kl_old_nats": "policy/kl_old_k3",
    "ray_rkd_entropy_nats": "policy/entropy",
    "ray_rkd_gradient_norm": "optimizer/gradient_norm",
    "ray_rkd_completion_length_tokens": "rollout/completion_length",
    "ray_rkd_truncated_share": "rollout/truncated_share",
    "ray_rkd_rollouts_per_second": "throughput/rollouts_per_second",
    "ray_rkd_step_tokens_per_second": "throughput/tokens_per_second",
    "ray_rkd_loop_share": "loop/share",
    "ray_rkd_staleness_mean_versions": "rollout/staleness_mean",
    "ray_rkd_probe_difference_nats": "weights/probe_difference",
}
OF_SOME_STEPS = ("ray_rkd_validation_pass_at_1", "ray_rkd_teacher_agreement_share")
"""They show the last step that had a validation, or a pair of answers to compare."""
ROLES = ("generator", "scorer", "learner")
STEPS = 2000
STAGES = "ray_rkd_stage_seconds"


@pytest.fixture(scope="module")
def running(service: Service) -> Iterator[str]:
    # Its scorer is an engine too, beside two that sample: the other jobs have one engine alone.
    changes = {
        "teacher": {"model": "zoo:chain-sum/teacher", "scorer": {"type": "vllm"}},
        "algorithm": {
            "type": "rlad",
            "reference_kl": {"type": "k2", "beta": 0.001},
            "teacher_divergence": {"type": "jsd", "k": 8, "weight": 0.1},
        },
        "resources": {"generator": {"count": 2}},
        "steps": STEPS,
        "checkpoint": {"every": 500},
    }
    job = service.client.submit(spec(**changes)).id
    service.wait_for_step(job, 1)
    yield job
    if service.client.get(job).status == "running":
        service.client.cancel(job)


def exported(service: Service, job: str) -> dict[str, float]:
    """Our series of a job; those of a stage or a role have its name behind a colon."""
    series = {}
    for family in text_string_to_metric_families(service.exported()):
        for sample in family.samples:
            if sample.name.startswith("ray_rkd_") and sample.labels["job"] == job:
                part = sample.labels.get("stage") or sample.labels.get("role")
                series[f"{sample.name}:{part}" if part else sample.name] = sample.value
    return series


def expected(report: StepReport) -> dict[str, float]:
    """What a step's report makes of the series."""
    return (
        {
            "ray_rkd_step": report.step,
            "ray_rkd_steps_planned": STEPS,
            "ray_rkd_staleness_versions": report.staleness,
        }
        | {name: report.metrics[metric] for name, metric in OF_THE_JOB.items()}
        | {f"{STAGES}:{stage}": seconds for stage, seconds in report.timings.items()}
        | {
            f"ray_rkd_tokens_per_second:{role}": report.metrics[
                f"throughput/{role}_tokens_per_second"
            ]
            for role in ROLES
        }
        | {f"ray_rkd_idle_share:{role}": report.metrics[f"idle/{role}_share"] for role in ROLES}
        | {
            f"ray_rkd_role_busy_seconds:{role}": report.metrics[f"cost/{role}_busy_seconds"]
            for role in ROLES
        }
        | {
            f"ray_rkd_role_core_seconds:{role}": report.metrics[f"cost/{role}_core_seconds"]
            for role in (*ROLES, "loop")
        }
    )


def test_rays_metrics_are_those_of_the_steps_report(service: Service, running: str) -> None:
    """The sink sets one series after another: only a look in between sees parts of two steps."""
    metrics = service.folder(running) / "attempts" / "1" / "metrics.jsonl"
    deadline = time.monotonic() + EXPORT_SECONDS
    while time.monotonic() < deadline:
        found = exported(service, running)
        for name in OF_SOME_STEPS:
            found.pop(name, None)
        ended = found.pop("ray_rkd_step_timestamp_seconds", 0.0)
        reports = {report.step: report for report in read_reports([metrics])}
        report = reports.get(int(found.get("ray_rkd_step", 0)))
        if report is not None:
            absent = {name: 0.0 for name in found if name.startswith(STAGES)}
            wanted = pytest.approx(absent | expected(report))
            if found == wanted:
                assert abs(time.time() - ended) < EXPORT_SECONDS
                return
        time.sleep(1)
    assert report is not None, f"no series of {running} within {EXPORT_SECONDS} s"
    assert found == wanted


def environment(pid: int) -> dict[str, str]:
    """What a process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def test_driver_and_actors_are_started_with_the_engines_environment(
    service: Service, running: str
) -> None:
    driver = service.dashboard_json(f"/api/jobs/rkd-{running}-1")["driver_info"]["pid"]
    names = {f"rkd:{running}:{role}:0": role for role in ROLES}
    pids = {names[a["name"]]: a["pid"] for a in service.actors() if a["name"] in names}
    assert set(pids) == set(ROLES)
    for pid in (int(driver), *pids.values()):
        assert engine_environment("cpu").items() <= environment(pid).items()


def test_every_generator_samples_with_the_version_just_published(
    service: Service, running: str
) -> None:
    alive = {a["name"] for a in service.actors() if a["state"] == "ALIVE"}
    assert {f"rkd:{running}:generator:{index}" for index in (0, 1)} <= alive
    service.wait_for_step(running, 3)
    rollouts = service.folder(running) / "attempts" / "1" / "rollouts" / "step-000003.parquet"
    spans = parquet.read_table(rollouts, columns=["weight_versions"]).to_pylist()
    assert [[span["version"] for span in row["weight_versions"]] for row in spans] == [[2]] * 16
    metrics = service.folder(running) / "attempts" / "1" / "metrics.jsonl"
    assert all(one.metrics["weights/probe_difference"] < 1e-4 for one in read_reports([metrics]))


def test_a_cancelled_job_stops(service: Service, running: str) -> None:
    assert service.client.cancel(running).status == "stopping"
    assert service.wait(running, "cancelled", "failed").status == "cancelled"
