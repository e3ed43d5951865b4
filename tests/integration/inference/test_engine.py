"""The real engine against the Hugging Face forward of the same weights, tied and untied, and of an
architecture that keeps its embedding elsewhere."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from rkd_online.errors import ModelError, WeightSyncError
from rkd_online.inference import weight_receiver
from rkd_online.inference.engine import Engine
from rkd_online.inference.settings import EngineSettings
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
    engine = Engine(
        EngineSettings(
            model=folder / "model",
            end_token_ids=END_TOKEN_IDS,
            context_length=CONTEXT,
            max_sequences=64,
            kv_cache_bytes=32 << 20,
            device="cpu",
            transfer="file",
            start_seconds=60.0,
        )
    )
    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32).eval()
    yield Pair(engine, model, folder)
    engine.close()


def probe_difference(pair: Pair, version: int) -> float:
    ids = probe_ids(pair.model.config.vocab_size, CONTEXT)
    engine = asyncio.run(pair.engine.prompt_logprobs([ids]))[0]
    learner = pair.logprobs(ids.tolist())
    return check_probe(version, logprobs(learner.tolist()), [engine])


def test_loaded_weights_give_the_hugging_face_logprobs(pair: Pair) -> None:
    assert probe_difference(pair, 0) <= PROBE_TOLERANCE


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
    assert probe_difference(pair, 1) <= PROBE_TOLERANCE
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
        assert probe_difference(pair, 2) <= PROBE_TOLERANCE
    monkeypatch.undo()
    asyncio.run(pair.engine.load_weights(broken, 2))
    assert probe_difference(pair, 2) <= PROBE_TOLERANCE


def test_an_update_in_flight_keeps_tokens_and_marks_each_version(pair: Pair) -> None:
    async def run() -> Rollout:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[Rollout] = loop.create_future()
        path = pair.perturb(seed=3)
        prompt = PromptItem("p", "train", 0, PROMPT, "", "t", "d")
        pair.engine.sample(
            [SamplingRequest(0, prompt, (11,), 1.0, 1.0, 20)],
            lambda _, rollout: loop.call_soon_threadsafe(finished.set_result, rollout),
            lambda error: loop.call_soon_threadsafe(finished.set_exception, error),
        )
        # Five steps are five tokens; the swap is then the next operation.
        pair.engine._thread.call(lambda engine: [engine.step() for _ in range(5)])
        await pair.engine.load_weights(path, 3)
        return await asyncio.wait_for(finished, 60)

    rollout = asyncio.run(run())
    assert rollout.version_spans == (VersionSpan(2, 0, 5), VersionSpan(3, 5, 20))
    expected = pair.logprobs([*PROMPT, *rollout.completion_ids])[len(PROMPT) - 1 :]
    new = torch.tensor(rollout.sampler_logprobs)[5:]
    assert (new - expected[5:]).abs().max() <= 1e-4
