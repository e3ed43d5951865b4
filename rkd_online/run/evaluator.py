"""Evaluations of a run: on the validation split between steps, on the test split for the report."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

from rkd_online.evaluation.evaluate import Answers, joined
from rkd_online.evaluation.record import Evaluation, read_evaluation
from rkd_online.files import validation_name
from rkd_online.run.examination import Examination
from rkd_online.run.pools import Judge
from rkd_online.run.prompts import PromptStream
from rkd_online.run.records import write_whole
from rkd_online.run.setup import JobSetup
from rkd_online.spec.mixture import Course
from rkd_online.types import WeightVersion

Engine: TypeAlias = AbstractAsyncContextManager[Answers]


class Evaluator:
    """The evaluations of an attempt. What was measured once is kept and not measured again on
    resume."""

    def __init__(
        self,
        setup: JobSetup,
        prompts: PromptStream,
        scorer: Judge,
        policy: Answers,
        folder: Path,
    ) -> None:
        self._spec = setup.spec
        self._examination = Examination(setup, scorer)
        self._prompts = prompts
        self._policy = policy
        self._folder = folder

    async def validate(self) -> dict[str, float]:
        """pass@1 of the policy as it is on the validation split, by the first decoding; beside it
        the whole evaluation is kept under its weight version."""
        asked = self._spec.evaluation
        headline = asked.decoding[0]
        found = await self._examination.evaluation(
            "validation",
            self._prompts.held_out("validation", asked.every_prompts),
            self._policy,
            decodings=(headline,),
            samples=asked.every_samples,
        )
        decoded = found.decodings[headline]
        name = validation_name(decoded.weight_version)
        self._keep(found.model_copy(update={"model": name}))
        tasks = decoded.measurement.by_task if self._spec.mixed else {}
        parts = {f"validation/pass_at_1/{name}": one[1].value for name, one in tasks.items()}
        return parts | {"validation/pass_at_1": decoded.measurement.pass_at_1.value}

    def known(self, name: str) -> Evaluation:
        """What an earlier ``measured`` kept, in this attempt or one before."""
        return read_evaluation(self._path(name))

    async def measured(self, name: str, answers: Answers, *, version: WeightVersion) -> Evaluation:
        """One model's part of the report, on the test split. What was kept of another ``version``
        of its weights is of a job that had fewer steps then, and is measured again."""
        if self._path(name).exists():
            known = self.known(name)
            if all(one.weight_version == version for one in known.decodings.values()):
                return known
        asked = self._spec.evaluation
        found = await self._examination.evaluation(
            name,
            self._prompts.held_out("test", asked.prompts),
            answers,
            decodings=asked.decoding,
            samples=asked.samples,
        )
        self._keep(found)
        return found

    async def measured_in_turn(
        self, name: str, courses: Sequence[tuple[Course, Callable[[], Engine]]]
    ) -> Evaluation:
        """The same of several models as if they were one: each answers the prompts of its course,
        while its engine is open."""
        if self._path(name).exists():
            return self.known(name)
        asked = self._spec.evaluation
        prompts = self._prompts.held_out("test", asked.prompts)
        parts = []
        for course, engine in courses:
            own = [one for one in prompts if self._spec.part(one.task) in course.parts]
            async with engine() as answers:
                parts.append(
                    await self._examination.answered(
                        own, answers, decodings=asked.decoding, samples=asked.samples
                    )
                )
        found = await self._examination.measured(
            name, prompts, {one: joined(prompts, [part[one] for part in parts]) for one in parts[0]}
        )
        self._keep(found)
        return found

    def _keep(self, evaluation: Evaluation) -> None:
        write_whole(self._path(evaluation.model), evaluation.model_dump_json() + "\n")

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
