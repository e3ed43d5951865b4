"""Groups of a store in the place of sampled ones: their order, and how a run goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rkd_online.run.stages import StageClock
from rkd_online.run.stored import StoredGroups
from rkd_online.spec import JobSpec
from rkd_online.store.reader import AcceptedGroups
from rkd_online.types import FIRST_PHASE, Progress
from tests.unit.store.rollouts import group, write_store

START = Progress(0, 0, ())
PROMPTS = 5


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AcceptedGroups:
    folder = tmp_path_factory.mktemp("stores") / "store"
    write_store(folder, [group(number, 1, 0, 1) for number in range(PROMPTS)])
    return AcceptedGroups(folder, correct_at=1.0, minimum_reward=None)


def job(store: AcceptedGroups, **changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "version": 1,
        "name": "stored",
        "policy": {"model": "zoo:chain-sum/student"},
        "task": {"type": "chain_sum"},
        "algorithm": {"type": "sft"},
        "rollout": {
            "source": {"type": "store", "path": str(store.folder)},
            "prompts_per_step": 2,
        },
        "evaluation": {"every": 20},
        "checkpoint": {"best_metric": "validation/pass_at_1"},
        "steps": 10,
    }
    return JobSpec.model_validate(values | changes)


def prompts(store: AcceptedGroups, *steps: int, seed: int = 0, done: int = 0) -> list[int]:
    """The prompts that these steps learn from."""
    found = StoredGroups(store, job(store, seed=seed), Progress(done, 2 * done, ()))
    batches = [asyncio.run(found.batch(step, StageClock())) for step in steps]
    return [one.prompt.index for batch in batches for one in batch]


def test_every_prompt_comes_once_in_each_epoch_in_another_order(store: AcceptedGroups) -> None:
    taken = prompts(store, *range(1, 11))
    epochs = [taken[start : start + PROMPTS] for start in range(0, 20, PROMPTS)]
    assert [sorted(one) for one in epochs] == [list(range(PROMPTS))] * 4
    assert len({tuple(one) for one in epochs}) > 1


def test_the_seed_gives_the_order(store: AcceptedGroups) -> None:
    assert prompts(store, 1, 2, 3, seed=1) == prompts(store, 1, 2, 3, seed=1)
    orders = {tuple(prompts(store, 1, 2, seed=seed)) for seed in range(8)}
    assert len(orders) > 4


def test_a_resumed_run_takes_what_the_first_would_have(store: AcceptedGroups) -> None:
    whole = prompts(store, *range(1, 7))
    assert prompts(store, 5, 6, done=4) == whole[8:]


def test_a_step_has_groups_as_if_the_policy_had_sampled_them(store: AcceptedGroups) -> None:
    stored = StoredGroups(store, job(store), START)
    clock = StageClock()
    batch = asyncio.run(stored.batch(3, clock))
    assert [one.group_id for one in batch] == [4, 5]
    assert [[two.rollout.index for two in one.rollouts] for one in batch] == [[0, 2], [0, 2]]
    versions = {
        span.version for one in batch for two in one.rollouts for span in two.rollout.version_spans
    }
    assert versions == {2}
    assert {one.correctness for two in batch for one in two.judged} == {1.0}
    assert list(clock.seconds()) == ["read"]


def test_a_batch_may_be_larger_than_the_store(store: AcceptedGroups, tmp_path: Path) -> None:
    spec = job(store)
    wide = spec.model_copy(
        update={"rollout": spec.rollout.model_copy(update={"prompts_per_step": 7})}
    )
    batch = asyncio.run(StoredGroups(store, wide, START).batch(1, StageClock()))
    assert [one.group_id for one in batch] == list(range(7))
    assert sorted(one.prompt.index for one in batch[:5]) == list(range(5))


def test_nothing_is_under_way_and_nothing_dropped(store: AcceptedGroups) -> None:
    stored = StoredGroups(store, job(store), Progress(4, 8, ()))
    assert stored.progress(FIRST_PHASE) == Progress(4, 8, ())
    asyncio.run(stored.batch(5, StageClock()))
    assert stored.progress(FIRST_PHASE) == Progress(5, 10, ())
    assert stored.take_dropped() == {}
