"""Scored groups in few words."""

from rkd_online.types import (
    FinishReason,
    PromptItem,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    UnjudgedRollout,
    VersionSpan,
    logprobs,
    token_ids,
)

FINISHED: FinishReason = "stop"


def scored(
    reward: float,
    *,
    index: int = 0,
    correctness: float = 0.0,
    length: int = 2,
    versions: tuple[int, ...] = (4,),
    finish: FinishReason = FINISHED,
) -> ScoredRollout:
    """One rollout; its first tokens are of one version each, the last version sampled the rest."""
    ends = [*range(1, len(versions)), length]
    spans = tuple(
        VersionSpan(version, start, end)
        for version, start, end in zip(versions, [0, *ends[:-1]], ends, strict=True)
    )
    ids = token_ids(range(index * 10, index * 10 + length))
    rollout = Rollout(index, ids, logprobs([-0.5] * length), spans, finish)
    return ScoredRollout(
        rollout, reward, {"verifier": reward}, correctness, logprobs([-0.25] * length)
    )


def group(
    group_id: int, *rollouts: ScoredRollout | UnjudgedRollout, task: str = "sum"
) -> ScoredGroup:
    """The group of a prompt of three tokens."""
    ids = token_ids([group_id, 1, 2])
    prompt = PromptItem(f"train:{group_id}", "train", group_id, ids, "7", task, "easy")
    return ScoredGroup(group_id, prompt, rollouts)
