"""Ranks of a learner on nodes that share no folder."""

import asyncio
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rkd_online.errors import CheckpointError
from rkd_online.learning.manifest import read_manifest
from rkd_online.learning.role import LearnerRole
from rkd_online.objects.checkpoints import LearnerCopies
from rkd_online.types import Progress
from tests.unit.objects.stores import node

NAMED = Path("/driver/job-1/attempts/1/checkpoints/step-000002")
WEIGHTS = b"weights"


class Learner:
    """One rank of a learner that writes a file."""

    def __init__(self, first: bool) -> None:
        self.ranks = SimpleNamespace(first=first)
        self.restored: list[bytes] = []

    def save(self, folder: Path, progress: Progress) -> None:
        if self.ranks.first:
            folder.mkdir(parents=True)
            (folder / "model.safetensors").write_bytes(WEIGHTS)
            digest = hashlib.sha256(WEIGHTS).hexdigest()
            files = {"model.safetensors": {"bytes": len(WEIGHTS), "sha256": digest}}
            manifest = {"format": 3, "step": progress.step, "files": files}
            (folder / "manifest.json").write_text(json.dumps(manifest))

    def close(self) -> None:
        """Nothing is held."""

    def restore(self, folder: Path) -> int:
        read_manifest(folder)
        self.restored.append((folder / "model.safetensors").read_bytes())
        return 2


def rank(tmp_path: Path, name: str, *, first: bool) -> tuple[LearnerRole, Learner, Path]:
    """A rank on a node of this name, and its folder for the checkpoint."""
    learner: Any = Learner(first)
    copies = LearnerCopies(node(tmp_path, name))
    return LearnerRole(lambda: learner, (1,), copies), learner, copies.here(NAMED)  # type: ignore[arg-type]


def test_the_first_rank_stores_and_every_rank_restores_on_its_own_node(tmp_path: Path) -> None:
    one, _, here = rank(tmp_path, "a", first=True)
    two, _, there = rank(tmp_path, "b", first=False)
    for role in (one, two):
        asyncio.run(role.save(NAMED, Progress(2, 0, ())))
    assert [path.name for path in here.iterdir()] == ["manifest.json"]
    assert not there.parent.exists()
    for name in ("c", "d"):
        role, learner, place = rank(tmp_path, name, first=name == "c")
        assert asyncio.run(role.restore(NAMED)) == 2
        assert learner.restored == [WEIGHTS]
        assert sorted(path.name for path in place.iterdir()) == [
            "manifest.json",
            "model.safetensors",
        ]
        asyncio.run(role.save(NAMED.with_name("step-000004"), Progress(4, 0, ())))
        assert [path.name for path in place.iterdir()] == ["manifest.json"]


def test_two_ranks_of_one_node_share_what_one_of_them_fetched(tmp_path: Path) -> None:
    saving, _, _ = rank(tmp_path, "a", first=True)
    asyncio.run(saving.save(NAMED, Progress(2, 0, ())))
    ranks = [rank(tmp_path, "b", first=first) for first in (True, False)]

    async def restore() -> list[int]:
        return await asyncio.gather(*(role.restore(NAMED) for role, _, _ in ranks))

    assert asyncio.run(restore()) == [2, 2]
    assert [learner.restored for _, learner, _ in ranks] == [[WEIGHTS], [WEIGHTS]]


def test_a_checkpoint_that_no_rank_stored_is_not_restored(tmp_path: Path) -> None:
    role, _, _ = rank(tmp_path, "a", first=True)
    with pytest.raises(CheckpointError, match=r"is no checkpoint: it has no manifest\.json"):
        asyncio.run(role.restore(NAMED))


def test_the_last_rank_of_a_node_leaves_nothing_there(tmp_path: Path) -> None:
    saving, _, _ = rank(tmp_path, "a", first=True)
    asyncio.run(saving.save(NAMED, Progress(2, 0, ())))
    (one, _, place), (two, _, _) = (rank(tmp_path, "b", first=first) for first in (True, False))
    asyncio.run(one.restore(NAMED))
    asyncio.run(one.close())
    assert (place / "model.safetensors").is_file()
    asyncio.run(two.close())
    assert list((tmp_path / "b").iterdir()) == []
    asyncio.run(saving.close())
    assert list((tmp_path / "a").iterdir()) == []
