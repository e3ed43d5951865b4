"""A model measured in this process, without a job: the same engine, rewards and counts."""

import asyncio
from pathlib import Path

from rkd_online.evaluation.record import Evaluation
from rkd_online.run.examination import Examination, Watch
from rkd_online.run.prepare import prepare
from rkd_online.run.prompts import PromptStream
from rkd_online.run.workers import build_generator, build_scorer
from rkd_online.spec.job import JobSpec
from rkd_online.types import Split

ATTEMPT = 0
"""Of a job that takes no step, attempts count from 1."""


def evaluate_model(spec: JobSpec, name: str, split: Split, watch: Watch) -> Evaluation:
    """The policy of ``spec``, under ``name``, on the first prompts of a split."""
    return asyncio.run(_evaluate(spec, name, split, watch))


async def _evaluate(spec: JobSpec, name: str, split: Split, watch: Watch) -> Evaluation:
    setup = prepare(Path(name), ATTEMPT, spec, "file")
    prompts = PromptStream(setup).held_out(split, spec.evaluation.prompts)
    (course,) = spec.courses
    scorer = build_scorer(setup, course)
    try:
        generator = build_generator(setup, setup.policy)
        try:
            return await Examination(setup, scorer).evaluation(
                name,
                prompts,
                generator,
                decodings=spec.evaluation.decoding,
                samples=spec.evaluation.samples,
                watch=watch,
            )
        finally:
            await generator.close()
    finally:
        await scorer.close()
