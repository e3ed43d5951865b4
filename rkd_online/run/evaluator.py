"""Evaluations of a run: on the validation split between steps, on the test split for the report."""

from collections.abc import Sequence
from pathlib import Path

from rkd_online.evaluation.evaluate import Answers, EvaluationResult, evaluate, measure
from rkd_online.evaluation.measurement import Measurement
from rkd_online.evaluation.requests import greedy, temperature_one
from rkd_online.generation.seeds import sample_seed
from rkd_online.run.pools import Judge
from rkd_online.run.prompts import PromptStream
from rkd_online.run.records import write_whole
from rkd_online.spec.job import JobSpec
from rkd_online.types import SamplingRequest


class Evaluator:
    """Asks held-out prompts. What was measured once is kept and not measured again on resume."""

    def __init__(
        self, spec: JobSpec, prompts: PromptStream, scorer: Judge, policy: Answers, folder: Path
    ) -> None:
        self._spec = spec
        self._prompts = prompts
        self._scorer = scorer
        self._policy = policy
        self._folder = folder

    async def validate(self) -> dict[str, float]:
        """pass@1 of the policy as it is on the validation split, one sample per prompt."""
        requests = temperature_one(
            self._prompts.held_out("validation", self._spec.evaluation.every_prompts),
            samples=1,
            max_new_tokens=self._spec.rollout.max_new_tokens,
            seed=self._spec.seed,
            sample_seed=sample_seed,
        )
        result = await self._evaluate(self._policy, requests)
        return {"validation/pass_at_1": float(result.correct.mean())}

    def known(self, name: str) -> Measurement:
        """What an earlier ``measured`` kept, in this attempt or one before."""
        return Measurement.model_validate_json((self._folder / f"{name}.json").read_bytes())

    async def measured(self, name: str, answers: Answers) -> Measurement:
        """One model's part of the report, on the test split."""
        path = self._folder / f"{name}.json"
        if path.exists():
            return self.known(name)
        prompts = self._prompts.held_out("test", self._spec.evaluation.prompts)
        longest = self._spec.rollout.max_new_tokens
        sampled = temperature_one(
            prompts,
            samples=self._spec.evaluation.samples,
            max_new_tokens=longest,
            seed=self._spec.seed,
            sample_seed=sample_seed,
        )
        measurement = measure(
            await self._evaluate(answers, sampled),
            await self._evaluate(answers, greedy(prompts, max_new_tokens=longest)),
        )
        write_whole(path, measurement.model_dump_json(indent=2) + "\n")
        return measurement

    async def _evaluate(
        self, answers: Answers, requests: Sequence[SamplingRequest]
    ) -> EvaluationResult:
        return await evaluate(
            answers,
            self._scorer,
            requests,
            correct_at=self._spec.correct_at,
            timeout_seconds=self._spec.evaluation.timeout_seconds,
        )
