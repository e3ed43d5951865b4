"""Values that cannot work are refused before anything is sent, with the key and what to change."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.deploy.charts import Helm, merged
from tests.deploy.scenarios import PROD, RAYJOB, SHARED_VOLUME

GROUP: Mapping[str, Any] = {
    "name": "all",
    "role": "",
    "replicas": 1,
    "minReplicas": 1,
    "maxReplicas": 1,
    "cpus": 4,
    "gpus": 0,
    "memory": "8Gi",
    "sharedMemorySize": "2Gi",
}
WRONG: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "a name that is none": ({"contrl": {}}, "additional properties 'contrl' not allowed"),
    "a name within": (
        {"control": {"replica": 2}},
        "at '/control': additional properties 'replica' not allowed",
    ),
    "a setting that is none": (
        {"config": {"RKD_MAX_JOBS": 2}},
        "at '/config': additional properties 'RKD_MAX_JOBS' not allowed",
    ),
    "a setting of the chart": (
        {"config": {"RKD_DATABASE_URL": "sqlite://"}},
        "at '/config': additional properties 'RKD_DATABASE_URL' not allowed",
    ),
    "a number as text": (
        {"control": {"replicas": "two"}},
        "at '/control/replicas': got string, want integer",
    ),
    "no replica": ({"control": {"replicas": 0}}, "at '/control/replicas': minimum"),
    "a launcher that is none": (
        {"launcher": "slurm"},
        "at '/launcher': value must be one of 'shared', 'rayjob'",
    ),
    "a tag that moves": ({"images": {"tag": "latest"}}, "at '/images/tag'"),
    "memory without a unit": (
        {"ray": {"workerGroups": [{**GROUP, "memory": "8"}]}},
        "at '/ray/workerGroups/0/memory': '8' does not match pattern",
    ),
    "a container without limits": (
        {"control": {"resources": {"limits": None}}},
        "at '/control/resources': missing property 'limits'",
    ),
    "no group": ({"ray": {"workerGroups": []}}, "at '/ray/workerGroups': minItems"),
    "no name of Ray's token": ({"ray": {"tokenSecretName": ""}}, "at '/ray/tokenSecretName'"),
    "a role that is none": (
        {"ray": {"workerGroups": [{**GROUP, "role": "teacher"}]}},
        "at '/ray/workerGroups/0/role': value must be one of",
    ),
    "a secret in the values": (
        {"keyPepper": {"value": "pepper"}},
        "at '/keyPepper': additional properties 'value' not allowed",
    ),
    "an address that is no range": (
        {"networkPolicy": {"modelHub": {"cidrs": [{"cidr": "huggingface.co"}]}}},
        "at '/networkPolicy/modelHub/cidrs/0/cidr': 'huggingface.co' does not match pattern",
    ),
    "two processes on a file": (
        {"control": {"replicas": 2}},
        "control.replicas is 2 with database.type sqlite, which one process alone can use: set "
        "control.replicas to 1, or database.type to postgresql",
    ),
    "a file in a pod's own folder": (
        merged(
            PROD, {"database": {"type": "sqlite", "secretName": ""}, "control": {"replicas": 1}}
        ),
        "database.type is sqlite with storage.type s3: the file would end with its pod",
    ),
    "a server without its secret": (
        merged(PROD, {"database": {"secretName": ""}}),
        "database.secretName is empty with database.type postgresql: name a Secret",
    ),
    "a secret of a server and no server": (
        {"database": {"secretName": "rkd-database"}},
        "database.secretName is rkd-database with database.type sqlite, which reads none",
    ),
    "a pepper that ends with its pod": (
        merged(PROD, {"keyPepper": {"secretName": ""}}),
        "keyPepper.secretName is empty with storage.type s3",
    ),
    "a first key that ends with its pod": (
        merged(PROD, {"firstKey": {"secretName": ""}}),
        "firstKey.secretName is empty with storage.type s3: the file with the first "
        "administrator's key would end with its pod, and nothing could read that key again. Name "
        "a Secret with what `rkd keys make-first` prints",
    ),
    "no keys": (
        {"config": {"RKD_AUTH": "off"}},
        "config.RKD_AUTH is off, and others reach the API through the Service: remove it",
    ),
    "no keys behind an Ingress": (
        merged(PROD, {"config": {"RKD_AUTH": "off"}}),
        "config.RKD_AUTH is off, and others reach the API through the Ingress: remove it",
    ),
    "an Ingress without host": (
        merged(PROD, {"ingress": {"host": ""}}),
        "ingress.host is empty: name the host",
    ),
    "an Ingress without certificate": (
        merged(PROD, {"ingress": {"tlsSecretName": ""}}),
        "ingress.tlsSecretName is empty: name a Secret with a certificate",
    ),
    "replicas on a volume of one node": (
        merged(SHARED_VOLUME, {"storage": {"pvc": {"accessMode": "ReadWriteOnce"}}}),
        "control.replicas is 3 and storage.pvc.accessMode ReadWriteOnce: set ReadWriteMany, or "
        "storage.type to s3",
    ),
    "no bucket": (
        merged(PROD, {"storage": {"s3": {"bucket": ""}}}),
        "storage.s3.bucket is empty with storage.type s3: name the bucket",
    ),
    "no way into the bucket": (
        merged(PROD, {"storage": {"s3": {"secretName": ""}}}),
        "storage.s3.secretName is empty, and serviceAccounts.annotations give no cloud role",
    ),
    "no time to end": (
        {"control": {"preStopSeconds": 30}},
        "control.terminationGracePeriodSeconds is 45: draining takes up to 20 s after "
        "control.preStopSeconds, so set at least 50",
    ),
    "more than the most": (
        {"ray": {"workerGroups": [{**GROUP, "replicas": 2}]}},
        "ray.workerGroups all has replicas 2: it has to lie between minReplicas 1 and maxReplicas "
        "1",
    ),
    "two groups of one name": (
        {"ray": {"workerGroups": [GROUP, GROUP]}},
        "ray.workerGroups has two groups of one name (all, all): name each by its own",
    ),
    "GPUs and no group of them": (
        {"device": "cuda"},
        "device is cuda, and no group of ray.workerGroups has gpus: give one gpus and maxReplicas",
    ),
    "GPUs and an image without": (
        {"ray": {"workerGroups": [{**GROUP, "gpus": 1}]}},
        "device is cpu, and a group of ray.workerGroups has gpus, which its image could not use",
    ),
    "growth to GPUs and no group of them": (
        {"config": {"RKD_CLUSTER_GROUPS": [{"nodes": 1, "cpus": 8, "gpus": 8}]}},
        "config.RKD_CLUSTER_GROUPS has a group with gpus, and ray.workerGroups has none",
    ),
    "placement by role without the roles": (
        {"ray": {"roleLabel": "rkd.io/role"}},
        "ray.roleLabel is set, and no group of ray.workerGroups has the role scorer: give one that "
        "role, or empty ray.roleLabel",
    ),
    "RayJobs without the roles": (
        {"launcher": "rayjob"},
        "launcher is rayjob, and no group of ray.workerGroups has the role generator: give one "
        "that role, or set launcher to shared",
    ),
    "RayJobs with groups of other names": (
        {"launcher": "rayjob"},
        'the group all of ray.workerGroups has the role "": name it by its role',
    ),
    "fault tolerance without Redis": (
        merged(PROD, {"ray": {"gcsFaultTolerance": {"redisAddress": ""}}}),
        "ray.gcsFaultTolerance.redisAddress is empty: name the Redis",
    ),
    "fault tolerance without a secret": (
        merged(PROD, {"ray": {"gcsFaultTolerance": {"secretName": ""}}}),
        "ray.gcsFaultTolerance.secretName is empty: name the Secret with the password of Redis",
    ),
    "Kueue over a standing cluster": (
        {"kueue": {"enabled": True}},
        "kueue.enabled is true with launcher shared: a standing cluster would hold its quota for "
        "good, and jobs would never queue for any. Set launcher to rayjob",
    ),
    "GPUs and no quota of them": (
        merged(RAYJOB, {"kueue": {"flavors": [{"name": "cpu", "quotas": {"cpu": 4}}]}}),
        "kueue.flavors have no quota of nvidia.com/gpu with device cuda: no job would ever be "
        "admitted",
    ),
    "flavors of other resources": (
        merged(
            RAYJOB,
            {
                "kueue": {
                    "flavors": [
                        {"name": "a", "quotas": {"cpu": 4, "nvidia.com/gpu": 1}},
                        {"name": "b", "quotas": {"cpu": 4}},
                    ]
                }
            },
        ),
        "kueue.flavors b has quotas of other resources than the first (cpu, nvidia.com/gpu)",
    ),
    "an opening to the metadata service": (
        {"networkPolicy": {"modelHub": {"cidrs": [{"cidr": "169.254.169.254/32"}]}}},
        "networkPolicy allows 169.254.169.254/32, where clouds serve the credentials of nodes",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_value_is_refused_with_its_key(helm: Helm, wrong: str) -> None:
    values, said = WRONG[wrong]
    found = helm.template(values)
    assert found.code == 1
    assert said in found.error


def test_all_that_is_wrong_is_said_at_once(helm: Helm) -> None:
    values = {"control": {"replicas": 2}, "kueue": {"enabled": True}, "launcher": "shared"}
    lines = [line for line in helm.template(values).error.splitlines() if line.startswith("- ")]
    assert [line.split()[1] for line in lines] == [
        "control.replicas",
        "control.replicas",
        "kueue.enabled",
    ]
