"""The RayJob of one attempt: the template, filled in."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import yaml

from rkd_online.service.launchers.base import Launch
from rkd_online.service.launchers.driver import TOKEN, command, environment, metadata, submission_id
from rkd_online.service.launchers.packing import replicas
from rkd_online.service.launchers.rayjob_template import QUEUE_LABEL, Template
from rkd_online.service.settings import Settings

SECRET_KEY: Final = "token"
TTL_SECONDS: Final = 60
"""How long a cluster outlives its run, where the template does not say: its logs are read then."""


def labels_of(job_id: str, attempt: int) -> dict[str, str]:
    """What everything of an attempt is found by."""
    return {
        "app.kubernetes.io/managed-by": "rkd-online",
        "rkd.io/job": job_id,
        "rkd.io/attempt": str(attempt),
    }


def rayjob_of(launch: Launch, template: Template, settings: Settings) -> dict[str, Any]:
    """The manifest of an attempt, without its token: its head reads that from the Secret of the
    same name. Raises TooLargeError where a pod is too small for the job."""
    filled: dict[str, Any] = deepcopy(dict(template.manifest))
    labels = labels_of(launch.job_id, launch.attempt) | {"rkd.io/project": launch.project}
    about = filled.setdefault("metadata", {})
    about["name"] = submission_id(launch.job_id, launch.attempt)
    about.pop("namespace", None)
    about["labels"] = about.get("labels", {}) | labels
    if template.queue:
        about["labels"][QUEUE_LABEL] = template.queue
    spec = filled["spec"]
    spec |= {
        "entrypoint": command(settings, launch),
        "jobId": about["name"],
        "metadata": metadata(launch),
        "runtimeEnvYAML": yaml.safe_dump({"env_vars": environment(settings, launch)}),
        # Another run is another attempt, with a token of its own.
        "backoffLimit": 0,
        "shutdownAfterJobFinishes": True,
        "suspend": bool(template.queue),
    }
    spec.setdefault("ttlSecondsAfterFinished", TTL_SECONDS)
    counts = replicas(launch.spec, template.pods)
    _fill_cluster(spec["rayClusterSpec"], counts, labels, about["name"])
    return filled


def secret_of(job_id: str, attempt: int, token: str, owner: Mapping[str, Any]) -> dict[str, Any]:
    """The Secret with an attempt's token, which Kubernetes deletes with its RayJob."""
    about = owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": about["name"],
        "uid": about["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": about["name"],
            "labels": labels_of(job_id, attempt),
            "ownerReferences": [reference],
        },
        "type": "Opaque",
        "stringData": {SECRET_KEY: token},
    }


def _fill_cluster(
    cluster: dict[str, Any], counts: Mapping[Any, int], labels: Mapping[str, str], secret: str
) -> None:
    """Groups without pods are left out: Kueue asks quota for each that is there."""
    groups = [group for group in cluster["workerGroupSpecs"] if group["groupName"] in counts]
    for group in groups:
        count = counts[group["groupName"]]
        group |= {"replicas": count, "minReplicas": count, "maxReplicas": count}
    cluster["workerGroupSpecs"] = groups
    for group in (cluster["headGroupSpec"], *groups):
        about = group["template"].setdefault("metadata", {})
        about["labels"] = about.get("labels", {}) | labels
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    kept = [one for one in head.get("env", []) if one["name"] != TOKEN]
    source = {"secretKeyRef": {"name": secret, "key": SECRET_KEY}}
    head["env"] = [*kept, {"name": TOKEN, "valueFrom": source}]
