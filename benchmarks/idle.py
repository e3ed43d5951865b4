"""Whether the machine is idle: other work takes time from what is measured."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psutil  # type: ignore[import-untyped]

WINDOW_SECONDS: Final = 5
LONGEST_SECONDS: Final = 120
LIMIT_PERCENT: Final = 10
"""Of all cores: below it the machine is idle."""
LONGEST_COMMAND: Final = 100


@dataclass(frozen=True, slots=True)
class Use:
    """What one process takes, in percent of one core."""

    pid: int
    command: str
    percent: float


def wait_until_idle() -> None:
    """Wait for other work to end; exits with the names of the busiest processes if it does not."""
    end = time.monotonic() + LONGEST_SECONDS
    _uses()
    while (percent := psutil.cpu_percent(WINDOW_SECONDS)) >= LIMIT_PERCENT:
        uses = _uses()
        if time.monotonic() >= end:
            raise SystemExit(message(percent, uses))
        print(f"waiting for an idle machine: {percent:.0f} % of its cores are in use", flush=True)


def message(percent: float, uses: Sequence[Use]) -> str:
    """Why nothing is measured, and what to do about it."""
    busiest = sorted(uses, key=lambda one: one.percent, reverse=True)[:3]
    lines = [f"  {one.pid}  {one.percent:.0f} %  {one.command}" for one in busiest]
    return "\n".join(
        [
            f"the machine is not idle: after {LONGEST_SECONDS} s, {percent:.0f} % of its cores are "
            f"still in use, {LIMIT_PERCENT} % or more. The busiest processes (pid, % of one core, "
            "command):",
            *lines,
            "End them, or measure nevertheless with --busy.",
        ]
    )


def _uses() -> list[Use]:
    """Each process since this was last called; 0 at first."""
    infos = [one.info for one in psutil.process_iter(["pid", "name", "cmdline", "cpu_percent"])]
    return [Use(one["pid"], _command(one), one["cpu_percent"] or 0.0) for one in infos]


def _command(info: dict[str, object]) -> str:
    """Kernel threads have a name alone."""
    words = info["cmdline"]
    command = " ".join(words) if isinstance(words, list) and words else str(info["name"])
    return " ".join(command.split())[:LONGEST_COMMAND]
