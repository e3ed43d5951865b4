"""What was measured of two models, found and compared."""

from pathlib import Path
from typing import Final

from rich.console import Console

from rkd_online.errors import RecordError
from rkd_online.evaluation.comparison import Comparison
from rkd_online.evaluation.comparison_table import render_comparison
from rkd_online.evaluation.record import Evaluation, read_evaluation

EVALUATIONS: Final = "evaluations"
OF_A_JOB: Final = "student-after.json"
"""The model that a job's name stands for."""


def compared(first: str, second: str, data: Path) -> Comparison:
    """Two evaluations, each a file, a run's folder or the name of one in the data folder."""
    from rkd_online.evaluation.compare import compare

    return compare(_found(first, data), _found(second, data))


def show_comparison(comparison: Comparison) -> None:
    """Print the tables."""
    Console().print(render_comparison(comparison))


def _found(name: str, data: Path) -> Evaluation:
    """The evaluation, under the name that it was asked for by: runs call their models alike."""
    runs, given = data / "runs", Path(name)
    places = (
        given,
        given / EVALUATIONS / OF_A_JOB,
        runs / given / EVALUATIONS / OF_A_JOB,
        runs / given.parent / EVALUATIONS / f"{given.name}.json",
    )
    for place in places:
        if place.is_file():
            return read_evaluation(place).model_copy(update={"model": name})
    raise RecordError(
        f"there is no evaluation {name!r} (looked for {', '.join(map(str, places))}): name a file "
        "that `rkd eval --out` wrote, a JOB, or a JOB/MODEL such as JOB/student-before or "
        "JOB/teacher"
    )
