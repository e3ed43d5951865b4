"""The whole evaluation of one model, as ``evaluations/*.json`` keeps it. Plain data, no numpy."""

from pathlib import Path
from typing import Self

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, ValidationError, model_validator

from rkd_online.errors import RecordError
from rkd_online.evaluation.measurement import Measurement, Record
from rkd_online.evaluation.tally import Tally
from rkd_online.spec.decoding import Decoding
from rkd_online.spec.task import Extractor, Prompt
from rkd_online.types import Split


class Asked(Record):
    """What was asked, and what counts as an answer and as a correct one."""

    task: str
    """Name of the task; of a mixture those of its parts."""
    split: Split
    """Where the prompts are from."""
    prompt: Prompt
    """How a problem became a prompt."""
    max_new_tokens: PositiveInt
    """Longest answer, end token included."""
    extractors: dict[str, Extractor]
    """Where in the completion the answer stands, by the prompts' task."""
    correct_at: PositiveFloat
    """An answer is correct when the part of the reward that is the verdict is at least this."""
    seed: int
    """Seed of the sampling."""


class Decoded(Record):
    """One model's answers by one decoding."""

    weight_version: NonNegativeInt
    """0 for a model as it was loaded, n for the policy after n updates."""
    measurement: Measurement
    """What is reported of them."""
    tally: Tally
    """The counts of each prompt, from which two models are compared."""


class Evaluation(Record):
    """One model's answers to held-out prompts by each decoding."""

    model: str
    """The model's name, such as ``student-after``."""
    asked: Asked
    """What was asked."""
    prompts: tuple[str, ...]
    """Ids of the prompts: split, number and a digest of the text."""
    tasks: tuple[str, ...]
    """The task of each prompt, which is its part of a mixture."""
    difficulties: tuple[str, ...]
    """The difficulty group of each prompt."""
    decodings: dict[Decoding, Decoded]
    """The answers by decoding, in the order of the job."""

    @model_validator(mode="after")
    def _columns_fit(self) -> Self:
        for decoding, one in self.decodings.items():
            for column in ("correct", "solutions", "tokens", "truncated", "answered", "unjudged"):
                found = len(getattr(one.tally, column))
                if found != len(self.prompts):
                    raise ValueError(
                        f"{decoding} has {found} entries of {column} for {len(self.prompts)} "
                        "prompts"
                    )
        return self


def read_evaluation(path: Path) -> Evaluation:
    """What was kept. Raises RecordError where it cannot be read or is of another version."""
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"cannot read the evaluation {path}: {error.strerror}") from error
    except ValidationError as error:
        raise RecordError(
            f"{path} is no evaluation of this version of rkd ({_first(error)}): measure again"
        ) from error


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, with its place."""
    found = error.errors(include_url=False)[0]
    place = ".".join(map(str, found["loc"]))
    return f"{place}: {found['msg']}" if place else found["msg"]
