"""A store: written in shards, read back as it was, and as the real data set library reads it."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from huggingface_hub import DatasetCard
from pyarrow import parquet

from rkd_online.errors import RecordError, SpecError
from rkd_online.spec.store_files import read_store_manifest
from rkd_online.store.columns import COLUMNS
from rkd_online.store.reader import AcceptedGroups
from tests.unit.store.rollouts import group, write_store

GROUPS = (group(0, 1, 0), group(1, None, 0), group(2, 1, 1, 1), group(3, 0.5, 1))
"""Of nine samples one could not be judged, five are correct."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("stores") / "store", GROUPS)


def test_no_shard_has_more_rows_than_it_may(store: Path) -> None:
    shards = sorted((store / "data").iterdir())
    assert [path.name for path in shards] == [f"part-0000{i}.parquet" for i in range(3)]
    assert [parquet.read_metadata(path).num_rows for path in shards] == [3, 3, 3]
    manifest = read_store_manifest(store)
    assert (manifest.rows, manifest.groups) == (9, 4)


def rows_of(store: Path) -> list[dict[str, Any]]:
    shards = sorted((store / "data").iterdir())
    return [row for path in shards for row in parquet.read_table(path).to_pylist()]


def test_every_column_comes_back_as_it_was(store: Path) -> None:
    rows = rows_of(store)
    assert rows[8] == {
        "step": 0,
        "group_id": 3,
        "index": 1,
        "prompt_id": "train/3",
        "prompt_index": 3,
        "split": "train",
        "task": "sum",
        "difficulty": "easy",
        "answer": "7",
        "prompt": "id",
        "prompt_ids": [9, 4],
        "completion": "bb",
        "completion_ids": [2, 2],
        "sampler_logprobs": [-0.5, -0.5],
        "old_logprobs": None,
        "teacher_logprobs": [-0.25, -0.25],
        "weight_versions": [{"version": 4, "start": 0, "end": 2}],
        "reward": 0.5,
        "reward_parts": [{"part": "verifier", "value": 1.0}, {"part": "finished", "value": 1.0}],
        "correctness": 1.0,
        "correct": True,
        "advantage": None,
        "finish_reason": "stop",
        "failure": None,
    }
    lost = rows[2]
    unknown = {name for name, value in lost.items() if value is None}
    assert unknown == {
        *("old_logprobs", "reward", "reward_parts", "correctness", "correct", "advantage"),
    }
    assert lost["failure"] == "crash: it ended"


@pytest.mark.parametrize("how", ["the folder", "its files"])
def test_the_data_set_library_reads_it(store: Path, how: str, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    if how == "the folder":
        found = load_dataset(str(store), split="train", cache_dir=cache)
    else:
        files = str(store / "data" / "*.parquet")
        found = load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
    assert found.column_names == list(COLUMNS)
    assert list(found) == rows_of(store)


def test_the_card_describes_every_column(store: Path) -> None:
    card = DatasetCard.load(store / "README.md")
    (config,) = card.data.configs
    assert config["data_files"] == [{"split": "train", "path": "data/*.parquet"}]
    assert card.data.size_categories == ["n<1K"]
    named = [line.split("`")[1] for line in card.text.splitlines() if line.startswith("| `")]
    assert named == list(COLUMNS)
    assert "9 completions of 4 prompts of sum, sampled by `zoo:chain-sum/teacher`" in card.text


def test_accepted_are_the_correct_samples_under_their_prompts(store: Path) -> None:
    """Groups go over the edges of shards; that of a prompt without a correct sample is left out."""
    accepted = AcceptedGroups(store, correct_at=1.0, minimum_reward=None)
    found = [accepted.group(place, group_id=40 + place, version=6) for place in range(3)]
    assert len(accepted) == 3
    assert [one.prompt for one in found] == [GROUPS[place].prompt for place in (0, 2, 3)]
    assert [[one.rollout.index for one in two.rollouts] for two in found] == [[0], [0, 1, 2], [1]]
    assert [one.group_id for one in found] == [40, 41, 42]
    last = found[2].judged[0]
    assert last.rollout.completion_ids.tolist() == [2, 2]
    assert last.rollout.sampler_logprobs.tolist() == [-0.5, -0.5]
    assert [(one.version, one.start, one.end) for one in last.rollout.version_spans] == [(6, 0, 2)]
    assert (last.reward, last.correctness, last.teacher_logprobs) == (0.5, 1.0, None)
    assert last.reward_parts == {"verifier": 1.0, "finished": 1.0}
    # The prompt of 2 tokens and the third sibling of group 2.
    assert accepted.longest == 5


def test_what_is_correct_is_the_jobs_to_say(store: Path) -> None:
    accepted = AcceptedGroups(store, correct_at=0.5, minimum_reward=None)
    last = accepted.group(2, group_id=0, version=0)
    assert [one.rollout.index for one in last.rollouts] == [0, 1]
    least = AcceptedGroups(store, correct_at=0.5, minimum_reward=0.3)
    assert [one.rollout.index for one in least.group(2, group_id=0, version=0).rollouts] == [1]


def test_a_store_without_an_accepted_sample_is_refused(store: Path) -> None:
    with pytest.raises(SpecError, match=r"is correct \(correct_at 1\) with a reward of 0\.6: "):
        AcceptedGroups(store, correct_at=1.0, minimum_reward=0.6)


def test_a_store_that_lost_a_shard_is_refused(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", GROUPS)
    (store / "data" / "part-00001.parquet").unlink()
    with pytest.raises(RecordError, match="is not whole: it has 6 rollouts of 9"):
        AcceptedGroups(store, correct_at=1.0, minimum_reward=None)


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"is no store of rollouts: store\.json cannot be read"):
        read_store_manifest(tmp_path)
    store = write_store(tmp_path / "store", GROUPS)
    content = json.loads((store / "store.json").read_text())
    (store / "store.json").write_text(json.dumps(content | {"format": 2}))
    with pytest.raises(RecordError, match=r"not of a store that this release reads \(format: "):
        read_store_manifest(store)
