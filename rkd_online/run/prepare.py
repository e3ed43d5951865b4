"""The start of an attempt: all models found and compared, once, for all workers."""

from pathlib import Path

from rkd_online.errors import SpecError
from rkd_online.models.folder import (
    check_architecture,
    context_length,
    resolve_for_run,
    vocabulary_size,
)
from rkd_online.models.tokenizer import (
    Tokenizer,
    check_same_tokenizer,
    end_token_ids,
    load_tokenizer,
    tokenizer_digest,
)
from rkd_online.run.setup import JobSetup, weights_folder
from rkd_online.spec.check import check_models, check_spec, references
from rkd_online.spec.job import JobSpec
from rkd_online.spec.references import is_hub_reference
from rkd_online.spec.store_files import read_store_manifest
from rkd_online.spec.training import StoreSource
from rkd_online.weights.probe import probe_ids
from rkd_online.weights.transfer import Transfer


def prepare(run: Path, attempt: int, spec: JobSpec, transfer: Transfer) -> JobSetup:
    """Find all models, compare their tokenizers as transformers loads them, fix the probe.

    ``transfer`` is the way of the weights from the learner to the generators. Raises SpecError or
    ModelError for whatever does not fit, before any worker starts.
    """
    check_spec(spec)
    folders = {role: resolve_for_run(model) for role, model in references(spec).items()}
    if any(map(is_hub_reference, references(spec).values())):
        check_models(spec, folders)
    policy, *teachers = models = list(folders.values())
    for model in models:
        check_architecture(model)
    tokenizers = [load_tokenizer(model) for model in models]
    for tokenizer in tokenizers[1:]:
        check_same_tokenizer(tokenizers[0], tokenizer, chat=spec.prompt.type == "chat")
    stored = _stored_end_tokens(spec, tokenizers[0])
    longest = spec.rollout.max_prompt_tokens + spec.rollout.max_new_tokens
    context = min(longest, *(context_length(model) for model in models))
    ends = {
        end
        for model, tokenizer in zip(models, tokenizers, strict=True)
        for end in end_token_ids(model, tokenizer)
    }
    ends.update(stored)
    return JobSetup(
        job=run.name,
        attempt=attempt,
        spec=spec,
        policy=policy,
        teachers=dict(zip(spec.teachers, teachers, strict=True)),
        end_token_ids=tuple(sorted(ends)),
        context_length=context,
        probe_ids=probe_ids(vocabulary_size(policy), context),
        weights_folder=weights_folder(run),
        transfer=transfer,
    )


def _stored_end_tokens(spec: JobSpec, policy: Tokenizer) -> tuple[int, ...]:
    """The tokens that end the samples of the job's store, if it learns from one.

    Raises SpecError where the store's token ids mean something else to the policy.
    """
    source = spec.rollout.source
    if not isinstance(source, StoreSource):
        return ()
    store, own = read_store_manifest(source.path), tokenizer_digest(policy)
    if store.tokenizer != own:
        raise SpecError(
            f"rollout.source.path {source.path}: its tokens are of {store.sampled_by}, whose "
            f"tokenizer has the digest {store.tokenizer}, the policy's has {own}: collect samples "
            "of a model with the policy's tokenizer"
        )
    return store.end_token_ids
