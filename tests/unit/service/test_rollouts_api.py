"""The rollouts of a job, out of the files that its run wrote."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rkd_online.service.reading import rollouts
from tests.unit.service.plane import Plane
from tests.unit.service.written_rollouts import write_step

pytestmark = pytest.mark.asyncio


async def job_with(plane: Plane, *steps: int) -> tuple[str, Path]:
    """A job that did these steps, each with two groups: 2n with a correct and a wrong sibling, and
    2n + 1 with one that could not be judged and a correct one."""
    job_id = await plane.submit()
    folder = plane.services.settings.job_dir(job_id)
    for step in steps:
        write_step(folder, step, {2 * step: (1.0, 0.0), 2 * step + 1: (None, 1.0)})
    return job_id, folder


async def ask(plane: Plane, job_id: str, query: str = "") -> Any:
    answer = await plane.http.get(f"/v1/jobs/{job_id}/rollouts?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ids(plane: Plane, job_id: str, query: str = "") -> list[str]:
    found = await ask(plane, job_id, query)
    assert found["has_more"] is False
    return [one["id"] for one in found["data"]]


async def walk(plane: Plane, job_id: str, query: str) -> list[list[str]]:
    """The ids of every page."""
    pages, after = [], ""
    while True:
        found = await ask(plane, job_id, f"{query}{after}")
        pages.append([one["id"] for one in found["data"]])
        if not found["has_more"]:
            assert found["next"] is None
            return pages
        after = f"&after={found['next']}"


async def test_the_newest_step_comes_first_and_its_rollouts_by_group_and_place(
    plane: Plane,
) -> None:
    job_id, _ = await job_with(plane, 1, 2, 10)
    assert await ids(plane, job_id) == [
        *("10-20-0", "10-20-1", "10-21-0", "10-21-1"),
        *("2-4-0", "2-4-1", "2-5-0", "2-5-1"),
        *("1-2-0", "1-2-1", "1-3-0", "1-3-1"),
    ]


async def test_a_row_has_what_the_record_has_without_its_tokens(plane: Plane) -> None:
    job_id, _ = await job_with(plane, 3)
    first, second, unjudged, _ = (await ask(plane, job_id))["data"]
    assert first == {
        "id": "3-6-0",
        "step": 3,
        "attempt": 1,
        "group": 6,
        "index": 0,
        "prompt_id": "train/6",
        "task": "sum",
        "difficulty": "easy",
        "answer": "7",
        "prompt": None,
        "completion": None,
        "prompt_tokens": 2,
        "completion_tokens": 1,
        "reward": 0.5,
        "reward_parts": {"verifier": 1.0, "finished": 1.0},
        "correctness": 1.0,
        "correct": True,
        "advantage": 0.0,
        "finish_reason": "stop",
        "failure": None,
    }
    assert (second["completion_tokens"], second["advantage"], second["correct"]) == (2, 0.25, False)
    unknown = ("reward", "reward_parts", "correctness", "correct", "advantage")
    assert [unjudged[name] for name in unknown] == [None] * 5
    assert unjudged["failure"] == "crash: it ended"


async def test_one_rollout_has_every_token_with_its_log_probs_and_weights(plane: Plane) -> None:
    job_id, _ = await job_with(plane, 3)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/rollouts/3-7-1")
    found = answer.json()
    [listed] = (await ask(plane, job_id, "group=7&correct=true"))["data"]
    assert {name: value for name, value in found.items() if name in listed} == listed
    assert {name: value for name, value in found.items() if name not in listed} == {
        "prompt_ids": [9, 8],
        "completion_ids": [2, 2],
        "sampler_logprobs": [-0.5, -0.5],
        "old_logprobs": [-0.75, -0.75],
        "teacher_logprobs": [-0.25, -0.25],
        "weight_versions": [{"version": 4, "start": 0, "end": 2}],
    }
    unjudged = (await plane.http.get(f"/v1/jobs/{job_id}/rollouts/3-7-0")).json()
    assert (unjudged["old_logprobs"], unjudged["completion_ids"]) == (None, [1])


async def test_texts_come_along_where_the_record_has_them(plane: Plane) -> None:
    job_id, folder = await job_with(plane, 1)
    path = folder / "attempts" / "1" / "rollouts" / "step-000001.parquet"
    table = parquet.read_table(path)
    for name in ("prompt", "completion"):
        table = table.append_column(name, pa.array([f"{name} {row}" for row in range(4)]))
    parquet.write_table(table, path)
    rows = (await ask(plane, job_id))["data"]
    assert [row["prompt"] for row in rows] == ["prompt 0", "prompt 1", "prompt 2", "prompt 3"]
    one = (await plane.http.get(f"/v1/jobs/{job_id}/rollouts/1-3-1")).json()
    assert one["completion"] == "completion 3"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("step=2", ["2-4-0", "2-4-1", "2-5-0", "2-5-1"]),
        ("step=3", []),
        ("group=3", ["1-3-0", "1-3-1"]),
        ("group=9223372036854775807", []),
        ("correct=true", ["2-4-0", "2-5-1", "1-2-0", "1-3-1"]),
        ("correct=false", ["2-4-1", "1-2-1"]),
        ("min_reward=0.5", ["2-4-0", "2-5-1", "1-2-0", "1-3-1"]),
        ("min_reward=0.51", []),
        ("max_reward=0.25", ["2-4-1", "1-2-1"]),
        ("max_reward=-1e308", []),
        ("min_reward=-1&max_reward=0&step=1", ["1-2-1"]),
        ("task=sum&step=1&group=2", ["1-2-0", "1-2-1"]),
        ("task=%00", []),
        ("task=product", []),
    ],
)
async def test_filters_must_all_match_and_nulls_match_none(
    plane: Plane, query: str, expected: list[str]
) -> None:
    job_id, _ = await job_with(plane, 1, 2)
    assert await ids(plane, job_id, query) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
async def test_pages_hold_every_rollout_once(plane: Plane, limit: int) -> None:
    job_id, _ = await job_with(plane, 1, 2)
    pages = await walk(plane, job_id, f"limit={limit}")
    assert [one for page in pages for one in page] == await ids(plane, job_id)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


async def test_a_step_that_is_done_meanwhile_moves_no_page(plane: Plane) -> None:
    job_id, folder = await job_with(plane, 1, 2)
    first = await ask(plane, job_id, "limit=3")
    write_step(folder, 3, {6: (1.0, 1.0)})
    second = await ask(plane, job_id, f"limit=3&after={first['next']}")
    assert [one["id"] for one in second["data"]] == ["2-5-1", "1-2-0", "1-2-1"]


async def test_a_page_ends_early_when_it_has_looked_at_enough(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file has four rows, of which one matches; a page looks at four."""
    monkeypatch.setattr(rollouts, "MOST_ROWS", 4)
    job_id, _ = await job_with(plane, 1, 2, 3)
    pages = await walk(plane, job_id, "limit=5&max_reward=0")
    assert pages == [["3-6-1"], ["2-4-1"], ["1-2-1"], []]


