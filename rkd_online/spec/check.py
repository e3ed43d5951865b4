"""What can be known of a job before anything heavy is loaded."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rkd_online.errors import ModelError, RecordError, SpecError
from rkd_online.spec.check_task import reward_problems, task_problems
from rkd_online.spec.job import JobSpec
from rkd_online.spec.model_files import BYTES, ModelFiles
from rkd_online.spec.model_folder import read_model_folder
from rkd_online.spec.references import (
    is_hub_reference,
    parse_hub_reference,
    resolve_model,
)
from rkd_online.spec.store_files import read_store_manifest
from rkd_online.spec.task import ChatPrompt, Prompt
from rkd_online.spec.tokenizer_files import TokenizerFiles, differences
from rkd_online.spec.training import StoreSource


def check_spec(spec: JobSpec) -> None:
    """Raise one SpecError that lists all that is wrong, one line each, led by the field's path.

    Models of the hub are looked at by ``check_models``, when the start of a run has fetched them.
    """
    folders: dict[str, Path] = {}
    problems: list[str] = []
    for role, reference in references(spec).items():
        try:
            if is_hub_reference(reference):
                parse_hub_reference(reference)
            else:
                folders[role] = resolve_model(reference)
        except (ModelError, SpecError) as error:
            problems.append(f"{role}.model: {error}")
    problems += [*_model_problems(spec, folders), *task_problems(spec.task), *reward_problems(spec)]
    problems += _store_problems(spec)
    _refuse(problems)


def _store_problems(spec: JobSpec) -> Iterator[str]:
    """Whose tokens they are is compared at the start of a run, with the tokenizer loaded."""
    source = spec.rollout.source
    if not isinstance(source, StoreSource):
        return
    if not source.path.is_absolute():
        yield f"rollout.source.path: {source.path} is a relative path: give an absolute one"
        return
    try:
        read_store_manifest(source.path)
    except RecordError as error:
        yield f"rollout.source.path: {error}"


def check_models(spec: JobSpec, folders: Mapping[str, Path]) -> None:
    """Raise the same for models in the given folders, by the names of ``references``."""
    _refuse(list(_model_problems(spec, folders)))


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise SpecError("\n".join(problems))


def references(spec: JobSpec) -> dict[str, str]:
    """The models that a job names: ``policy``, and each teacher by its field."""
    teachers = {field: teacher.model for field, teacher in spec.teachers.items()}
    return {"policy": spec.policy.model} | teachers


def _model_problems(spec: JobSpec, folders: Mapping[str, Path]) -> Iterator[str]:
    models: dict[str, ModelFiles] = {}
    tokenizers: dict[str, TokenizerFiles] = {}
    for role, folder in folders.items():
        try:
            read = read_model_folder(folder)
        except (ModelError, SpecError) as error:
            yield f"{role}.model: {error}"
            continue
        models[role] = read.model
        yield from _context_problems(spec, role, read.model)
        yield from _cache_problems(spec, role, read.model)
        if read.tokenizer is not None:
            yield from _vocabulary_problems(role, read.model, read.tokenizer)
            tokenizers[role] = read.tokenizer
    yield from _candidate_problems(spec, models)
    if models.keys() == references(spec).keys():
        yield from _micro_batch_problems(spec, models)
    if "policy" in models:
        for role in (role for role in models if role != "policy"):
            yield from _embedding_problems(role, models, tokenizers)
    if "policy" in tokenizers:
        yield from _template_problems(spec.prompt, tokenizers["policy"])
        for role in (role for role in tokenizers if role != "policy"):
            yield from _tokenizer_problems(spec, role, tokenizers)


def _context_problems(spec: JobSpec, role: str, model: ModelFiles) -> Iterator[str]:
    context, new = model.context_length, spec.rollout.max_new_tokens
    if context is not None and new >= context:
        yield (
            f"rollout.max_new_tokens: {new} leaves no room for a prompt in the {role}'s context of "
            f"{context} tokens: lower it"
        )


def _cache_problems(spec: JobSpec, role: str, model: ModelFiles) -> Iterator[str]:
    """A model in an engine needs room for one sequence of the longest kind, on each of its GPUs."""
    size = spec.resources.generator.kv_cache_mib << 20
    tokens = _longest_sequence(spec, [model])
    per_token, gpus = max(
        (model.kv_bytes_per_token(*one) or 0, one[1]) for one in _engines(spec, role)
    )
    if tokens * per_token > size:
        place = f" on each of {gpus} GPUs" if gpus > 1 else ""
        yield (
            f"resources.generator.kv_cache_mib: {size >> 20}{place} holds {size // per_token:,} "
            f"tokens of the {role}, one sequence may have {tokens:,}: set at least "
            f"{math.ceil(tokens * per_token / 2**20)}, or lower rollout.max_prompt_tokens or "
            "rollout.max_new_tokens"
        )


def _engines(spec: JobSpec, role: str) -> list[tuple[int, int]]:
    """Bytes of a number in the caches that hold a model, and GPUs that it is split over: the
    teacher is measured by a generator, and with the vllm scorer it has an engine of its own."""
    engines = [(BYTES[spec.precision.generator], spec.resources.generator.tensor_parallel)]
    teacher = spec.teachers.get(role)
    if teacher is not None and teacher.scorer.type == "vllm":
        engines.append((BYTES[spec.precision.scorer], teacher.scorer.tensor_parallel))
    return engines


def _longest_sequence(spec: JobSpec, models: Iterable[ModelFiles]) -> int:
    """Tokens that one sequence may have: what the job asks for, or what its models take."""
    asked = spec.rollout.max_prompt_tokens + spec.rollout.max_new_tokens
    return min([asked, *(model.context_length or asked for model in models)])


def _micro_batch_problems(spec: JobSpec, models: Mapping[str, ModelFiles]) -> Iterator[str]:
    """A sequence is never split over forward passes."""
    budget, longest = spec.optimizer.micro_batch_tokens, _longest_sequence(spec, models.values())
    if budget < longest:
        yield (
            f"optimizer.micro_batch_tokens: {budget:,} is below one sequence, which may have "
            f"{longest:,} tokens: set at least {longest}, or lower rollout.max_prompt_tokens or "
            "rollout.max_new_tokens"
        )


def _embedding_problems(
    teacher: str, models: Mapping[str, ModelFiles], tokenizers: Mapping[str, TokenizerFiles]
) -> Iterator[str]:
    """The policy can sample any of its rows, those that no token has included."""
    rows, known = models["policy"].vocabulary_size, models[teacher].vocabulary_size
    sizes = [one.size for role, one in tokenizers.items() if role in ("policy", teacher)]
    if rows > known >= max(sizes, default=0):
        yield (
            f"policy.model: its embedding (vocab_size) has {rows} rows, the {teacher}'s {known}: "
            f"the {teacher} cannot score ids from {known} on; cut the policy's embedding to "
            f"{known} rows or fewer (transformers' resize_token_embeddings)"
        )


def _candidate_problems(spec: JobSpec, models: Mapping[str, ModelFiles]) -> Iterator[str]:
    """No distribution has more tokens than its model has rows."""
    for field, divergence in spec.divergences().items():
        for role, model in models.items():
            if divergence.k > model.vocabulary_size:
                yield (
                    f"{field}.k: {divergence.k} is above the {model.vocabulary_size} tokens of the "
                    f"{role}'s vocabulary: set {model.vocabulary_size} at most"
                )


def _vocabulary_problems(role: str, model: ModelFiles, tokenizer: TokenizerFiles) -> Iterator[str]:
    """An embedding may have more rows than the tokenizer has ids, never fewer."""
    if model.vocabulary_size < tokenizer.size:
        yield (
            f"{role}.model: its tokenizer has ids up to {tokenizer.size - 1}, its embedding "
            f"(vocab_size) only {model.vocabulary_size} rows"
        )


def _template_problems(prompt: Prompt, tokenizer: TokenizerFiles) -> Iterator[str]:
    if not isinstance(prompt, ChatPrompt):
        return
    if tokenizer.chat_template is None:
        yield "prompt.type: 'chat' needs a chat template and the policy has none: use type 'plain'"
    elif prompt.thinking is not None and "enable_thinking" not in tokenizer.chat_template:
        yield "prompt.thinking: the policy's chat template has no enable_thinking: leave it out"


def _tokenizer_problems(
    spec: JobSpec, teacher: str, tokenizers: Mapping[str, TokenizerFiles]
) -> Iterator[str]:
    chat = isinstance(spec.prompt, ChatPrompt)
    for difference in differences(tokenizers["policy"], tokenizers[teacher], chat=chat):
        yield f"{teacher}.model: its tokenizer is not the policy's: {difference}"
