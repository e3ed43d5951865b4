"""A job's records out of an object store, but for what is large: checkpoints' files, rollouts."""

from typing import Final

from rkd_online.files import MANIFEST
from rkd_online.objects.job import JobObjects

SPEC: Final = "spec.json"


def pull_records(objects: JobObjects) -> None:
    """Have the spec, all evaluations, and of every attempt its setup, its steps and the manifests
    of its checkpoints in this node's folder. Raises FileNotFoundError where there is no spec."""
    objects.pull(SPEC)
    for path in objects.find("evaluations"):
        objects.pull(path)
    for number in objects.attempts():
        _pull_attempt(objects, f"attempts/{number}")


def _pull_attempt(objects: JobObjects, attempt: str) -> None:
    objects.pull_grown(f"{attempt}/metrics.jsonl")
    setup = f"{attempt}/setup.json"
    if objects.seen(setup) is not None:
        objects.pull(setup)
    for path in objects.find(f"{attempt}/checkpoints"):
        if path.split("/")[4:] == [MANIFEST]:
            objects.pull(path)
