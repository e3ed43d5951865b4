"""The smallest valid job as plain data, with changes by dotted path."""

from typing import Any


def job(**changes: Any) -> dict[str, Any]:
    """``job(rollout__group_size=1)`` changes one field; ``None`` as a value stays None."""
    data: dict[str, Any] = {
        "version": 1,
        "name": "tiny",
        "policy": {"model": "zoo:chain-sum/student"},
        "teacher": {"model": "zoo:chain-sum/teacher"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "rlad"},
        "rollout": {"max_new_tokens": 64},
        "steps": 3,
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        place = data
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return data
