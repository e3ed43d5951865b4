"""The real engine against the Hugging Face forward of the same weights, tied and untied, and of an
architecture that keeps its embedding elsewhere."""

import asyncio
import os
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedModel
from vllm.v1.engine.llm_engine import LLMEngine

from rkd_online.errors import ModelError, WeightSyncError
from rkd_online.inference import weight_receiver
from rkd_online.inference.build import engine_args
from rkd_online.inference.engine import Engine
from rkd_online.inference.engine_thread import EngineRequest
from rkd_online.inference.requests import sampling_params
from rkd_online.types import (
    Logprobs,
    PromptItem,
    Rollout,
    SamplingRequest,
    TokenIds,
    VersionSpan,
    logprobs,
    token_ids,
)
from rkd_online.weights.probe import PROBE_TOLERANCE, check_probe, probe_ids
from tests.tiny_engines import tiny_engine_settings
from tests.tiny_models import CONTEXT, END_TOKEN_IDS, make_tiny_model

PROMPT = token_ids([72, 101, 108, 108, 111, 44])


@dataclass(frozen=True)
class Pair:
    """An engine and a Hugging Face model that starts with the same weights."""

    engine: Engine
    model: PreTrainedModel
    folder: Path

    def logprobs(self, ids: list[int], temperature: float = 1.0) -> torch.Tensor:
        """[n - 1] log-probs of tokens 1 to n-1."""
        with torch.no_grad():
            logits = self.model(torch.tensor([ids])).logits[0, :-1]
        table = torch.log_softmax(logits / temperature, -1)
        return table.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]

    def perturb(self, seed: int) -> Path:
        """Change every weight by about a tenth and write them as a learner would."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.model.parameters():
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.1 * parameter.std() * noise)
        path = self.folder / f"weights-{seed}.safetensors"
        save_file({name: p.detach() for name, p in self.model.named_parameters()}, path)
        return path

    def sample(
        self,
        seeds: tuple[int, ...],
        *,
        prompt: TokenIds = PROMPT,
        temperature: float = 1.0,
        max_new_tokens: int = 24,
    ) -> list[Rollout]:
        """Siblings of one prompt, in order."""

        async def run() -> list[Rollout]:
            loop = asyncio.get_running_loop()
            finished: asyncio.Queue[Rollout | BaseException] = asyncio.Queue()

            def put(item: Rollout | BaseException) -> None:
                loop.call_soon_threadsafe(finished.put_nowait, item)

            item = PromptItem("p", "train", 0, prompt, "", "t", "d")
            request = SamplingRequest(0, item, seeds, temperature, 1.0, max_new_tokens)
            self.engine.sample([request], lambda _, rollout: put(rollout), put)
            rollouts = []
            for _ in seeds:
                rollout = await asyncio.wait_for(finished.get(), 60)
                assert isinstance(rollout, Rollout), rollout
                rollouts.append(rollout)
            return sorted(rollouts, key=lambda rollout: rollout.index)

        return asyncio.run(run())


@pytest.fixture(scope="module", params=["qwen3-tied", "llama-untied", "gpt2-tied"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp(request.param)
    make_tiny_model(folder / "model", request.param)
    engine = Engine(tiny_engine_settings(folder / "model", threads=2))
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32).eval()
    yield Pair(engine, model, folder)
    engine.close()


def test_the_engine_has_the_threads_that_it_was_given(pair: Pair) -> None:
    """More than the one that its process starts with."""
    assert os.environ["OMP_NUM_THREADS"] == "1"
    threads = pair.engine._thread.call(lambda llm: torch.get_num_threads()).result(60)
    assert threads == 2


def probe_difference(pair: Pair, version: int) -> float:
    ids = probe_ids(pair.model.config.vocab_size, CONTEXT)
    engine = asyncio.run(pair.engine.prompt_logprobs([ids]))[0]
    learner = pair.logprobs(ids.tolist())
    return check_probe(version, logprobs(learner.tolist()), [engine])


def test_loaded_weights_give_the_hugging_face_logprobs(pair: Pair) -> None:
    assert probe_difference(pair, 0) <= PROBE_TOLERANCE["float32"]


def test_sampler_logprobs_are_of_the_sampled_distribution(pair: Pair) -> None:
    for temperature in (1.0, 0.7):
        rollout = pair.sample((7,), temperature=temperature)[0]
        whole = [*PROMPT, *rollout.completion_ids]
        expected = pair.logprobs(whole, temperature)[len(PROMPT) - 1 :]
        found = torch.tensor(rollout.sampler_logprobs)
        assert (found - expected).abs().max() <= 1e-4


def test_a_seed_repeats_its_completion_alone_and_among_siblings(pair: Pair) -> None:
    siblings = pair.sample((1, 2, 3, 4))
    alone = pair.sample((3,))[0]
    assert alone.completion_ids == siblings[2].completion_ids
    assert len({tuple(sibling.completion_ids) for sibling in siblings}) == 4


def test_a_completion_ends_at_any_of_the_end_tokens_and_keeps_it(pair: Pair) -> None:
    rollouts = pair.sample(tuple(range(48)), max_new_tokens=200)
    stopped = [rollout for rollout in rollouts if rollout.finish_reason == "stop"]
    assert {rollout.completion_ids[-1] for rollout in stopped} == set(END_TOKEN_IDS)
    for rollout in rollouts:
        assert not set(rollout.completion_ids[:-1]) & set(END_TOKEN_IDS)


def test_a_request_that_does_not_fit_fails_alone(pair: Pair) -> None:
    fits, long = token_ids([7] * CONTEXT), token_ids([7] * (CONTEXT + 2))

    async def ask() -> list[Logprobs | BaseException]:
        asked = [pair.engine.prompt_logprobs([one]) for one in (fits, long, fits)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        return [one if isinstance(one, BaseException) else one[0] for one in found]

    before, refused, after = asyncio.run(ask())
    assert isinstance(refused, ModelError)
    start = f"the engine refuses a request of {CONTEXT + 1} prompt tokens and at most 1 new ones: "
    assert str(refused).startswith(start)
    assert before == after

    with pytest.raises(AssertionError, match=f"a request of {CONTEXT + 2} prompt tokens and at"):
        pair.sample((1,), prompt=long)
    assert len(pair.sample((1,), max_new_tokens=1)) == 1


def test_pushed_weights_give_the_new_hugging_face_logprobs(pair: Pair) -> None:
    path = pair.perturb(seed=1)
    with pytest.raises(WeightSyncError, match="weight version 1 is not accepted"):
        probe_difference(pair, 1)
    asyncio.run(pair.engine.load_weights(path, 1))
    assert probe_difference(pair, 1) <= PROBE_TOLERANCE["float32"]
    rollout = pair.sample((5,))[0]
    assert [span.version for span in rollout.version_spans] == [1]
    expected = pair.logprobs([*PROMPT, *rollout.completion_ids])[len(PROMPT) - 1 :]
    assert (torch.tensor(rollout.sampler_logprobs) - expected).abs().max() <= 1e-4


def test_the_probe_catches_a_tied_head_that_was_not_packed_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_receiver, "repack_tied_head", lambda head, embedding: None)
    broken = pair.perturb(seed=2)
    asyncio.run(pair.engine.load_weights(broken, 2))
    if pair.model.config.tie_word_embeddings:
        with pytest.raises(WeightSyncError, match="weight version 2 is not accepted"):
            probe_difference(pair, 2)
    else:
        assert probe_difference(pair, 2) <= PROBE_TOLERANCE["float32"]
    monkeypatch.undo()
    asyncio.run(pair.engine.load_weights(broken, 2))
    assert probe_difference(pair, 2) <= PROBE_TOLERANCE["float32"]


LONG_PROMPT = token_ids([7 + i % 200 for i in range(100)])


def sampling(group_id: int, seeds: tuple[int, ...], max_new_tokens: int) -> SamplingRequest:
    prompt = PromptItem("p", "train", 0, LONG_PROMPT, "", "t", "d")
    return SamplingRequest(group_id, prompt, seeds, 1.0, 1.0, max_new_tokens)


def swapped_in_flight(pair: Pair, version: int) -> Rollout:
    """A completion of 20 tokens, five of them before a swap."""

    async def run() -> Rollout:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[Rollout] = loop.create_future()
        path = pair.perturb(seed=version)
        pair.engine.sample(
            [sampling(0, (11,), 20)],
            lambda _, rollout: loop.call_soon_threadsafe(finished.set_result, rollout),
            lambda error: loop.call_soon_threadsafe(finished.set_exception, error),
        )
        thread = pair.engine._thread

        def five_tokens(llm: LLMEngine) -> None:
            thread._fill(llm)
            for _ in range(5):
                llm.step()

        thread.call(five_tokens)
        await pair.engine.load_weights(path, version)
        return await asyncio.wait_for(finished, 60)

    rollout = asyncio.run(run())
    assert rollout.version_spans == (
        VersionSpan(version - 1, 0, 5),
        VersionSpan(version, 5, 20),
    )
    return rollout


def from_new_weights(pair: Pair, rollout: Rollout) -> float:
    """The largest distance of the log-probs sampled after the swap from the new weights' own."""
    whole = [*LONG_PROMPT, *rollout.completion_ids]
    expected = pair.logprobs(whole)[len(LONG_PROMPT) - 1 :]
    found = torch.tensor(rollout.sampler_logprobs)
    return float((found - expected)[rollout.version_spans[-1].start :].abs().max())


