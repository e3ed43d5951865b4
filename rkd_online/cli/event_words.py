"""What happened to a job, in words."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rkd_online.service.state import Status

TOLD_WITH_REASON = (Status.PAUSING, Status.PAUSED, Status.STOPPING)
"""Of a job that is lost or has failed, other events say why."""


def event_words(type: str, data: Mapping[str, Any]) -> str:
    """One line for an event, of as many lines as a message in it has."""
    tell = _WORDS.get(type)
    if tell is not None:
        return tell(data)
    if "message" in data or "cause" in data:
        return f"{type.replace('_', ' ')}: {data.get('message') or data.get('cause')}"
    return f"{type.replace('_', ' ')} {json.dumps(data)}" if data else type.replace("_", " ")


def values_text(values: Mapping[str, Any]) -> str:
    """Changed values in one line."""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _status(data: Mapping[str, Any]) -> str:
    status, reason = data["status"], data.get("reason")
    return (
        f"job is {status}: {reason}"
        if reason and status in TOLD_WITH_REASON
        else (f"job is {status}")
    )


def _waiting(data: Mapping[str, Any]) -> str:
    """Most reasons say themselves that the job waits."""
    reason = str(data["reason"])
    return reason if reason.startswith("waits") else f"waits: {reason}"


def _phase(data: Mapping[str, Any]) -> str:
    return f"step {data['step']}: {data['after']} follows {data['before']}, {data['reason']}"


def _step(data: Mapping[str, Any]) -> str:
    reward = data["metrics"].get("reward/mean")
    words = f", reward {reward:.3f}" if reward is not None else ""
    seconds = data["timings"].get("step")
    return f"step {data['step']}{words}" + (f" in {seconds:.2f} s" if seconds else "")


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "step": _step,
    "log": lambda data: str(data["message"]),
    "checkpoint": lambda data: f"checkpoint of step {data['step']} written",
    "phase": _phase,
    "early_stop": lambda data: f"step {data['step']}: the job ends early, {data['reason']}",
    "change_asked": lambda data: f"asked to go on with {values_text(data['values'])}",
    "changed": lambda data: (
        f"step {data['step']}: the job goes on with {values_text(data['values'])}"
    ),
    "paused": lambda data: f"paused after step {data['step']}",
    "warning": lambda data: f"warning, step {data['step']}: {data['message']}",
    "status": _status,
    "waiting": _waiting,
    "finished": lambda data: f"finished: {data.get('summary', '')}",
}
