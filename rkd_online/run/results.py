"""From measurements and step reports to the job's report."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from rkd_online.evaluation.compare import paired_gain
from rkd_online.evaluation.measurement import Compared, Estimate, Measurement
from rkd_online.evaluation.record import Evaluation
from rkd_online.evaluation.report import (
    TEACHER_BEHIND,
    NamedCheckpoints,
    PairedGains,
    Report,
    Warned,
    gap_closed,
    summarize,
    teacher_behind,
    why_no_gap,
)
from rkd_online.run.advice.adviser import said
from rkd_online.run.setup import JobSetup
from rkd_online.run.setup_record import package_versions, spec_digest
from rkd_online.run.stopping import Stopping
from rkd_online.spec.decoding import Decoding
from rkd_online.spec.job import JobSpec
from rkd_online.types import StepReport

T = TypeVar("T")

WHOLE_STEP = "step"
"""The timing of a step as a whole, beside those of its stages."""


def make_report(
    setup: JobSetup,
    steps: Sequence[StepReport],
    checkpoints: NamedCheckpoints,
    *,
    before: Evaluation,
    after: Evaluation,
    teacher: Evaluation | None,
) -> Report:
    """What the job gained and what it took, over all its attempts."""
    spec = setup.spec
    headline = spec.evaluation.decoding[0]
    decodings = {one: _compared(before, after, teacher, one) for one in before.decodings}
    pass_at_1 = _each(decodings[headline], lambda one: one.pass_at_1)
    paired = _paired(before, after, teacher, headline)
    seconds = total_seconds(steps)
    whole = seconds.pop(WHOLE_STEP)
    own = sum(step.metrics["loop/share"] * step.timings[WHOLE_STEP] for step in steps)
    return Report(
        job=setup.job,
        name=spec.name,
        algorithm=" then ".join(phase.algorithm.type for phase in spec.phases_in_turn),
        steps=len(steps),
        early_stop=_early_stop(spec, steps),
        summary=summarize(pass_at_1, paired),
        headline=headline,
        pass_at_1=pass_at_1,
        paired=paired,
        gap_closed=gap_closed(pass_at_1),
        gap_closed_reason=why_no_gap(pass_at_1),
        tokens_per_answer=_each(decodings[headline], lambda one: one.tokens.mean.value),
        answers_per_second=_each(decodings[headline], lambda one: one.answers_per_second),
        decodings=decodings,
        checkpoints=checkpoints,
        stage_seconds=seconds | {"other": max(0.0, whole - sum(seconds.values()))},
        loop_share=own / whole,
        training_seconds=whole,
        rollouts=_counted("rollouts", steps),
        completion_tokens=_counted("tokens", steps),
        spec_digest=spec_digest(spec),
        versions=package_versions(),
        warnings=(*said(spec, steps), *_of_the_models(pass_at_1, paired, len(steps))),
    )


def _early_stop(spec: JobSpec, steps: Sequence[StepReport]) -> str | None:
    stop = Stopping(spec, steps).stop
    return None if stop is None else f"after step {stop.step} of {spec.steps}: {stop.reason}"


def _of_the_models(
    pass_at_1: Compared[Estimate], paired: PairedGains, step: int
) -> tuple[Warned, ...]:
    """What is to be warned of since teacher and student are measured, after the last step."""
    behind = teacher_behind(pass_at_1, paired)
    return () if behind is None else (Warned(step=step, name=TEACHER_BEHIND, message=behind),)


def _compared(
    before: Evaluation, after: Evaluation, teacher: Evaluation | None, decoding: Decoding
) -> Compared[Measurement]:
    return Compared[Measurement](
        teacher=None if teacher is None else teacher.decodings[decoding].measurement,
        student_before=before.decodings[decoding].measurement,
        student_after=after.decodings[decoding].measurement,
    )


def _each(compared: Compared[Measurement], quantity: Callable[[Measurement], T]) -> Compared[T]:
    teacher = compared.teacher
    return Compared(
        teacher=None if teacher is None else quantity(teacher),
        student_before=quantity(compared.student_before),
        student_after=quantity(compared.student_after),
    )


def _paired(
    before: Evaluation, after: Evaluation, teacher: Evaluation | None, decoding: Decoding
) -> PairedGains:
    def lead(student: Evaluation) -> Estimate | None:
        return None if teacher is None else paired_gain(student, teacher, decoding)

    return PairedGains(
        after_less_before=paired_gain(before, after, decoding),
        teacher_less_before=lead(before),
        teacher_less_after=lead(after),
    )


def total_seconds(steps: Sequence[StepReport]) -> dict[str, float]:
    """Seconds by stage over all steps."""
    names = {name for step in steps for name in step.timings}
    return {name: sum(step.timings.get(name, 0.0) for step in steps) for name in sorted(names)}


def _counted(what: str, steps: Sequence[StepReport]) -> int:
    """How many rollouts or completion tokens the steps had, from their rates."""
    rate = f"throughput/{what}_per_second"
    return round(sum(step.metrics[rate] * step.timings[WHOLE_STEP] for step in steps))
