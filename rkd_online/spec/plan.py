"""A job in words: what it would sample, update, measure and keep, and what it takes."""

from collections.abc import Iterator
from typing import Final

from rkd_online.spec.algorithm import reference_of
from rkd_online.spec.decoding import DISTRIBUTIONS, answers_per_prompt
from rkd_online.spec.job import JobSpec
from rkd_online.spec.mixture import Course, Part
from rkd_online.spec.model_files import BYTES, ModelFiles, read_model
from rkd_online.spec.plan_phases import early_stop_words, phase_words
from rkd_online.spec.references import is_hub_reference, resolve_model
from rkd_online.spec.resources import GeneratorResources, WorkerResources
from rkd_online.spec.store_files import read_store_manifest
from rkd_online.spec.task import (
    ChainSumTask,
    ChatPrompt,
    FileTask,
    FormatReward,
    InstalledReward,
    LengthReward,
    OverlongReward,
    Reward,
    Task,
    VerifierReward,
    part_name,
)
from rkd_online.spec.trackers import TensorboardTracker, Tracker
from rkd_online.spec.training import EvaluationSpec, StoreSource

LABEL_WIDTH: Final = 13


def describe_plan(spec: JobSpec) -> str:
    """The plan of a job that ``check_spec`` has passed, one line for each thing."""
    algorithms = " then ".join(phase.algorithm.type for phase in spec.phases_in_turn)
    lines = [f"{spec.name}: {algorithms}, {spec.steps} steps, seed {spec.seed}"]
    for label, texts in _sections(spec):
        marks = [label] + [""] * (len(texts) - 1)
        lines += [f"  {mark:<{LABEL_WIDTH}}{text}" for mark, text in zip(marks, texts, strict=True)]
    return "\n".join(lines)


def _sections(spec: JobSpec) -> Iterator[tuple[str, list[str]]]:
    if spec.phases:
        yield "phases", [phase_words(phase) for phase in spec.phases]
    if stops := early_stop_words(spec.early_stop):
        yield "early stop", stops
    yield "policy", [_model(spec.policy.model)]
    if spec.teachers:
        yield "teacher", [_teacher(course, spec.candidates) for course in spec.courses]
    yield "task", [*map(_part, spec.parts), _prompt(spec)]
    yield "reward", list(_rewards(spec))
    penalties = [reference_of(phase.algorithm).type for phase in spec.phases_in_turn]
    if kinds := [one for one in dict.fromkeys(penalties) if one != "none"]:
        yield "reference", [f"the policy as loaded, kept in the learner for {', '.join(kinds)}"]
    yield "each step", _step(spec)
    yield "optimizer", _optimizer(spec)
    yield "evaluation", _evaluation(spec)
    yield "checkpoints", [_checkpoints(spec)]
    if spec.trackers:
        yield "trackers", list(map(_tracker, spec.trackers))
    yield "actors", _actors(spec)


def _files(reference: str) -> ModelFiles | None:
    return None if is_hub_reference(reference) else read_model(resolve_model(reference))


def _model(reference: str) -> str:
    model = _files(reference)
    if model is None:
        return f"{reference}, fetched when the run starts"
    count = f"{_count(model.parameters)} parameters"
    context = f"context {model.context_length:,}" if model.context_length else "context unknown"
    return f"{reference}, {model.architecture}, {count}, {context}"


def _count(parameters: int) -> str:
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if parameters >= unit:
            return f"{parameters / unit:.2f} {name}"
    return str(parameters)


def _teacher(course: Course, candidates: int) -> str:
    assert course.teacher is not None
    words = f"{_model(course.teacher.model)}, log-probs by {course.teacher.scorer.type}"
    if candidates:
        words += f", of its {candidates} most probable tokens too"
    return f"{words} ({', '.join(part.name for part in course.parts)})" if course.name else words


def _part(part: Part) -> str:
    """A task, led by its name and weight where it is one of a mixture."""
    words = _task(part.task)
    return f"{part.name}, weight {part.weight:g}: {words}" if part.name else words


