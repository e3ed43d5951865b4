"""Whether a dataset makes a problem at every level that a task asks for.

Some have none at a level, and some look for one without end. So they are tried in a process of
their own: ``python -m rkd_online.spec.levels SECONDS`` reads the task and writes, a line for each
level as it is done, the level and what is wrong with it.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Final

from rkd_online.spec.curriculum import level_config
from rkd_online.spec.task import ReasoningGymTask

LEVEL_SECONDS: Final = 10.0
"""Longest time for one problem of a level; a job asks for thousands before it starts."""
START_SECONDS: Final = 120.0
"""Longest time for the imports."""


def empty_levels(task: ReasoningGymTask, *, seconds: float = LEVEL_SECONDS) -> Iterator[str]:
    """One line for each level without a problem, led by its field, up to the first without end."""
    levels = _levels(task)
    if not levels:
        return
    command = [sys.executable, "-P", "-m", "rkd_online.spec.levels", str(seconds)]
    tried = subprocess.run(
        command,
        input=task.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=START_SECONDS + seconds * len(levels),
        check=False,
    )
    done = dict(map(json.loads, tried.stdout.splitlines()))
    for level in levels:
        if level not in done:
            what = f"no problem within {seconds:g} s"
            if tried.returncode != -signal.SIGALRM:
                what = f"no problem, and ended its process ({tried.stderr.strip()[-500:]})"
            yield f"{_field(task, level)}: {task.dataset} makes {what} at level {level}"
            return
        if done[level] is not None:
            yield (
                f"{_field(task, level)}: {task.dataset} makes no problem at level {level}: "
                f"{done[level]}"
            )


def _levels(task: ReasoningGymTask) -> list[int]:
    """All that the stages have, ascending."""
    ranges = [range(stage.levels[0], stage.levels[1] + 1) for stage in task.curriculum]
    return sorted({level for levels in ranges for level in levels})


def _field(task: ReasoningGymTask, level: int) -> str:
    """The first stage with the level."""
    number = next(
        number
        for number, stage in enumerate(task.curriculum)
        if stage.levels[0] <= level <= stage.levels[1]
    )
    return f"task.curriculum.{number}.levels"


def main() -> None:
    """Try each level of the task on standard input."""
    task = ReasoningGymTask.model_validate_json(sys.stdin.read())
    from reasoning_gym import create_dataset

    for level in _levels(task):
        wrong = None
        signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))  # ends the process
        try:
            with redirect_stdout(sys.stderr):
                config = level_config(task, level)
                create_dataset(task.dataset, seed=task.seed, size=1, **config)[0]
        except Exception as error:  # whatever the dataset raises where it has no problem
            wrong = str(error) or type(error).__name__
        print(json.dumps([level, wrong]), flush=True)


if __name__ == "__main__":
    main()
