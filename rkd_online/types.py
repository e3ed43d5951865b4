"""Boundary types: what one stage hands to the next.

Each stage returns a new frozen type. Token streams are ``array.array``: compact, picklable, read by
torch without a copy and part of the standard library. Aligned lengths are checked here, where a
record is made, and the message gives both lengths.

``TokenIds`` has typecode ``q``, ``CandidateIds``, of which there are many, ``i``. ``Logprobs`` are
natural logarithms, one per completion token, typecode ``f``.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    TokenIds: TypeAlias = array[int]
    CandidateIds: TypeAlias = array[int]
    Logprobs: TypeAlias = array[float]
else:  # array.array takes no subscript before Python 3.12
    TokenIds = array
    CandidateIds = array
    Logprobs = array

WeightVersion: TypeAlias = int
"""0 is the policy as loaded, n the policy after n updates. Step n turns version n-1 into n."""

Split: TypeAlias = Literal["train", "validation", "test"]
FinishReason: TypeAlias = Literal["stop", "length"]
FailureCause: TypeAlias = Literal["timeout", "crash", "memory", "error", "not_finite"]
"""Why a rollout has no reward: its judging took too long, ended its process, took too much memory,
raised, or gave NaN or an infinity."""


def token_ids(values: Iterable[int]) -> TokenIds:
    """A token stream from plain integers."""
    return array("q", values)


def candidate_ids(values: Iterable[int]) -> CandidateIds:
    """Ids of candidates from plain integers."""
    return array("i", values)


def logprobs(values: Iterable[float]) -> Logprobs:
    """A log-probability stream from plain floats."""
    return array("f", values)


def _aligned(what: str, found: int, tokens: int) -> None:
    if found != tokens:
        raise ValueError(f"{what} has {found} entries for {tokens} completion tokens")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The teacher's ``count`` most probable tokens at each of n completion tokens.

    ``ids`` and ``logprobs`` hold ``count`` entries a token, the most probable one
    first; ``rest`` is each token's log-prob of all others together. An entry that repeats the first
    id with a log-prob of minus infinity stands for none.
    """

    count: int
    ids: CandidateIds
    logprobs: Logprobs
    rest: Logprobs

    def __post_init__(self) -> None:
        entries = self.count * len(self.rest)
        if not entries == len(self.ids) == len(self.logprobs):
            raise ValueError(
                f"{len(self.ids)} ids and {len(self.logprobs)} log-probs are not {self.count} "
                f"candidates at each of {len(self.rest)} tokens"
            )


@dataclass(frozen=True, slots=True)
class PromptItem:
    """One prompt, tokenized. ``split`` and ``index`` find its problem in the task again."""

    id: str
    split: Split
    index: int
    token_ids: TokenIds
    answer: str
    task: str
    difficulty: str


@dataclass(frozen=True, slots=True)
class SamplingRequest:
    """One group to sample: a prompt, one seed per sibling and the distribution to sample from.

    ``temperature`` 0 is greedy. ``group_id`` is the caller's name for the group.
    """

    group_id: int
    prompt: PromptItem
    seeds: tuple[int, ...]
    temperature: float
    top_p: float
    max_new_tokens: int


@dataclass(frozen=True, slots=True)
class VersionSpan:
    """Completion tokens ``start`` to ``end`` (exclusive) were sampled with weight ``version``."""

    version: WeightVersion
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """One sampled completion. ``index`` is its place among its siblings.

    ``completion_ids`` ends with the end token where ``finish_reason`` is ``stop``.
    ``sampler_logprobs`` are of the distribution that was sampled (after temperature and top-p).
    """

    index: int
    completion_ids: TokenIds
    sampler_logprobs: Logprobs
    version_spans: tuple[VersionSpan, ...]
    finish_reason: FinishReason

    def __post_init__(self) -> None:
        tokens = len(self.completion_ids)
        _aligned("sampler_logprobs", len(self.sampler_logprobs), tokens)
        covered = [(span.start, span.end) for span in self.version_spans]
        bounds = [0, *(end for _, end in covered)]
        if [start for start, _ in covered] != bounds[:-1] or bounds[-1] != tokens:
            raise ValueError(f"version spans {covered} do not cover {tokens} completion tokens")


@dataclass(frozen=True, slots=True)
class RolloutGroup:
    """The siblings of one prompt."""

    group_id: int
    prompt: PromptItem
    rollouts: tuple[Rollout, ...]


@dataclass(frozen=True, slots=True)
class ScoredRollout:
    """A rollout with its reward and what the teacher thinks of each of its tokens.

    ``reward_parts`` are the named parts before weighting, ``correctness`` is the verdict's alone.
    ``teacher_logprobs`` is None exactly when the job has no teacher.
    """

    rollout: Rollout
    reward: float
    reward_parts: dict[str, float]
    correctness: float
    teacher_logprobs: Logprobs | None

    def __post_init__(self) -> None:
        if self.teacher_logprobs is not None:
            tokens = len(self.rollout.completion_ids)
            _aligned("teacher_logprobs", len(self.teacher_logprobs), tokens)


