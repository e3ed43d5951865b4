"""Scored groups in few words, and a store of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rkd_online.spec.store_files import StoreManifest
from rkd_online.store.card import write_card
from rkd_online.store.columns import store_table
from rkd_online.store.record import record_table
from rkd_online.store.rows import rollout_columns
from rkd_online.store.writer import ShardWriter
from rkd_online.types import (
    PromptItem,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    UnjudgedRollout,
    VersionSpan,
    logprobs,
    token_ids,
)

CREATED = datetime(2026, 1, 2, tzinfo=UTC)


def text(ids: list[int]) -> str:
    return "".join(chr(96 + one) for one in ids)


def group(group_id: int, *correctness: float | None) -> ScoredGroup:
    """A prompt [9, group + 1] with a sibling for each: [index + 1] * (index + 1); None could not be
    judged. The reward is half the correctness."""
    ids = token_ids([9, group_id + 1])
    prompt = PromptItem(f"train/{group_id}", "train", group_id, ids, "7", "sum", "easy")
    rollouts: list[ScoredRollout | UnjudgedRollout] = []
    for index, correct in enumerate(correctness):
        length = index + 1
        spans = (VersionSpan(4, 0, length),)
        sampled = logprobs([-0.5] * length)
        rollout = Rollout(index, token_ids([length] * length), sampled, spans, "stop")
        taught = logprobs([-0.25] * length)
        if correct is None:
            rollouts.append(UnjudgedRollout(rollout, "crash", "it ended", taught))
        else:
            parts = {"verifier": correct, "finished": 1.0}
            rollouts.append(ScoredRollout(rollout, correct / 2, parts, correct, taught))
    return ScoredGroup(group_id, prompt, tuple(rollouts))


def write_store(
    folder: Path,
    groups: Sequence[ScoredGroup],
    *,
    shard_rows: int = 3,
    tokenizer: str = "d1",
    ends: tuple[int, ...] = (1,),
) -> Path:
    """A store as ``collect`` writes one, in shards of 3 rows."""
    writer = ShardWriter(folder, shard_rows=shard_rows)
    for one in groups:
        rows = record_table(rollout_columns([one]))
        writer.write(store_table(rows, step=0, correct_at=1.0, decode=text))
    writer.close()
    manifest = StoreManifest(
        source="zoo:chain-sum/teacher",
        task="sum",
        sampled_by="zoo:chain-sum/teacher",
        judged_by=None,
        tokenizer=tokenizer,
        end_token_ids=ends,
        correct_at=1.0,
        groups=writer.groups,
        rows=writer.rows,
        versions={"rkd-online": "0.0"},
        created=CREATED,
    )
    write_card(folder, manifest)
    return folder