def _rewards(spec: JobSpec) -> Iterator[str]:
    """Those of the job where any part takes them, and those that parts have of their own."""
    parts = list(spec.parts)
    while parts:
        same = [part for part in parts if part.rewards == parts[0].rewards]
        of = f" ({', '.join(part.name for part in same)})" if len(same) < len(spec.parts) else ""
        yield " + ".join(map(_reward, same[0].rewards)) + of
        parts = [part for part in parts if part not in same]


def _task(task: Task) -> str:
    if isinstance(task, ChainSumTask):
        return f"chain_sum, {task.min_terms} to {task.max_terms} terms"
    if isinstance(task, FileTask):
        return f"files {task.train}, {task.validation}, {task.test}; answers match by {task.match}"
    sizes = (
        f"{task.train_size:,} train, {task.validation_size:,} validation, {task.test_size:,} test"
    )
    whole = sum(stage.share for stage in task.curriculum)
    stages = [
        f"{stage.levels[0]} to {stage.levels[1]} ({stage.share / whole:.0%})"
        for stage in task.curriculum
    ]
    levels = f", levels {', then '.join(stages)}" if stages else ""
    return f"reasoning-gym {task.dataset}, {sizes} problems{levels}"


def _prompt(spec: JobSpec) -> str:
    longest = f"at most {spec.rollout.max_prompt_tokens:,} tokens"
    if not isinstance(spec.prompt, ChatPrompt):
        return f"plain prompts, {longest}"
    system = ", with a system message" if spec.prompt.system is not None else ""
    switch = {None: "as the template has it", True: "on", False: "off"}[spec.prompt.thinking]
    return f"chat prompts{system}, thinking {switch}, {longest}"


def _reward(reward: Reward) -> str:
    match reward:
        case VerifierReward():
            more = f" (answer by {reward.extractor})"
        case FormatReward():
            more = f" ({reward.tags})"
        case LengthReward():
            more = (
                f" (correct {reward.correct_short:g} to {reward.correct_long:g}, wrong "
                f"{reward.wrong_short:g} to {reward.wrong_long:g})"
            )
        case OverlongReward():
            more = f" (last {reward.soft_tokens:,} tokens)"
        case InstalledReward():
            more = " (installed, the verdict)" if reward.verdict else " (installed)"
        case _:
            more = ""
    return f"{reward.weight:g} x {part_name(reward)}{more}"


def _step(spec: JobSpec) -> list[str]:
    rollout = spec.rollout
    if isinstance(rollout.source, StoreSource):
        return _stored_step(rollout.source, rollout.prompts_per_step)
    sequences = rollout.prompts_per_step * rollout.group_size
    tokens = sequences * rollout.max_new_tokens
    return [
        f"{rollout.prompts_per_step} prompts x {rollout.group_size} = {sequences:,} sequences of "
        f"at most {rollout.max_new_tokens:,} new tokens, temperature {rollout.temperature:g}",
        f"at most {tokens:,} sampled tokens; {spec.steps * tokens:,} in the whole job",
        _pipeline(spec),
    ]


def _stored_step(source: StoreSource, prompts: int) -> list[str]:
    store = read_store_manifest(source.path)
    least = source.minimum_reward
    chosen = "" if least is None else f" with a reward of at least {least:g}"
    return [
        f"the correct samples{chosen} of {prompts} prompts of {source.path}",
        f"the store has {store.rows:,} samples of {store.groups:,} prompts, of {store.source}",
    ]


def _pipeline(spec: JobSpec) -> str:
    stale = spec.rollout.max_staleness
    if stale == 0:
        return "strictly on-policy: sampling and updates take turns (rollout.max_staleness 0)"
    return (
        f"sampling and updates at the same time: rollouts at most {stale} weight "
        f"version{'s' if stale > 1 else ''} old, {stale + 1} steps' groups in memory"
    )