def test_an_update_in_flight_keeps_tokens_and_marks_each_version(pair: Pair) -> None:
    assert from_new_weights(pair, swapped_in_flight(pair, 3)) <= 1e-4


def test_kept_keys_and_values_are_of_older_weights_and_no_new_sequence_finds_them(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(pair.engine._settings, kv_on_update="keep")
    monkeypatch.setattr(pair.engine, "_settings", settings)
    assert from_new_weights(pair, swapped_in_flight(pair, 4)) > 1e-2
    after = pair.sample((1, 2), prompt=LONG_PROMPT)
    assert [from_new_weights(pair, rollout) <= 1e-4 for rollout in after] == [True, True]


def transferred_in_flight(pair: Pair, version: int) -> list[tuple[int, Rollout]]:
    """A transfer, verb by verb, that starts when each of group 0's eight siblings has five tokens;
    group 1 is asked for after that. Nothing of either ends before the commit."""
    path, engine, thread = pair.perturb(seed=version), pair.engine, pair.engine._thread

    async def run() -> list[tuple[int, Rollout]]:
        loop = asyncio.get_running_loop()
        finished: asyncio.Queue[tuple[int, Rollout] | BaseException] = asyncio.Queue()

        def put(item: tuple[int, Rollout] | BaseException) -> None:
            loop.call_soon_threadsafe(finished.put_nowait, item)

        def ask(group_id: int, seeds: tuple[int, ...]) -> None:
            request = sampling(group_id, seeds, 20)
            engine.sample([request], lambda group, rollout: put((group, rollout)), put)

        def five_tokens(llm: LLMEngine) -> None:
            thread._fill(llm)
            for _ in range(5):
                for output in llm.step():
                    thread._deliver(output)

        asked = threading.Event()
        # The engine comes to all of it at once, however the threads take their turns.
        thread.call(lambda _: asked.wait(60))
        ask(0, tuple(range(8)))
        thread.call(five_tokens)
        start = asyncio.create_task(engine.transfer("start_weight_update"))
        await asyncio.sleep(0)
        asked.set()
        await start
        ended = finished.qsize()
        ask(1, (8,))
        await engine.transfer("update_weights", {"path": str(path)})
        await engine.transfer("finish_weight_update")
        assert finished.qsize() == ended
        await engine.commit(version)
        found = [await asyncio.wait_for(finished.get(), 60) for _ in range(9)]
        return [one for one in found if not isinstance(one, BaseException)]

    found = asyncio.run(run())
    assert len(found) == 9
    return found


def test_from_the_start_of_a_transfer_to_its_commit_no_token_is_sampled(pair: Pair) -> None:
    asyncio.run(pair.engine.load_weights(pair.perturb(seed=7), 7))
    later = 0
    for group, rollout in transferred_in_flight(pair, 8):
        tokens = len(rollout.completion_ids)
        if group == 1:
            assert rollout.version_spans == (VersionSpan(8, 0, tokens),)
        elif tokens <= 5:
            assert rollout.version_spans == (VersionSpan(7, 0, tokens),)
            continue
        else:
            assert rollout.version_spans == (VersionSpan(7, 0, 5), VersionSpan(8, 5, tokens))
            later += 1
        assert from_new_weights(pair, rollout) <= 1e-4
    assert later > 0


def test_an_engine_that_joins_a_transfer_goes_on(pair: Pair) -> None:
    asyncio.run(pair.engine.transfer("init_weight_transfer_engine", {}))
    assert len(pair.sample((1,), max_new_tokens=1)) == 1


def cached_tokens(pair: Pair, siblings: int) -> list[int]:
    """Prompt tokens that each sibling found in the cache, in the order of their start."""
    finished: queue.Queue[int | BaseException] = queue.Queue()
    requests = [
        EngineRequest(
            group_id=0,
            prompt_ids=LONG_PROMPT.tolist(),
            params=sampling_params(sampling(0, (), 4), seed, ()),
            on_finish=lambda output: finished.put(output.num_cached_tokens),
            on_error=finished.put,
        )
        for seed in range(siblings)
    ]
    pair.engine._thread.submit(requests)
    found = [finished.get(timeout=60) for _ in requests]
    assert not any(isinstance(one, BaseException) for one in found), found
    return sorted(one for one in found if isinstance(one, int))


def test_siblings_compute_their_prompt_once_for_each_weight_version(pair: Pair) -> None:
    asyncio.run(pair.engine.load_weights(pair.perturb(seed=5), 5))
    assert cached_tokens(pair, 4) == [0, 96, 96, 96]
    assert cached_tokens(pair, 1) == [96]
    asyncio.run(pair.engine.load_weights(pair.perturb(seed=6), 6))
    assert cached_tokens(pair, 4) == [0, 96, 96, 96]


def test_an_aborted_group_never_comes_and_the_others_do(pair: Pair) -> None:
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        finished: asyncio.Queue[int | BaseException] = asyncio.Queue()
        put = finished.put_nowait
        # More than the engine takes at once: some of either group wait for their turn.
        requests = [sampling(group, tuple(range(48)), 100) for group in (1, 2)]
        pair.engine.sample(
            requests,
            lambda group, _: loop.call_soon_threadsafe(put, group),
            lambda error: loop.call_soon_threadsafe(put, error),
        )
        await pair.engine.abort([1])
        before = finished.qsize()
        found = [await asyncio.wait_for(finished.get(), 60) for _ in range(before + 48)]
        await pair.engine.prompt_logprobs([LONG_PROMPT])
        assert finished.empty() and not pair.engine._thread._running
        return [one for one in found if isinstance(one, int)]

    found = asyncio.run(run())
    assert found.count(2) == 48
    assert found.count(1) < 48


def test_what_is_urgent_does_not_wait_for_sequences_that_wait_for_their_turn(pair: Pair) -> None:
    async def run() -> int:
        loop = asyncio.get_running_loop()
        finished: asyncio.Queue[Rollout | BaseException] = asyncio.Queue()
        put = finished.put_nowait
        pair.engine.sample(
            [sampling(0, tuple(range(200)), 100)],
            lambda _, rollout: loop.call_soon_threadsafe(put, rollout),
            lambda error: loop.call_soon_threadsafe(put, error),
        )
        await pair.engine.prompt_logprobs([LONG_PROMPT], urgent=True)
        done = finished.qsize()
        for _ in range(200):
            assert isinstance(await asyncio.wait_for(finished.get(), 60), Rollout)
        return done

    assert asyncio.run(run()) < 100


def test_vllm_gets_no_batch_ahead_of_a_swap_and_several_gpus_without_ray(tmp_path: Path) -> None:
    for gpus, backend in ((1, None), (2, "mp")):
        settings = replace(
            tiny_engine_settings(tmp_path, threads=1),
            device="cuda",
            transfer="nccl",
            tensor_parallel=gpus,
        )
        args = engine_args(settings)
        assert (args.async_scheduling, args.distributed_executor_backend) == (False, backend)
