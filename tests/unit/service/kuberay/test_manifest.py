"""The RayJob that a template becomes."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from rkd_online.inference.environment import engine_environment
from rkd_online.service.launchers.rayjob_manifest import rayjob_of
from rkd_online.service.launchers.rayjob_template import read_template
from rkd_online.service.settings import Settings
from tests.kuberay_crds import kuberay_schemas, strict
from tests.unit.service.kuberay.specs import LAUNCH, job


@pytest.fixture
def manifest(kube_settings: Settings) -> dict[str, Any]:
    resumed = replace(LAUNCH, resume_from=Path("/checkpoint"), changes=3)
    return rayjob_of(resumed, read_template(kube_settings), kube_settings)


def test_it_is_found_by_job_attempt_and_project(manifest: dict[str, Any]) -> None:
    assert manifest["metadata"] == {
        "name": "rkd-job-1-2",
        "labels": {
            "app.kubernetes.io/name": "rkd-online",
            "app.kubernetes.io/managed-by": "rkd-online",
            "rkd.io/job": "job-1",
            "rkd.io/attempt": "2",
            "rkd.io/project": "default",
            "kueue.x-k8s.io/queue-name": "gpus",
        },
    }
    [learner, *_] = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert learner["template"]["metadata"]["labels"] == {
        "team": "research",
        "app.kubernetes.io/managed-by": "rkd-online",
        "rkd.io/job": "job-1",
        "rkd.io/attempt": "2",
        "rkd.io/project": "default",
    }


def test_it_runs_the_driver_once_under_the_ray_jobs_id(
    manifest: dict[str, Any], kube_settings: Settings
) -> None:
    spec = manifest["spec"]
    assert shlex.split(spec["entrypoint"]) == [
        *("/opt/rkd/bin/python", "-m", "rkd_online.cluster.entrypoint"),
        *("--job-dir", "/var/lib/rkd/runs/job-1", "--attempt", "2"),
    ]
    assert spec["jobId"] == "rkd-job-1-2"
    assert (spec["backoffLimit"], spec["suspend"]) == (0, True)
    assert (spec["shutdownAfterJobFinishes"], spec["ttlSecondsAfterFinished"]) == (True, 120)
    assert spec["metadata"] == {"rkd_job": "job-1", "rkd_attempt": "2", "name": "quick"}
    assert yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"] == engine_environment("cuda") | {
        "RKD_CONTROL_URL": "http://127.0.0.1:8420",
        "RKD_DATA_DIR": str(kube_settings.data_dir),
        "RKD_JOB_ID": "job-1",
        "RKD_PROJECT": "default",
        "RKD_CHANGES": "3",
        "RKD_ROLE_LABEL": "rkd.io/role",
        "RKD_RESUME_FROM": "/checkpoint",
        "RAY_JOB_STOP_WAIT_TIME_S": "20",
    }


def test_the_token_comes_from_the_secret_of_its_name(manifest: dict[str, Any]) -> None:
    assert LAUNCH.token not in json.dumps(manifest)
    [head] = manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    assert head["env"] == [
        {"name": "RKD_OBJECT_STORE", "value": "s3://bucket/prefix"},
        {
            "name": "RKD_ATTEMPT_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "rkd-job-1-2", "key": "token"}},
        },
    ]


def test_groups_have_the_pods_that_the_job_needs(manifest: dict[str, Any]) -> None:
    groups = manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    assert [
        (one["groupName"], one["replicas"], one["minReplicas"], one["maxReplicas"])
        for one in groups
    ] == [("learner", 1, 1, 1), ("scorer", 1, 1, 1), ("generator", 2, 2, 2)]


def test_a_job_on_cpu_has_one_pod_and_no_other_group(kube_settings: Settings) -> None:
    resources = {"device": "cpu", "generator": {}, "scorer": {}, "learner": {}}
    launch = replace(LAUNCH, spec=job(**resources))
    [group] = rayjob_of(launch, read_template(kube_settings), kube_settings)["spec"][
        "rayClusterSpec"
    ]["workerGroupSpecs"]
    assert (group["groupName"], group["replicas"]) == ("learner", 1)


def test_the_template_itself_stays_as_it_is(kube_settings: Settings) -> None:
    template = read_template(kube_settings)
    before = json.dumps(template.manifest)
    rayjob_of(LAUNCH, template, kube_settings)
    assert json.dumps(template.manifest) == before


def test_kuberays_own_schema_takes_it_without_an_unknown_field(manifest: dict[str, Any]) -> None:
    check = jsonschema_rs.validator_for(strict(kuberay_schemas()["RayJob"]))
    assert [error.message for error in check.iter_errors(manifest)] == []
    manifest["spec"]["shutdownAfterJobFinish"] = True
    assert not check.is_valid(manifest)
