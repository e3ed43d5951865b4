"""Evaluations of a run: on the validation split between steps, on the test split for the report."""

from pathlib import Path

from rkd_online.evaluation.evaluate import Answers
from rkd_online.evaluation.record import Evaluation, read_evaluation
from rkd_online.run.examination import Examination
from rkd_online.run.pools import Judge
from rkd_online.run.prompts import PromptStream
from rkd_online.run.records import write_whole
from rkd_online.run.setup import JobSetup


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
        name = f"validation-{decoded.weight_version:06d}"
        self._keep(found.model_copy(update={"model": name}))
        tasks = decoded.measurement.by_task if self._spec.mixed else {}
        parts = {f"validation/pass_at_1/{name}": one[1].value for name, one in tasks.items()}
        return parts | {"validation/pass_at_1": decoded.measurement.pass_at_1.value}

    def known(self, name: str) -> Evaluation:
        """What an earlier ``measured`` kept, in this attempt or one before."""
        return read_evaluation(self._folder / f"{name}.json")

    async def measured(self, name: str, answers: Answers) -> Evaluation:
        """One model's part of the report, on the test split."""
        path = self._folder / f"{name}.json"
        if path.exists():
            return self.known(name)
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

    def _keep(self, evaluation: Evaluation) -> None:
        path = self._folder / f"{evaluation.model}.json"
        write_whole(path, evaluation.model_dump_json() + "\n")
