"""What a run warns of, a row each: when it begins, when it is over, and what there is to say."""

from dataclasses import replace
from typing import Final

from rkd_online.run.advice.conditions import (
    average,
    clamped,
    growth,
    more_correct,
    near,
    near_chance,
    noisy,
    progress,
    solved,
    taught,
)
from rkd_online.run.advice.history import FIRST
from rkd_online.run.advice.rule import RECENT, Rule
from rkd_online.spec.job import JobSpec
from rkd_online.spec.task import ReasoningGymTask

LONGER: Final = 20
"""Steps for what is counted in groups, of which one has few."""
LONG: Final = 50
"""Steps in which a reward should have moved, against as many before them."""
SINCE_START: Final = FIRST + RECENT
"""Values after which the newest are none of the first."""

DISAGREES, AGREES = 0.45, 0.5
"""Half is chance; a teacher that is right about some tokens alone is above it."""
KL_GREW, KL_SHRANK = 3.0, 2.0
"""Times its start: twice is what a change of phase or of length can do."""
LEAPS, WALKS = 0.1, 0.05
"""Nats: a clip of 0.2 keeps log-ratios near 0.2, whose divergence is 0.02; five times that."""
LOOSE, HELD = 1.0, 0.7
"""Nats: at one the policy finds its own tokens e times likelier than the reference does."""
FLAT, RISING = 2.0, 3.0
"""Standard errors: below two chance may have made the difference."""
NO_SIGNAL, SIGNAL = 0.9, 0.8
"""With one group in ten, nine tenths of the sampling are for nothing."""
CLAMPED, FREE = 0.5, 0.4
"""More than half is most tokens."""
COLLAPSED, OPEN = 0.1, 0.15
"""Of its start: the bundled student keeps a fifth on its way to being right nine times in ten."""
DOUBLED, SHORTER = 2.0, 1.5
"""Times its start: half as long again is what a better answer may need."""
CUT, WHOLE = 0.3, 0.2
"""Nearly every third answer is then judged without its end."""

AGREEMENT: Final = Rule(
    "teacher_disagrees",
    "teacher/agreement",
    (DISAGREES, AGREES),
    "of a correct and an incorrect answer to one prompt the teacher prefers the correct one in "
    "{value:.0%} of the pairs of the last 20 steps, less than by chance: it pulls against the "
    "reward; take another teacher.model, or an algorithm without one, such as grpo",
    value=average,
    window=LONGER,
    needs=LONGER,
    unless=(near_chance,),
)
RULES: Final = (
    AGREEMENT,
    Rule(
        "kl_teacher",
        "policy/kl_teacher",
        (KL_GREW, KL_SHRANK),
        "the policy is {seen.now:.2f} nats per token from its teacher, {seen.start:.2f} in the "
        "first 10 steps: it leaves what the teacher can judge; lower optimizer.learning_rate, set "
        "{field}.reference_kl, or take an algorithm that follows the teacher more, such as opd",
        value=growth,
        needs=SINCE_START,
        unless=(near,),
    ),
    Rule(
        "kl_old",
        "policy/kl_old_k3",
        (LEAPS, WALKS),
        "the optimizer steps of one batch move the policy {value:.2f} nats per token, far beyond "
        "the clip: they unlearn as easily as they learn; lower optimizer.learning_rate, "
        "optimizer.epochs or optimizer.minibatches",
    ),
    Rule(
        "kl_reference",
        "policy/kl_reference",
        (LOOSE, HELD),
        "the policy is {value:.2f} nats per token from its reference, which no longer holds it: "
        "raise {field}.reference_kl.beta, or lower optimizer.learning_rate",
    ),
    Rule(
        "reward_flat",
        "reward/mean",
        (FLAT, RISING),
        "the mean reward of the last 50 steps is {seen.mean:.3f}, that of the 50 before was "
        "{seen.mean_before:.3f}: nothing shows that the policy still learns; change "
        "optimizer.learning_rate or the algorithm, or let early_stop end such a job",
        value=progress,
        window=LONG,
        needs=2 * LONG,
        unless=(solved, noisy),
        alike=True,
    ),
    Rule(
        "no_signal",
        "reward/no_signal_share",
        (NO_SIGNAL, SIGNAL),
        "{value:.0%} of the groups of the last 20 steps have equal rewards and teach nothing, with "
        "{seen.correct:.0%} of the answers correct: take problems nearer to what the policy can do "
        "(task), raise rollout.group_size, or set rollout.dynamic_sampling.type refill",
        value=average,
        window=LONGER,
        needs=LONGER,
        unless=(solved, taught),
    ),
    Rule(
        "clamp_binds",
        "policy/clamp_high_share",
        (CLAMPED, FREE),
        "{value:.0%} of the tokens are beyond the clamp of the teacher's log-ratio, where the "
        "teacher says nothing: raise {field}.teacher_log_ratio_clamp, or begin with a phase of opd",
        value=clamped,
    ),
    Rule(
        "entropy_collapse",
        "policy/entropy",
        (COLLAPSED, OPEN),
        "the policy's entropy is {seen.now:.4f} nats per token, {seen.start:.4f} in the first 10 "
        "steps, with {seen.correct:.0%} of the answers correct: siblings are nearly the same "
        "answer; raise {field}.clip_high, lower optimizer.learning_rate, or set "
        "{field}.reference_kl",
        value=growth,
        needs=SINCE_START,
        unless=(solved,),
    ),
    Rule(
        "length_runs_away",
        "rollout/completion_length",
        (DOUBLED, SHORTER),
        "answers have {seen.now:,.0f} tokens, {seen.start:,.0f} in the first 10 steps, and no more "
        "of them are correct: add a reward of type overlong or length, or lower "
        "rollout.max_new_tokens",
        value=growth,
        needs=SINCE_START,
        unless=(more_correct,),
        alike=True,
    ),
    Rule(
        "truncated",
        "rollout/truncated_share",
        (CUT, WHOLE),
        "{value:.0%} of the completions are cut at rollout.max_new_tokens, most of them before "
        "their answer: raise it, or set rollout.truncated to mask",
        value=average,
    ),
)


def rules_of(spec: JobSpec) -> tuple[Rule, ...]:
    """The rules for a job: none where a store's samples say nothing of the policy; where there are
    several teachers, their agreement with the reward for each part too."""
    if spec.rollout.source.type == "store":
        return ()
    parts = [part.name for part in spec.parts] if len(spec.teachers) > 1 else []
    return (*(one for one in RULES if _alike(spec) or not one.alike), *map(_agreement, parts))


def _agreement(part: str) -> Rule:
    return replace(
        AGREEMENT,
        name=f"{AGREEMENT.name}/{part}",
        metric=f"{AGREEMENT.metric}/{part}",
        says=f"{part}: {AGREEMENT.says}",
    )


def _alike(spec: JobSpec) -> bool:
    """Whether the problems of all steps are alike: none gets harder on purpose, and no group is
    left out for its rewards."""
    harder = any(
        isinstance(part.task, ReasoningGymTask) and part.task.curriculum for part in spec.parts
    )
    return not harder and spec.rollout.dynamic_sampling.type == "off"
