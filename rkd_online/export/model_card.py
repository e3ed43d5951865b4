"""The card of an exported checkpoint: ``README.md`` as the Hugging Face hub reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from huggingface_hub import EvalResult, ModelCardData

from rkd_online.evaluation.measurement import Estimate, Measurement
from rkd_online.export.measured import Measured
from rkd_online.spec.decoding import DISTRIBUTIONS
from rkd_online.spec.job import JobSpec
from rkd_online.spec.references import is_hub_reference, parse_hub_reference
from rkd_online.spec.task import ChatPrompt, ReasoningGymTask

TEMPLATE: Final = """\
---
{front}
---

# {name}

{policy}, trained by `{algorithm}`{teacher}: the weights after step {step} of {steps}.

## Use

{use}

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForCausalLM.from_pretrained(FOLDER)
```

vLLM takes the folder as it is: `vllm serve FOLDER`.

## Results

{results}

## Data

```yaml
{data}```

## Method

```yaml
{method}```

## Provenance

| | |
|---|---|
{provenance}
"""
DATA: Final = ("task", "prompt", "rewards", "correct_at")
METHOD: Final = ("algorithm", "phases", "rollout", "optimizer", "precision")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a checkpoint comes from."""

    job: str
    step: int
    spec: JobSpec
    spec_digest: str
    versions: Mapping[str, str]


def model_card(origin: Origin, found: Measured | None, *, template: str) -> str:
    """The whole page. ``template`` says what the folder's chat template does."""
    spec = origin.spec
    return TEMPLATE.format(
        front=_front(origin, found).to_yaml(),
        name=spec.name,
        policy=_model(spec.policy.model),
        algorithm=algorithm_words(spec),
        teacher=_taught_by([_model(one.model) for one in spec.teachers.values()]),
        step=origin.step,
        steps=spec.steps,
        use=_use(spec, template),
        results="\n".join(_results(found)),
        data=_yaml(spec, DATA),
        method=_yaml(spec, METHOD),
        provenance="\n".join(f"| {name} | {value} |" for name, value in _provenance(origin)),
    )


def _taught_by(models: Sequence[str]) -> str:
    if len(models) > 1:
        return f" with {', '.join(models)} as its teachers"
    return f" with {models[0]} as its teacher" if models else ""


def algorithm_words(spec: JobSpec) -> str:
    """The type of the algorithm, or of those of the phases in turn."""
    return " then ".join(phase.algorithm.type for phase in spec.phases_in_turn)


def task_name(spec: JobSpec) -> str:
    """The task as a data set's identifier."""
    if isinstance(spec.task, ReasoningGymTask):
        return f"{spec.task.type}/{spec.task.dataset}"
    return spec.task.type


def _front(origin: Origin, found: Measured | None) -> ModelCardData:
    spec = origin.spec
    methods = dict.fromkeys(phase.algorithm.type for phase in spec.phases_in_turn)
    return ModelCardData(
        base_model=_hub_name(spec.policy.model),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["rkd-online", "distillation", *methods],
        model_name=spec.name,
        eval_results=None if found is None else list(_eval_results(spec, found)),
    )


def _eval_results(spec: JobSpec, found: Measured) -> Iterator[EvalResult]:
    """pass@k of the checkpoint by every decoding."""
    asked = found.own.asked
    for decoding, one in found.own.decodings.items():
        for k, estimate in one.measurement.pass_at_k.items():
            yield EvalResult(
                task_type="text-generation",
                dataset_type=task_name(spec),
                dataset_name=asked.task,
                dataset_split=asked.split,
                metric_type=f"pass@{k}",
                metric_name=f"pass@{k}, {DISTRIBUTIONS[decoding].words}",
                metric_value=round(estimate.value, 6),
                metric_args={"low": estimate.low, "high": estimate.high, "prompts": estimate.n},
            )


def _hub_name(reference: str) -> str | None:
    return parse_hub_reference(reference).name if is_hub_reference(reference) else None


def _model(reference: str) -> str:
    if (name := _hub_name(reference)) is not None:
        return f"[{name}](https://huggingface.co/{name})"
    return f"`{reference}`"


def _use(spec: JobSpec, template: str) -> str:
    if not isinstance(spec.prompt, ChatPrompt):
        return f"The job asked plain text, without a chat. {template}"
    words = ["The job asked through the tokenizer's own chat template, one user message each time."]
    if spec.prompt.system is not None:
        words.append("Its system message, which belongs before each question, stands under Data.")
    if spec.prompt.thinking is not None:
        words.append(f"It set `enable_thinking={spec.prompt.thinking}`.")
    return " ".join(words)


def _results(found: Measured | None) -> Iterator[str]:
    """A table by decoding: models down, measures across."""
    if found is None:
        yield "These weights were not evaluated."
        return
    asked = found.own.asked
    yield (
        f"{asked.task}, {len(found.own.prompts)} prompts of the {asked.split} split, answers of at "
        f"most {asked.max_new_tokens:,} tokens. In brackets 95 % intervals, bootstrap by prompt."
    )
    for decoding in found.own.decodings:
        rows = found.rows(decoding)
        ks = list(next(iter(rows.values())).pass_at_k)
        head = [DISTRIBUTIONS[decoding].words, *(f"pass@{k}" for k in ks), "tokens", "cut off"]
        yield ""
        yield f"| {' | '.join(head)} |"
        yield "|---" * len(head) + "|"
        for name, one in rows.items():
            yield f"| {' | '.join([name, *_cells(one, ks)])} |"


def _cells(one: Measurement, ks: list[int]) -> Iterator[str]:
    for k in ks:
        yield _interval(one.pass_at_k[k], 3) if k in one.pass_at_k else "-"
    yield _interval(one.tokens.mean, 1)
    yield _interval(one.truncated_share, 3)


def _interval(estimate: Estimate, digits: int) -> str:
    value, low, high = (
        f"{number:.{digits}f}" for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"


def _yaml(spec: JobSpec, fields: tuple[str, ...]) -> str:
    data: dict[str, Any] = spec.model_dump(mode="json", include=set(fields), exclude_none=True)
    chosen = {name: data[name] for name in fields if data.get(name)}
    return str(yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True))


def _provenance(origin: Origin) -> Iterator[tuple[str, str]]:
    spec = origin.spec
    yield "job", f"`{origin.job}`"
    yield "step", f"{origin.step} of {spec.steps}"
    yield "policy", _model(spec.policy.model) + _revision(spec.policy.model)
    for teacher in spec.teachers.values():
        yield "teacher", _model(teacher.model) + _revision(teacher.model)
    yield "seed", str(spec.seed)
    yield "spec (SHA-256)", f"`{origin.spec_digest}`"
    yield "versions", ", ".join(f"{name} {one}" for name, one in sorted(origin.versions.items()))


def _revision(reference: str) -> str:
    if not is_hub_reference(reference):
        return ""
    return f" at `{parse_hub_reference(reference).revision}`"
