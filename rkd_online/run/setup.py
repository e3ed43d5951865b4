"""What the start of an attempt finds out once and hands to every worker."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from rkd_online.inference.settings import EngineSettings
from rkd_online.models.load import context_length, resolve_for_run, vocabulary_size
from rkd_online.models.tokenizer import check_same_tokenizer, end_token_ids, load_tokenizer
from rkd_online.spec.check import check_models, check_spec, references
from rkd_online.spec.job import JobSpec
from rkd_online.spec.references import is_hub_reference
from rkd_online.types import TokenIds
from rkd_online.weights.probe import probe_ids
from rkd_online.weights.transfer import Transfer

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class JobSetup:
    """A job with its models found and checked. Picklable; the same for all workers."""

    job: str
    attempt: int
    spec: JobSpec
    policy: Path
    teacher: Path | None
    end_token_ids: tuple[int, ...]
    context_length: int
    """Longest sequence of the job, in tokens: what it asks for, or what its models take."""
    probe_ids: TokenIds
    weights_folder: Path
    transfer: Transfer

    def engine_settings(self, model: Path) -> EngineSettings:
        """An engine that samples ``model``, the policy or the teacher."""
        resources = self.spec.resources
        return EngineSettings(
            model=model,
            end_token_ids=self.end_token_ids,
            context_length=self.context_length,
            max_sequences=resources.generator.max_sequences,
            kv_cache_bytes=resources.generator.kv_cache_mib << 20,
            device=resources.device,
            transfer=self.transfer,
            start_seconds=resources.timeout_seconds,
        )


def prepare(run: Path, attempt: int, spec: JobSpec, transfer: Transfer) -> JobSetup:
    """Find both models, compare their tokenizers as transformers loads them, fix the probe.

    ``transfer`` is the way of the weights from the learner to the generators. Raises SpecError or
    ModelError for whatever does not fit, before any worker starts.
    """
    check_spec(spec)
    policy = resolve_for_run(spec.policy.model)
    folders = {"policy": policy}
    if spec.teacher is not None:
        folders["teacher"] = resolve_for_run(spec.teacher.model)
    if any(map(is_hub_reference, references(spec).values())):
        check_models(spec, folders)
    models = list(folders.values())
    tokenizers = [load_tokenizer(model) for model in models]
    if len(models) == 2:
        check_same_tokenizer(*tokenizers, chat=spec.prompt.type == "chat")
    longest = spec.rollout.max_prompt_tokens + spec.rollout.max_new_tokens
    context = min(longest, *(context_length(model) for model in models))
    ends = {
        end
        for model, tokenizer in zip(models, tokenizers, strict=True)
        for end in end_token_ids(model, tokenizer)
    }
    return JobSetup(
        job=run.name,
        attempt=attempt,
        spec=spec,
        policy=policy,
        teacher=folders.get("teacher"),
        end_token_ids=tuple(sorted(ends)),
        context_length=context,
        probe_ids=probe_ids(vocabulary_size(policy), context),
        weights_folder=weights_folder(run),
        transfer=transfer,
    )


def weights_folder(run: Path) -> Path:
    """Where the versions of the run in folder ``run`` lie: in memory, and no other run's."""
    place = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:12]
    return SHARED_MEMORY / f"rkd-{os.getuid()}" / f"{run.name}-{place}"
