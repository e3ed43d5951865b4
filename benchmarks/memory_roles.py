"""One role of a job in this process, and the memory that it takes: ``python -m
benchmarks.memory_roles ROLE SPEC`` prints the bytes of the process before it has a model, and the
most since then. The role ``mapped`` is a learner whose large blocks are mapped one by one; for
``tensors`` it is 0, and the most that the tensors of a learner take."""

import asyncio
import ctypes
import json
import random
import sys
from itertools import accumulate
from pathlib import Path
from unittest.mock import patch

from rkd_online.inference.environment import prepare_engine_process
from rkd_online.spec.job import JobSpec
from rkd_online.spec.references import resolve_model
from rkd_online.types import (
    ALONE,
    PromptItem,
    SamplingRequest,
    TokenIds,
    TrainingBatch,
    TrainingRow,
    logprobs,
    token_ids,
)

TOKENS = 250
"""Ids that every model has."""
RESETS_PEAK = "5"
MMAP_THRESHOLD, MAPPED_BYTES = -3, 512 << 10
"""The GNU allocator's parameter, and from which size of a block."""


def main() -> None:
    """Measure a role."""
    prepare_engine_process("cpu")
    role, spec = sys.argv[1], JobSpec.model_validate_json(Path(sys.argv[2]).read_text())
    roles = {
        "learner": _learner,
        "tensors": _tensors,
        "mapped": _mapped,
        "scorer": _scorer,
        "generator": _generator,
    }
    print(json.dumps(roles[role](spec)))


def _tensors(spec: JobSpec) -> tuple[int, int]:
    """By torch's own account of what it takes and gives back, files of weights included."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        _learner(spec)
    events = [one for one in seen.profiler.kineto_results.events() if one.name() == "[memory]"]
    sizes = (one.nbytes() for one in sorted(events, key=lambda one: one.start_ns()))
    return 0, max(accumulate(sizes))


def _mapped(spec: JobSpec) -> tuple[int, int]:
    """With blocks that go back to the system when they are freed, at the price of their pages."""
    with patch("rkd_online.learning.learner.keep_freed_memory"):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, MAPPED_BYTES)
        return _learner(spec)


def _learner(spec: JobSpec) -> tuple[int, int]:
    from rkd_online.learning.learner import PolicyLearner
    from rkd_online.learning.ranks import Ranks

    before = _begin()
    learner = PolicyLearner(
        resolve_model(spec.policy.model),
        phases=spec.phases_in_turn,
        optimizer=spec.optimizer,
        total_steps=spec.steps,
        device="cpu",
        threads=1,
        precision=spec.precision.learner,
        ranks=Ranks(ALONE, device="cpu", timeout_seconds=60.0),
    )
    for step in range(1, spec.steps + 1):
        learner.update(TrainingBatch(step, _rows(spec), spec.rollout.temperature, step - 1))
    return before, _most()


def _scorer(spec: JobSpec) -> tuple[int, int]:
    import rkd_online.models.completion_model  # noqa: F401
    from rkd_online.scoring.teacher import TransformersTeacher

    before = _begin()
    assert spec.teacher is not None
    teacher = TransformersTeacher(
        resolve_model(spec.teacher.model),
        temperature=spec.rollout.temperature,
        device="cpu",
        threads=1,
        precision=spec.precision.scorer,
    )
    completions = [_tokens(spec.rollout.max_new_tokens) for _ in range(spec.rollout.group_size)]

    async def score() -> None:
        for _ in range(spec.rollout.prompts_per_step):
            await teacher.completion_logprobs(_tokens(spec.rollout.max_prompt_tokens), completions)
        await teacher.close()

    asyncio.run(score())
    return before, _most()


def _generator(spec: JobSpec) -> tuple[int, int]:
    import rkd_online.inference.build  # noqa: F401
    from rkd_online.generation.generator import PolicyGenerator
    from rkd_online.inference.settings import EngineSettings

    before, resources = _begin(), spec.resources.generator
    rollout = spec.rollout
    settings = EngineSettings(
        model=resolve_model(spec.policy.model),
        end_token_ids=(1,),
        context_length=rollout.max_prompt_tokens + rollout.max_new_tokens,
        max_sequences=resources.max_sequences,
        kv_cache_bytes=resources.kv_cache_mib << 20,
        device="cpu",
        precision=spec.precision.generator,
        tensor_parallel=1,
        threads=1,
        transfer="file",
        kv_on_update="recompute",
        start_seconds=300.0,
    )

    async def sample() -> None:
        generator = PolicyGenerator(settings, _tokens(8))
        async for _ in generator.sample(
            [_request(spec, group) for group in range(rollout.prompts_per_step)]
        ):
            pass
        await generator.close()

    asyncio.run(sample())
    return before, _most()


def _request(spec: JobSpec, group: int) -> SamplingRequest:
    prompt = PromptItem(
        id=str(group),
        split="train",
        index=group,
        token_ids=_tokens(spec.rollout.max_prompt_tokens),
        answer="",
        task="plan",
        difficulty="",
    )
    seeds = tuple(range(spec.rollout.group_size))
    return SamplingRequest(group, prompt, seeds, 1.0, 1.0, spec.rollout.max_new_tokens)


def _rows(spec: JobSpec) -> tuple[TrainingRow, ...]:
    rollout = spec.rollout
    rows = []
    for group in range(rollout.prompts_per_step):
        prompt = _tokens(rollout.max_prompt_tokens)
        rows += [
            _row(group, index, prompt, rollout.max_new_tokens)
            for index in range(rollout.group_size)
        ]
    return tuple(rows)


def _row(group: int, index: int, prompt: TokenIds, tokens: int) -> TrainingRow:
    streams = logprobs(random.uniform(-6, -4) for _ in range(tokens))
    return TrainingRow(group, index, prompt, _tokens(tokens), streams, streams, 1.0, True, False)


def _tokens(count: int) -> TokenIds:
    return token_ids(random.randrange(2, TOKENS) for _ in range(count))


def _begin() -> int:
    """Bytes that this process holds, with Ray as an actor has it; its peak is counted from here."""
    import torch

    import rkd_online.cluster.actors  # noqa: F401

    torch.ones(64, 64) @ torch.ones(64, 64)
    Path("/proc/self/clear_refs").write_text(RESETS_PEAK)
    return _status("VmRSS")


def _most() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(kib) * 1024


if __name__ == "__main__":
    main()