async def test_files_that_cannot_match_are_skipped_by_their_statistics(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row counts against the page, and a file counts as one."""
    monkeypatch.setattr(rollouts, "MOST_ROWS", 4)
    job_id, _ = await job_with(plane, 1, 2, 3)
    assert await walk(plane, job_id, "group=3&limit=5") == [["1-3-0", "1-3-1"], []]
    monkeypatch.setattr(rollouts, "MOST_ROWS", 5)
    monkeypatch.setattr(rollouts, "MOST_FILES", 2)
    assert await walk(plane, job_id, "group=3&limit=5") == [[], ["1-3-0", "1-3-1"]]


async def test_of_a_step_that_was_done_again_the_last_attempt_counts(plane: Plane) -> None:
    """The second attempt went on behind step 1 and has come to step 2; step 3 is no more."""
    job_id, folder = await job_with(plane, 1, 2, 3)
    write_step(folder, 2, {4: (0.0,), 9: (1.0,)}, attempt=2)
    found = (await ask(plane, job_id))["data"]
    assert [(one["id"], one["attempt"]) for one in found] == [
        ("2-4-0", 2), ("2-9-0", 2), ("1-2-0", 1), ("1-2-1", 1), ("1-3-0", 1), ("1-3-1", 1),
    ]  # fmt: skip
    assert (await plane.http.get(f"/v1/jobs/{job_id}/rollouts/3-6-0")).status_code == 404


async def test_a_job_without_files_has_no_rollouts(plane: Plane) -> None:
    job_id = await plane.submit()
    assert await ids(plane, job_id) == []


@pytest.mark.parametrize(
    "rollout_id",
    [
        "1-2-9", "1-99-0", "9-2-0", "x", "1-2", "-1-2-0", "01-2-0", "1-2-0%00", "%2e%2e",
        "..%2F..%2Fspec.json", "1-99999999999999999999-0", "1-2-99999999999", "१-2-0",
    ],
)  # fmt: skip
async def test_a_rollout_that_is_not_there_is_not_found(plane: Plane, rollout_id: str) -> None:
    job_id, _ = await job_with(plane, 1)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/rollouts/{rollout_id}")
    assert answer.status_code == 404
    assert answer.json()["code"] in ("rollout_not_found", "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("after=x", "invalid_cursor"),
        ("after=1-2-99999999999", "invalid_cursor"),
        ("after=" + "1" * 61, "invalid_request"),
        ("step=-1", "invalid_request"),
        ("step=99999999999999999999", "invalid_request"),
        ("group=9223372036854775808", "invalid_request"),
        ("min_reward=nan", "invalid_request"),
        ("max_reward=inf", "invalid_request"),
        ("correct=maybe", "invalid_request"),
        ("task=" + "x" * 201, "invalid_request"),
        ("limit=0", "invalid_request"),
        ("limit=101", "invalid_request"),
    ],
)
async def test_what_cannot_be_asked_is_refused(plane: Plane, query: str, code: str) -> None:
    job_id, _ = await job_with(plane, 1)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/rollouts?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_links_and_strangers_in_the_folder_are_passed_over(
    plane: Plane, tmp_path: Path
) -> None:
    job_id, folder = await job_with(plane, 1)
    outside = write_step(tmp_path / "elsewhere", 5, {7: (1.0,)})
    own = folder / "attempts" / "1" / "rollouts"
    (own / "step-000005.parquet").symlink_to(outside)
    for name in ("step-5.parquet", "step-x.parquet", ".step-000006.parquet.partial", "notes"):
        (own / name).write_bytes(b"nothing")
    (folder / "attempts" / "2").symlink_to(outside.parent.parent)
    (folder / "attempts" / "old").mkdir()
    assert await ids(plane, job_id) == ["1-2-0", "1-2-1", "1-3-0", "1-3-1"]


async def test_a_file_that_cannot_be_read_is_named(plane: Plane) -> None:
    job_id, folder = await job_with(plane, 1)
    path = folder / "attempts" / "1" / "rollouts" / "step-000002.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    answer = await plane.http.get(f"/v1/jobs/{job_id}/rollouts")
    assert (answer.status_code, answer.json()["code"]) == (500, "unreadable_rollouts")
    assert str(path) in answer.json()["detail"]
    parquet.write_table(pa.table({"group_id": [1], "index": [0]}), path)
    answer = await plane.http.get(f"/v1/jobs/{job_id}/rollouts/2-1-0")
    assert answer.json()["detail"].endswith(
        "it has no column 'prompt_id', so another version of rkd wrote it"
    )


async def test_without_pyarrow_it_says_what_to_install(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, _ = await job_with(plane, 1)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for path in ("rollouts", "rollouts/1-2-0"):
        answer = await plane.http.get(f"/v1/jobs/{job_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (501, "rollouts_need_pyarrow")
        assert "install it beside the control plane" in answer.json()["detail"]


async def test_the_service_starts_without_what_only_rollouts_need() -> None:
    code = (
        "import sys, rkd_online.service.app\n"
        "print([n for n in ('numpy', 'pyarrow', 'torch') if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert found.stdout == "[]\n"
