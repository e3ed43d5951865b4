"""One model asked held-out prompts, and its answers measured."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from rkd_online.evaluation.count import count
from rkd_online.evaluation.evaluate import Answered, Answers, evaluate
from rkd_online.evaluation.measure import measure
from rkd_online.evaluation.reading import Reader, Reading
from rkd_online.evaluation.record import Asked, Decoded, Evaluation
from rkd_online.evaluation.requests import evaluation_requests
from rkd_online.generation.seeds import sample_seed
from rkd_online.models.tokenizer import decoder, load_tokenizer
from rkd_online.run.pools import Judge
from rkd_online.run.setup import JobSetup
from rkd_online.spec.decoding import Decoding
from rkd_online.spec.job import JobSpec
from rkd_online.spec.task import extractor_of
from rkd_online.tasks.extract import extract
from rkd_online.types import PromptItem, TokenIds

Watch: TypeAlias = Callable[[Decoding, int, int], object]
"""Hears how many prompts a model has answered by a decoding, and how many there are."""


class Examination:
    """Asks models held-out prompts, and measures their answers."""

    def __init__(self, setup: JobSetup, judge: Judge) -> None:
        self._setup = setup
        self._judge = judge
        decode = decoder(load_tokenizer(setup.policy))
        self._readers = {
            part.name: Reader(
                decode, partial(extract, extractor_of(part.rewards)), setup.end_token_ids
            )
            for part in setup.spec.parts
        }

    async def evaluation(
        self,
        model: str,
        prompts: Sequence[PromptItem],
        answers: Answers,
        *,
        decodings: Sequence[Decoding],
        samples: int,
        watch: Watch = lambda decoding, answered, prompts: None,
    ) -> Evaluation:
        """The model, under that name, on all prompts by every decoding."""
        answered = await self.answered(
            prompts, answers, decodings=decodings, samples=samples, watch=watch
        )
        return await self.measured(model, prompts, answered)

    async def answered(
        self,
        prompts: Sequence[PromptItem],
        answers: Answers,
        *,
        decodings: Sequence[Decoding],
        samples: int,
        watch: Watch = lambda decoding, answered, prompts: None,
    ) -> dict[Decoding, Answered]:
        """What a model answers to all prompts by every decoding, judged."""
        return {
            decoding: await self._answered(prompts, answers, decoding, samples, watch)
            for decoding in decodings
        }

    async def measured(
        self, model: str, prompts: Sequence[PromptItem], answered: Mapping[Decoding, Answered]
    ) -> Evaluation:
        """The answers to all prompts as those of a model of that name."""
        # Texts are read and intervals drawn for seconds where answers are many and long.
        found = {
            decoding: await asyncio.to_thread(self._decoded, one)
            for decoding, one in answered.items()
        }
        return Evaluation(
            model=model,
            asked=_asked(self._setup.spec, prompts),
            prompts=tuple(prompt.id for prompt in prompts),
            tasks=tuple(prompt.task for prompt in prompts),
            difficulties=tuple(prompt.difficulty for prompt in prompts),
            decodings=found,
        )

    async def _answered(
        self,
        prompts: Sequence[PromptItem],
        answers: Answers,
        decoding: Decoding,
        samples: int,
        watch: Watch,
    ) -> Answered:
        spec = self._setup.spec
        requests = evaluation_requests(
            prompts,
            decoding,
            samples=samples,
            max_new_tokens=spec.rollout.max_new_tokens,
            seed=spec.seed,
            sample_seed=sample_seed,
        )
        return await evaluate(
            answers,
            self._judge,
            requests,
            timeout_seconds=spec.evaluation.timeout_seconds,
            on_group=lambda answered: watch(decoding, answered, len(prompts)),
        )

    def _decoded(self, answered: Answered) -> Decoded:
        groups = answered.groups
        rollouts = [one.rollout for group in groups for one in group.rollouts]
        tally = count(groups, self._read, correct_at=self._setup.spec.correct_at)
        measurement = measure(
            tally,
            [group.prompt.task for group in groups],
            [group.prompt.difficulty for group in groups],
            [len(rollout.completion_ids) for rollout in rollouts],
            seconds=answered.seconds,
        )
        versions = [span.version for rollout in rollouts for span in rollout.version_spans]
        return Decoded(
            weight_version=max(versions, default=0), measurement=measurement, tally=tally
        )

    def _read(self, task: str, completion_ids: TokenIds) -> Reading:
        """A completion as the verifier of its task reads it."""
        return self._readers[self._setup.spec.part(task).name](completion_ids)


def _asked(spec: JobSpec, prompts: Sequence[PromptItem]) -> Asked:
    tasks = list(dict.fromkeys(prompt.task for prompt in prompts))
    return Asked(
        task=" + ".join(tasks),
        split=prompts[0].split,
        prompt=spec.prompt,
        max_new_tokens=spec.rollout.max_new_tokens,
        extractors={task: extractor_of(spec.part(task).rewards) for task in tasks},
        correct_at=spec.correct_at,
        seed=spec.seed,
    )