def _optimizer(spec: JobSpec) -> list[str]:
    optimizer = spec.optimizer
    updates = optimizer.minibatches * optimizer.epochs
    return [
        f"AdamW, learning rate {optimizer.learning_rate:g} {optimizer.schedule.type} after "
        f"{optimizer.schedule.warmup_steps} warm-up steps, gradient norm at most "
        f"{optimizer.max_gradient_norm:g}",
        f"updates: {updates} per step, {spec.steps * updates:,} in all; forward passes of at most "
        f"{optimizer.micro_batch_tokens:,} tokens",
    ]


def _evaluation(spec: JobSpec) -> list[str]:
    evaluation = spec.evaluation
    models, count = "policy before and after", 2
    if spec.teachers:
        teacher = "teacher" if len(spec.teachers) == 1 else "each part's teacher"
        models, count = f"{teacher}, {models}", 3
    each = sum(answers_per_prompt(one, evaluation.samples) for one in evaluation.decoding)
    answers = count * evaluation.prompts * each
    lines = [
        f"{models}: {evaluation.prompts} test prompts{_decodings(evaluation)}",
        f"at most {answers:,} answers, {answers * spec.rollout.max_new_tokens:,} sampled tokens",
    ]
    if evaluation.every:
        samples = answers_per_prompt(evaluation.decoding[0], evaluation.every_samples)
        asked = "one sample each" if samples == 1 else f"{samples} samples each"
        lines.append(
            f"every {evaluation.every} steps on {evaluation.every_prompts} validation prompts, "
            f"{asked}"
        )
    return lines


def _decodings(evaluation: EvaluationSpec) -> str:
    """How many samples by which decodings; greedy, which draws none, at the end."""
    drawn = [DISTRIBUTIONS[one].words for one in evaluation.decoding if one != "greedy"]
    sampled = f" x {evaluation.samples} samples ({'; '.join(drawn)})" if drawn else ""
    return sampled + (", greedy" if "greedy" in evaluation.decoding else "")


def _checkpoints(spec: JobSpec) -> str:
    kept = f"newest {spec.checkpoint.keep}, step 0 and the best by {spec.checkpoint.best_metric}"
    return f"every {spec.checkpoint.every} steps and at the end; kept: {kept}"


def _tracker(tracker: Tracker) -> str:
    if isinstance(tracker, TensorboardTracker):
        return "TensorBoard files in the job's folder"
    return f"MLflow at {tracker.endpoint}, experiment {tracker.experiment}"


def _actors(spec: JobSpec) -> list[str]:
    resources = spec.resources
    generator = resources.generator
    scorer, learner = resources.scorer, resources.learner
    courses = len(spec.courses)
    scorers = scorer.count * courses
    counted = ((generator.count, generator), (scorers, scorer), (learner.ranks, learner))
    cpus = sum(count * worker.cpus for count, worker in counted)
    gpus = sum(count * worker.gpus for count, worker in counted)
    each = f" ({scorer.count} for each of {courses} teachers)" if courses > 1 else ""
    precision = spec.precision
    return [
        f"{generator.count} x generator: {_worker(generator)}, {precision.generator}, "
        f"{_cache(spec)}",
        f"{scorers} x scorer{each}: {_worker(scorer)}, {precision.scorer}",
        f"{learner.ranks} x learner rank: {_worker(learner)}, {precision.learner}",
        f"together {cpus:g} CPU and {gpus:g} GPU, computing on {resources.device}",
    ]


def _worker(worker: WorkerResources | GeneratorResources) -> str:
    return f"{worker.cpus:g} CPU, {worker.gpus:g} GPU, tensor threads {worker.threads}"


def _cache(spec: JobSpec) -> str:
    """How many of its longest sequences an engine's key-value cache holds at once."""
    generator = spec.resources.generator
    size = f"KV cache {generator.kv_cache_mib:,} MiB"
    model = _files(spec.policy.model)
    shape = BYTES[spec.precision.generator], generator.tensor_parallel
    per_token = model.kv_bytes_per_token(*shape) if model is not None else None
    if per_token is None:
        return size
    tokens = (generator.kv_cache_mib << 20) // per_token
    return f"{size} for about {tokens:,} tokens, {generator.max_sequences} sequences at once"
