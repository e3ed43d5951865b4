"""The accepted samples of a store, prompt by prompt."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from rkd_online.errors import RecordError, SpecError
from rkd_online.spec.store_files import SHARDS, read_store_manifest
from rkd_online.types import (
    Logprobs,
    PromptItem,
    Rollout,
    ScoredGroup,
    ScoredRollout,
    TokenIds,
    VersionSpan,
    WeightVersion,
)

PROMPT: Final = (
    "prompt_id", "split", "prompt_index", "prompt_ids", "answer", "task", "difficulty",
)  # fmt: skip
SAMPLE: Final = (
    "index", "completion_ids", "sampler_logprobs", "reward", "reward_parts", "correctness",
    "finish_reason",
)  # fmt: skip
NEEDED: Final = ["step", "group_id", *PROMPT, *SAMPLE]


class AcceptedGroups:
    """The samples that are correct, and have the least reward if there is one, under their prompts.
    A prompt without any is left out. Texts and all log-probs but the sampler's stay on disk.

    Raises RecordError where the store is not whole, and SpecError where no sample is accepted.
    """

    def __init__(self, folder: Path, *, correct_at: float, minimum_reward: float | None) -> None:
        self.folder = folder
        self._tables: list[pa.Table] = []
        self._groups: list[list[tuple[int, int]]] = []
        self.longest = 0
        """Tokens of the longest accepted sample, its prompt included."""
        places: dict[tuple[int, int], int] = {}
        for accepted in _accepted(folder, correct_at, minimum_reward):
            self._add(accepted, places)
        if not self._groups:
            least = "" if minimum_reward is None else f" with a reward of {minimum_reward:g}"
            raise SpecError(
                f"rollout.source.path: no sample of {folder} is correct (correct_at "
                f"{correct_at:g}){least}: collect more, or set less"
            )

    def __len__(self) -> int:
        """Number of prompts with an accepted sample."""
        return len(self._groups)

    def prompt(self, place: int) -> PromptItem:
        """The prompt at ``place``, 0 <= place < len."""
        table, row = self._groups[place][0]
        found = self._row(table, row, PROMPT)
        return PromptItem(
            id=found["prompt_id"],
            split=found["split"],
            index=found["prompt_index"],
            token_ids=_token_ids(found["prompt_ids"]),
            answer=found["answer"],
            task=found["task"],
            difficulty=found["difficulty"],
        )

    def group(self, place: int, *, group_id: int, version: WeightVersion) -> ScoredGroup:
        """The prompt at ``place`` with its samples, as if ``version`` had sampled them now."""
        samples = tuple(self._sample(*where, version) for where in self._groups[place])
        return ScoredGroup(group_id, self.prompt(place), samples)

    def _add(self, accepted: pa.Table, places: dict[tuple[int, int], int]) -> None:
        keys = zip(accepted["step"].to_pylist(), accepted["group_id"].to_pylist(), strict=True)
        for row, key in enumerate(keys):
            if key not in places:
                places[key] = len(self._groups)
                self._groups.append([])
            self._groups[places[key]].append((len(self._tables), row))
        if len(accepted):
            prompts, completions = (
                compute.list_value_length(accepted[name])
                for name in ("prompt_ids", "completion_ids")
            )
            longest = compute.max(compute.add(prompts, completions)).as_py()
            self.longest = max(self.longest, longest)
            self._tables.append(accepted)

    def _sample(self, table: int, row: int, version: WeightVersion) -> ScoredRollout:
        found = self._row(table, row, SAMPLE)
        ids = _token_ids(found["completion_ids"])
        rollout = Rollout(
            index=found["index"],
            completion_ids=ids,
            sampler_logprobs=_logprobs(found["sampler_logprobs"]),
            version_spans=(VersionSpan(version, 0, len(ids)),),
            finish_reason=found["finish_reason"],
        )
        parts = {one["part"]: one["value"] for one in found["reward_parts"]}
        return ScoredRollout(rollout, found["reward"], parts, found["correctness"], None)

    def _row(self, table: int, row: int, names: tuple[str, ...]) -> dict[str, Any]:
        """Cells of a row; token streams and log-probs as numpy arrays."""
        cells = {name: self._tables[table][name][row] for name in names}
        streams = ("prompt_ids", "completion_ids", "sampler_logprobs")
        return {
            name: cell.values.to_numpy() if name in streams else cell.as_py()
            for name, cell in cells.items()
        }


def _accepted(folder: Path, correct_at: float, minimum_reward: float | None) -> Iterator[pa.Table]:
    """A few rows at a time; those of the whole store are counted."""
    promised, rows = read_store_manifest(folder).rows, 0
    for path in sorted((folder / SHARDS).glob("*.parquet")):
        with parquet.ParquetFile(path) as shard:
            for batch in shard.iter_batches(columns=NEEDED):
                rows += len(batch)
                # A rollout that could not be judged has null here, and is not chosen.
                chosen = compute.greater_equal(batch["correctness"], correct_at)
                if minimum_reward is not None:
                    enough = compute.greater_equal(batch["reward"], minimum_reward)
                    chosen = compute.and_(chosen, enough)
                yield pa.Table.from_batches([batch.filter(chosen)])
    if rows != promised:
        raise RecordError(f"{folder} is not whole: it has {rows} rollouts of {promised}")


def _token_ids(values: "np.ndarray[Any, Any]") -> TokenIds:
    return array("q", values.astype(np.int64).tobytes())


def _logprobs(values: "np.ndarray[Any, Any]") -> Logprobs:
    return array("f", values.astype(np.float32).tobytes())
