"""What the start of a run finds out about the store that a job learns from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rkd_online.errors import SpecError, TaskError
from rkd_online.models.tokenizer import load_tokenizer, tokenizer_digest
from rkd_online.run.prepare import prepare
from rkd_online.run.prompts import PromptStream
from rkd_online.run.setup import JobSetup
from rkd_online.spec import JobSpec
from rkd_online.types import Progress, ScoredGroup, token_ids
from rkd_online.zoo import zoo_path
from tests.unit.store.rollouts import group, write_store

START = Progress(0, 0, ())
STUDENT = zoo_path("zoo:chain-sum/student")


def setup_of(store: Path, tmp_path: Path, **rollout: Any) -> JobSetup:
    spec = JobSpec.model_validate(
        {
            "version": 1,
            "name": "stored",
            "policy": {"model": "zoo:chain-sum/student"},
            "task": {"type": "chain_sum"},
            "algorithm": {"type": "sft"},
            "rollout": {"source": {"type": "store", "path": str(store)}, "max_new_tokens": 40}
            | rollout,
            "evaluation": {"prompts": 3, "every": 20, "every_prompts": 2},
            "checkpoint": {"best_metric": "validation/pass_at_1"},
            "steps": 10,
        }
    )
    return prepare(tmp_path / "run", 1, spec, "file")


@pytest.fixture(scope="module")
def digest() -> str:
    return tokenizer_digest(load_tokenizer(STUDENT))


def with_prompt(one: ScoredGroup, ids: list[int]) -> ScoredGroup:
    return replace(one, prompt=replace(one.prompt, token_ids=token_ids(ids)))


def test_the_end_tokens_of_the_store_end_the_policys_answers_too(
    tmp_path: Path, digest: str
) -> None:
    store = write_store(tmp_path / "store", [group(0, 1)], tokenizer=digest, ends=(3,))
    own = set(setup_of(store, tmp_path).end_token_ids) - {3}
    assert setup_of(store, tmp_path).end_token_ids == tuple(sorted(own | {3}))
    assert own


def test_another_tokenizer_is_refused_with_both_digests(tmp_path: Path, digest: str) -> None:
    store = write_store(tmp_path / "store", [group(0, 1)], tokenizer="other")
    with pytest.raises(SpecError) as refused:
        setup_of(store, tmp_path)
    assert f"has the digest other, the policy's has {digest}: collect" in str(refused.value)


def test_the_digest_is_of_what_ids_mean_alone(digest: str) -> None:
    """The bundled pair shares its tokenizer; a chat template changes no id, another token does."""
    tokenizer = load_tokenizer(zoo_path("zoo:chain-sum/teacher"))
    tokenizer.chat_template = "{{ messages }}"
    assert tokenizer_digest(tokenizer) == digest
    tokenizer.add_tokens(["<more>"])
    assert tokenizer_digest(tokenizer) != digest


def test_held_out_prompts_are_counted_and_no_training_prompt_is_rendered(
    tmp_path: Path, digest: str
) -> None:
    store = write_store(tmp_path / "store", [group(0, 1)], tokenizer=digest)
    assert PromptStream(setup_of(store, tmp_path)).check(START) == 5


def test_a_sample_that_fits_into_no_step_is_refused(tmp_path: Path, digest: str) -> None:
    long = with_prompt(group(0, 1), [5] * 300)
    store = write_store(tmp_path / "store", [long], tokenizer=digest)
    with pytest.raises(SpecError, match=r"its longest sample has 301 tokens, .* 256 at most"):
        PromptStream(setup_of(store, tmp_path)).check(START)


def test_a_prompt_that_measures_the_result_is_refused(tmp_path: Path, digest: str) -> None:
    fine = write_store(tmp_path / "fine", [group(0, 1)], tokenizer=digest)
    (held_out,) = PromptStream(setup_of(fine, tmp_path)).held_out("test", 1)
    seen = with_prompt(group(1, 1), held_out.token_ids.tolist())
    store = write_store(tmp_path / "store", [group(0, 1), seen], tokenizer=digest)
    with pytest.raises(TaskError, match=r"its prompt train/1 is test/0-\w+, which measures"):
        PromptStream(setup_of(store, tmp_path)).check(START)
