"""What was measured of a checkpoint, among all evaluations that a job keeps."""

from dataclasses import dataclass
from typing import Final

from rkd_online.evaluation.measurement import Measurement
from rkd_online.evaluation.record import Evaluation, read_evaluation
from rkd_online.files import validation_name
from rkd_online.run.records import RunFolder
from rkd_online.spec.decoding import Decoding

BESIDE: Final = ("student-before", "teacher")
"""Models of the report that stand beside the checkpoint, where they were asked the same."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The evaluation of a checkpoint, and those of other models on the same prompts by name."""

    own: Evaluation
    beside: dict[str, Evaluation]

    def rows(self, decoding: Decoding) -> dict[str, Measurement]:
        """What was measured by one decoding, by model: the checkpoint first."""
        found = {"this checkpoint": self.own, **self.beside}
        return {
            name: one.decodings[decoding].measurement
            for name, one in found.items()
            if decoding in one.decodings
        }


def measured(run: RunFolder, step: int) -> Measured | None:
    """The evaluation of the weights after ``step``: the report's on the test split, else the one on
    the validation split; None where those weights were never asked."""
    found = [
        path
        for name in ("student-after", validation_name(step), "student-before")
        if (path := run.evaluations / f"{name}.json").is_file()
    ]
    own = next((one for path in found if _version(one := read_evaluation(path)) == step), None)
    if own is None:
        return None
    beside = {}
    for name in BESIDE:
        path = run.evaluations / f"{name}.json"
        if path.is_file() and name != own.model:
            other = read_evaluation(path)
            if other.prompts == own.prompts:
                beside[name] = other
    return Measured(own, beside)


def _version(evaluation: Evaluation) -> int:
    """The weights that answered, the same by every decoding."""
    return max(one.weight_version for one in evaluation.decodings.values())