@dataclass(frozen=True, slots=True)
class CandidateRollout(ScoredRollout):
    """A scored rollout of a job that also asks for the teacher's distribution."""

    candidates: Candidates

    def __post_init__(self) -> None:
        # Not super(): a class with slots is made a second time, and that one is not it.
        ScoredRollout.__post_init__(self)
        _aligned("candidates", len(self.candidates.rest), len(self.rollout.completion_ids))


@dataclass(frozen=True, slots=True)
class UnjudgedRollout:
    """A rollout whose judging failed. It takes no part in its group's advantages and in the update.

    ``detail`` names the part of the reward and what happened; ``teacher_logprobs`` are as those of
    its siblings.
    """

    rollout: Rollout
    cause: FailureCause
    detail: str
    teacher_logprobs: Logprobs | None

    def __post_init__(self) -> None:
        if self.teacher_logprobs is not None:
            tokens = len(self.rollout.completion_ids)
            _aligned("teacher_logprobs", len(self.teacher_logprobs), tokens)


@dataclass(frozen=True, slots=True)
class ScoredGroup:
    """The siblings of one prompt, scored; those whose judging failed keep their places."""

    group_id: int
    prompt: PromptItem
    rollouts: tuple[ScoredRollout | UnjudgedRollout, ...]

    @property
    def judged(self) -> tuple[ScoredRollout, ...]:
        """The siblings that have a reward."""
        return tuple(one for one in self.rollouts if isinstance(one, ScoredRollout))

    @property
    def flat(self) -> bool:
        """Whether all rewards are equal, so that no sibling is better than another."""
        return len({one.reward for one in self.judged}) <= 1


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One sequence to learn from, with the statistics that its whole group gave it.

    ``index`` is its place among its siblings, ``group_wrong`` whether none of them is correct.
    """

    group_id: int
    index: int
    prompt_ids: TokenIds
    completion_ids: TokenIds
    sampler_logprobs: Logprobs
    teacher_logprobs: Logprobs | None
    advantage: float
    correct: bool
    group_wrong: bool

    def __post_init__(self) -> None:
        tokens = len(self.completion_ids)
        _aligned("sampler_logprobs", len(self.sampler_logprobs), tokens)
        if self.teacher_logprobs is not None:
            _aligned("teacher_logprobs", len(self.teacher_logprobs), tokens)


@dataclass(frozen=True, slots=True)
class CandidateRow(TrainingRow):
    """A row of a job that also asks for the teacher's distribution."""

    candidates: Candidates

    def __post_init__(self) -> None:
        TrainingRow.__post_init__(self)
        _aligned("candidates", len(self.candidates.rest), len(self.completion_ids))


@dataclass(frozen=True, slots=True)
class Turn:
    """A step's phase of the job, and how many steps that phase had done before."""

    phase: int
    done: int


FIRST_TURN = Turn(phase=0, done=0)


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """All rows of one step. ``temperature`` is the one they were sampled at, ``turn`` says by which
    algorithm to learn from them.

    Step n makes weight version n; ``oldest_version`` is the oldest that sampled any of its tokens.
    """

    step: int
    rows: tuple[TrainingRow, ...]
    temperature: float
    oldest_version: WeightVersion
    turn: Turn = FIRST_TURN


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What an update made. ``old_logprobs`` are aligned with the batch's rows, for the record."""

    version: WeightVersion
    metrics: dict[str, float]
    old_logprobs: tuple[Logprobs, ...]


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """Where one weight version lies. Never tensors: those take the engine's own way.

    ``digest`` is over the written bytes. ``probe_logprobs`` are the learner's log-probs of the
    fixed probe under exactly these weights.
    """

    version: WeightVersion
    location: str
    digest: str
    probe_logprobs: Logprobs


@dataclass(frozen=True, slots=True)
class LearnerRank:
    """The place of one process among the ``count`` that share the learner's policy; they meet at
    ``meeting_point``, ``host:port`` of the first."""

    index: int
    count: int
    meeting_point: str


ALONE = LearnerRank(index=0, count=1, meeting_point="")


@dataclass(frozen=True, slots=True)
class PhasePlace:
    """A place in a job's phases: the phase, its first step, and the values that its steps reported
    of the metric whose plateau ends it."""

    index: int
    first_step: int
    values: tuple[float, ...]


FIRST_PHASE = PhasePlace(index=0, first_step=1, values=())


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: the steps that are done, the first group that was never asked for,
    the groups that were asked for and not yet learned from, and the place in the phases."""

    step: int
    next_group: int
    open_groups: tuple[int, ...]
    phase: PhasePlace = FIRST_PHASE


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did. ``timings`` are seconds by stage."""

    step: int
    version: WeightVersion
    staleness: int
    timings: dict[str, float]
    metrics: dict[str, float] = field(default_factory=dict)
