"""A model's judged samples of training prompts, collected into a store without a job.

Prompts are asked in waves; each wave becomes a shard of the store. A collection that was cut goes
on with the first wave that has none.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import pyarrow as pa
from pyarrow import parquet

from rkd_online.errors import RecordError
from rkd_online.evaluation.evaluate import evaluate
from rkd_online.files import whole
from rkd_online.generation.seeds import sample_seed
from rkd_online.models.tokenizer import decoder, load_tokenizer, tokenizer_digest
from rkd_online.run.collection_folder import ASKED
from rkd_online.run.prepare import prepare
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.run.setup_record import package_versions
from rkd_online.run.workers import build_generator, build_scorer
from rkd_online.spec.job import JobSpec
from rkd_online.spec.store_files import StoreManifest
from rkd_online.store.card import write_card
from rkd_online.store.columns import store_table
from rkd_online.store.record import record_table
from rkd_online.store.rows import rollout_columns
from rkd_online.store.writer import shard_path
from rkd_online.types import PromptItem, SamplingRequest, ScoredGroup

Watch: TypeAlias = Callable[[int, int], object]
"""Hears how many prompts were answered, and how many there are."""

ATTEMPT: Final = 0
"""Of a job that takes no step, attempts count from 1."""
WAVE: Final = 1024
"""Completions of one wave, and rows of one shard; at least one prompt's."""


@dataclass(frozen=True, slots=True)
class Wave:
    """Some of the prompts, and where their samples go."""

    shard: Path
    requests: tuple[SamplingRequest, ...]


def collect(
    spec: JobSpec, name: str, place: Path, watch: Watch, *, wave: int = WAVE
) -> StoreManifest:
    """Sample ``evaluation.samples`` completions of the policy to each of the first
    ``evaluation.prompts`` training prompts, at ``rollout.temperature``, into a store at ``place``,
    a folder that ``begin`` took."""
    return asyncio.run(_collect(spec, name, place, watch, wave))


async def _collect(spec: JobSpec, name: str, place: Path, watch: Watch, wave: int) -> StoreManifest:
    setup = prepare(Path(name), ATTEMPT, spec, "file")
    prompts = PromptStream(setup).held_out("train", spec.evaluation.prompts)
    waves = _waves(spec, prompts, place, max(1, wave // spec.evaluation.samples))
    missing = [one for one in waves if not one.shard.is_file()]
    done = len(prompts) - sum(len(one.requests) for one in missing)
    watch(done, len(prompts))
    if missing:
        await _ask(setup, missing, lambda answered: watch(done + answered, len(prompts)))
    tasks = dict.fromkeys(prompt.task for prompt in prompts)
    manifest = _manifest(setup, " + ".join(tasks), waves)
    write_card(place, manifest)
    (place / ASKED).unlink()
    return manifest


def _waves(spec: JobSpec, prompts: Sequence[PromptItem], place: Path, size: int) -> list[Wave]:
    """All of a collection: a function of what is asked, so that it can be gone on with."""
    requests = [_request(spec, number, prompt) for number, prompt in enumerate(prompts)]
    return [
        Wave(shard_path(place, first // size), tuple(requests[first : first + size]))
        for first in range(0, len(requests), size)
    ]


def _request(spec: JobSpec, number: int, prompt: PromptItem) -> SamplingRequest:
    return SamplingRequest(
        group_id=number,
        prompt=prompt,
        seeds=tuple(
            sample_seed(spec.seed, "collect", prompt.index, sample)
            for sample in range(spec.evaluation.samples)
        ),
        temperature=spec.rollout.temperature,
        top_p=1.0,
        max_new_tokens=spec.rollout.max_new_tokens,
    )


async def _ask(setup: JobSetup, waves: Sequence[Wave], watch: Callable[[int], object]) -> None:
    """One wave after the other, each written when all of it is judged."""
    spec = setup.spec
    decode = decoder(load_tokenizer(setup.policy))
    (course,) = spec.courses
    scorer = build_scorer(setup, course)
    try:
        generator = build_generator(setup, setup.policy)
        try:
            before = 0
            for wave in waves:
                answered = await evaluate(
                    generator,
                    scorer,
                    wave.requests,
                    timeout_seconds=spec.evaluation.timeout_seconds,
                    on_group=partial(_counted, watch, before),
                )
                before += len(wave.requests)
                groups = [_taught(group) for group in answered.groups]
                rows = record_table(rollout_columns(groups))
                table = store_table(rows, step=0, correct_at=spec.correct_at, decode=decode)
                await asyncio.to_thread(_write, wave.shard, table)
        finally:
            await generator.close()
    finally:
        await scorer.close()


def _counted(watch: Callable[[int], object], before: int, answered: int) -> None:
    """Tell how many prompts were answered, those of earlier waves included."""
    watch(before + answered)


def _taught(group: ScoredGroup) -> ScoredGroup:
    """The model is its own teacher: what it sampled with is what it thinks of each token."""
    rollouts = tuple(
        replace(one, teacher_logprobs=one.rollout.sampler_logprobs) for one in group.rollouts
    )
    return replace(group, rollouts=rollouts)


def _write(path: Path, table: pa.Table) -> None:
    """A shard that is there is whole."""
    try:
        with whole(path) as partial:
            parquet.write_table(table, partial, compression="zstd")
    except OSError as error:
        raise RecordError(
            f"cannot write {path}: {error.strerror}; make room there, then give the same command "
            "again"
        ) from error


def _manifest(setup: JobSetup, task: str, waves: Sequence[Wave]) -> StoreManifest:
    spec = setup.spec
    groups = sum(len(wave.requests) for wave in waves)
    return StoreManifest(
        source=spec.policy.model,
        task=task,
        sampled_by=spec.policy.model,
        judged_by=spec.policy.model,
        tokenizer=tokenizer_digest(load_tokenizer(setup.policy)),
        end_token_ids=setup.end_token_ids,
        correct_at=spec.correct_at,
        groups=groups,
        rows=groups * spec.evaluation.samples,
        versions=package_versions(),
        created=datetime.now(UTC),
    )
