"""The control plane's Deployment: how it starts, is probed and ends, and what it is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices

from rkd_online.service.app import PASS_SECONDS, create_app
from rkd_online.service.launchers.groups import NodeGroup
from rkd_online.service.server import DRAIN_SECONDS
from rkd_online.service.settings import Settings
from tests.deploy.charts import CHART, Helm, Object, merged, of_kind, pods
from tests.deploy.scenarios import DEV, PROD, SCENARIOS

NO_SETTINGS = {
    "HOME",
    "FORWARDED_ALLOW_IPS",  # uvicorn's
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
}
OF_LAUNCHER_AND_STORE = {
    "RKD_LAUNCHER",
    "RKD_RAYJOB_TEMPLATE",
    "RKD_KUBERNETES_NAMESPACE",
    "RKD_KUEUE_QUEUE",
    "RKD_ROLE_LABEL",
    "RKD_OBJECT_STORE",
}
"""What values of their own decide."""
OF_A_LOCAL_RAY = {name for name in Settings.model_fields if name.startswith("local_ray_")}


def variables(name: str) -> set[str]:
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return {str(one) for one in alias.choices}
    return {f"RKD_{name.upper()}"}


SETTINGS: set[str] = set().union(*map(variables, Settings.model_fields))


def deployment(objects: list[Object]) -> Object:
    [found] = of_kind(objects, "Deployment")
    return found


def environment(objects: list[Object]) -> dict[str, Any]:
    """Values by name; of what comes from elsewhere the source."""
    [container] = deployment(objects)["spec"]["template"]["spec"]["containers"]
    names = [one["name"] for one in container["env"]]
    assert len(set(names)) == len(names)
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def test_every_variable_is_a_setting_or_of_the_list(objects: list[Object]) -> None:
    assert environment(objects).keys() - NO_SETTINGS <= SETTINGS


def test_ray_and_migration_know_no_other_variables(objects: list[Object]) -> None:
    for pod in pods(objects):
        for container in pod.containers:
            names = {one["name"] for one in container["env"]}
            assert {name for name in names if name.startswith("RKD_")} <= SETTINGS | {
                "RKD_URL",
                "RKD_API_KEY",
            }


def test_what_config_may_set_is_what_the_chart_does_not(helm: Helm) -> None:
    allowed = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
    everything = environment(helm.template(SCENARIOS["everything"]).objects)
    own = everything.keys() | environment(helm.template(SCENARIOS["rayjob"]).objects).keys()
    owned = own - set(SCENARIOS["everything"]["config"])
    overridable = {"RKD_CLUSTER_GROUPS", "RKD_CLUSTER_GROWS", "RKD_ALLOWED_PATHS"}
    settable = {
        one
        for name in Settings.model_fields
        if name not in OF_A_LOCAL_RAY
        for one in variables(name)
    }
    aliases = {"RKD_RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RKD_RAY_AUTH_TOKEN_PATH"}
    of_the_chart = (owned - overridable) | aliases | OF_LAUNCHER_AND_STORE
    assert set(allowed["properties"]) == settable - of_the_chart


@pytest.mark.parametrize("name", SCENARIOS)
def test_settings_take_what_the_chart_writes(
    rendered: Mapping[str, list[Object]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment(rendered[name]).items():
        if isinstance(value, str) and variable != "HOME":
            monkeypatch.setenv(variable, value)
    settings = Settings()
    full = "distil" if name == "everything" else "rkd"
    assert settings.control_url == f"http://{full}.rkd-team.svc:8420"
    assert str(settings.data_dir) == "/var/lib/rkd"
    assert not settings.loopback
    assert settings.allowed_hosts == (("rkd.example.com",) if "ingress" in SCENARIOS[name] else ())


def test_config_of_every_type_arrives_as_it_is(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        "RKD_ALLOWED_MODELS": ["hf:Qwen/*", "hf:google/*@main"],
        "RKD_ALLOWED_PATHS": ["/models", "/more"],
        "RKD_ALLOW_EVALUATED_ANSWERS": True,
        "RKD_CLUSTER_GROUPS": [{"nodes": 8, "cpus": 16, "gpus": 2}],
        "RKD_PAUSE_TIMEOUT_SECONDS": 10000000,
        "RKD_POLL_SECONDS": 0.5,
        "RKD_REQUESTS_PER_MINUTE": 2000000,
        "RKD_LOG_LEVEL": "debug",
    }
    found = environment(helm.template(merged(PROD, {"config": config})).objects)
    for name in config:
        monkeypatch.setenv(name, found[name])
    settings = Settings()
    assert settings.allowed_models == ("hf:Qwen/*", "hf:google/*@main")
    assert [str(path) for path in settings.allowed_paths or ()] == ["/models", "/more"]
    assert settings.allow_evaluated_answers is True
    assert settings.cluster_groups == (NodeGroup(nodes=8, cpus=16, gpus=2),)
    assert (settings.pause_timeout_seconds, settings.poll_seconds) == (10_000_000, 0.5)
    assert (settings.requests_per_minute, settings.log_level) == (2_000_000, "debug")


def test_it_counts_on_what_all_groups_can_grow_to(rendered: Mapping[str, list[Object]]) -> None:
    groups = [
        {"role": "generator", "nodes": 4, "cpus": 16, "gpus": 2},
        {"role": "scorer", "nodes": 4, "cpus": 16, "gpus": 2},
        {"role": "learner", "nodes": 2, "cpus": 32, "gpus": 8},
    ]
    assert json.loads(environment(rendered["prod-gpu"])["RKD_CLUSTER_GROUPS"]) == groups
    assert json.loads(environment(rendered["rayjob"])["RKD_CLUSTER_GROUPS"]) == groups
    grows = {name: environment(rendered[name])["RKD_CLUSTER_GROWS"] for name in rendered}
    assert (grows["prod-gpu"], grows["rayjob"], grows["dev"]) == ("true", "true", "false")
    fixed = environment(rendered["dev"])["RKD_CLUSTER_GROUPS"]
    assert json.loads(fixed) == [{"role": "", "nodes": 1, "cpus": 4, "gpus": 0}]


def test_a_group_that_does_not_grow_has_its_replicas(helm: Helm) -> None:
    sizes = {"cpus": 4, "gpus": 0, "memory": "8Gi", "sharedMemorySize": "1Gi"}
    groups = [
        {"name": "some", "role": "", "replicas": 2, "minReplicas": 0, "maxReplicas": 5, **sizes},
        {"name": "none", "role": "", "replicas": 0, "minReplicas": 0, "maxReplicas": 5, **sizes},
    ]
    for autoscaled, nodes in ((False, [2]), (True, [5, 5])):
        values = {"ray": {"workerGroups": groups, "autoscaling": {"enabled": autoscaled}}}
        told = environment(helm.template(values).objects)["RKD_CLUSTER_GROUPS"]
        assert [group["nodes"] for group in json.loads(told)] == nodes


def test_a_file_database_has_one_process_at_a_time(rendered: Mapping[str, list[Object]]) -> None:
    assert deployment(rendered["dev"])["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment(rendered["prod-gpu"])["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }


def test_the_schema_of_a_server_is_brought_up_before_and_that_of_a_file_by_the_start(
    rendered: Mapping[str, list[Object]],
) -> None:
    [job] = of_kind(rendered["prod-gpu"], "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["db", "upgrade"]
    assert list(of_kind(rendered["dev"], "Job")) == []


def test_probes_ask_routes_that_there_are(objects: list[Object]) -> None:
    [container] = deployment(objects)["spec"]["template"]["spec"]["containers"]
    paths = {}
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[name]["httpGet"]
        assert asked["port"] == "http"
        paths[name] = asked["path"]
    assert paths == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }


def test_it_has_the_time_to_end_that_it_takes(objects: list[Object]) -> None:
    spec = deployment(objects)["spec"]["template"]["spec"]
    wait = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert wait + DRAIN_SECONDS + PASS_SECONDS < spec["terminationGracePeriodSeconds"]


def test_the_ingress_has_the_paths_of_the_api_but_for_the_metrics(
    rendered: Mapping[str, list[Object]], tmp_path: Path
) -> None:
    [ingress] = of_kind(rendered["prod-gpu"], "Ingress")
    [rule] = ingress["spec"]["rules"]
    open_to_all = [path["path"] for path in rule["http"]["paths"]]
    app = create_app(Settings(data_dir=tmp_path))
    routes = {getattr(route, "path", "") for route in app.routes} | set(app.openapi()["paths"])
    prefixes = tuple(f"{one}/" for one in open_to_all)
    covered = {route for route in routes if f"{route}/".startswith(prefixes)}
    assert routes - covered <= {"/metrics", ""}
    assert all(any(route.startswith(one) for route in covered) for one in open_to_all)


def test_replicas_are_disrupted_one_by_one(helm: Helm) -> None:
    [budget] = of_kind(helm.template(PROD).objects, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert list(of_kind(helm.template(DEV).objects, "PodDisruptionBudget")) == []


def test_the_first_key_is_given_by_reference_to_the_control_plane_alone(
    rendered: Mapping[str, list[Object]],
) -> None:
    assert environment(rendered["prod-gpu"])["RKD_FIRST_KEY"] == {
        "secretKeyRef": {"name": "rkd-first-key", "key": "key"}
    }
    assert "RKD_FIRST_KEY" not in environment(rendered["dev"])
    holders = [
        pod.where
        for pod in pods(rendered["prod-gpu"])
        for container in pod.containers
        if "RKD_FIRST_KEY" in {one["name"] for one in container["env"]}
    ]
    assert [where.partition(".")[0] for where in holders] == ["Deployment/rkd"]


@pytest.mark.parametrize(
    ("values", "asks", "example"),
    [
        (DEV, "exec deployment/rkd -- cat /var/lib/rkd/admin-key\n", "quickstart"),
        (
            merged(PROD, {"firstKey": {"secretKey": "a.key"}}),
            "get secret rkd-first-key -o "
            """go-template='{{index .data "a.key" | base64decode}}'\n""",
            "math",
        ),
    ],
)
def test_the_notes_say_where_the_first_key_is_and_what_can_run(
    helm: Helm, tmp_path: Path, values: Mapping[str, Any], asks: str, example: str
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(values))
    shown = helm.run("install", "rkd", str(CHART), "-n", "rkd", "--dry-run=client", "-f", str(file))
    assert shown.code == 0, shown.error
    notes = shown.out.partition("NOTES:")[2]
    assert asks in notes
    assert f"rkd submit --watch examples/{example}.yaml\n" in notes
