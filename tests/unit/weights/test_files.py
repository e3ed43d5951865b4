import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from rkd_online.errors import WeightSyncError
from rkd_online.types import logprobs
from rkd_online.weights.files import WeightFiles, check_digest

PROBE = logprobs([-1.0])


def test_a_published_version_holds_the_tensors_and_its_digest(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    published = WeightFiles(tmp_path / "run", 1).publish(4, {"a.weight": tensor}, PROBE)
    assert published.version == 4
    assert torch.equal(load_file(published.location)["a.weight"], tensor)
    check_digest(published)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    published = WeightFiles(tmp_path / "run", 1).publish(4, {"a": torch.zeros(3)}, PROBE)
    path = Path(published.location)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightSyncError, match=r"weight version 4 .* was changed or cut"):
        check_digest(published)


def test_the_current_and_the_last_version_are_kept(tmp_path: Path) -> None:
    files = WeightFiles(tmp_path / "run", 3)
    for version in range(12):
        files.publish(version, {"a": torch.zeros(1)}, PROBE)
    names = sorted(path.name for path in (tmp_path / "run" / "3").iterdir())
    assert names == ["policy-000010.safetensors", "policy-000011.safetensors"]


def test_removing_leaves_no_folder(tmp_path: Path) -> None:
    files = WeightFiles(tmp_path / "run", 1)
    files.publish(0, {"a": torch.zeros(1)}, PROBE)
    files.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_attempt_left_is_deleted(tmp_path: Path) -> None:
    killed = WeightFiles(tmp_path / "run", 1)
    killed.publish(7, {"a": torch.zeros(1)}, PROBE)
    WeightFiles(tmp_path / "run", 2)
    assert [path.name for path in (tmp_path / "run").iterdir() if path.is_dir()] == ["2"]


def test_an_attempt_that_ends_late_leaves_the_newer_one_alone(tmp_path: Path) -> None:
    replaced = WeightFiles(tmp_path / "run", 1)
    newer = WeightFiles(tmp_path / "run", 2)
    published = newer.publish(0, {"a": torch.zeros(1)}, PROBE)
    replaced.remove()
    check_digest(published)


def test_what_a_dead_run_left_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    living = WeightFiles(tmp_path / "living", 1)
    program = """
import os, sys
from pathlib import Path
from rkd_online.weights.files import WeightFiles
files = WeightFiles(Path(sys.argv[1]), 1)
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "dead")], check=False)
    assert {path.name for path in tmp_path.iterdir()} == {"dead", "living"}
    WeightFiles(tmp_path / "new", 1)
    assert {path.name for path in tmp_path.iterdir()} == {"living", "new"}
    living.remove()


def test_a_policy_that_shared_memory_cannot_hold_is_refused_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = WeightFiles(tmp_path / "run", 1)
    usage = SimpleNamespace(free=2 << 20)
    monkeypatch.setattr("rkd_online.weights.files.shutil.disk_usage", lambda _: usage)
    files.publish(0, {"a": torch.zeros(2 << 18)}, PROBE)
    with pytest.raises(WeightSyncError, match=r"policy's 3 MiB do not fit into the 2 MiB .*shm"):
        files.publish(1, {"a": torch.zeros(3 << 18)}, PROBE)
