"""New weights in a running engine: what is written, what the engine stands still for, what of that
is its own repacking. Each size has a process of its own: ``python -m benchmarks.weight_swap SIZE``.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.results import ROOT, Figure, Goal, Result, Row, result
from rkd_online.inference.environment import prepare_engine_process

REPEATS: Final = 7
IN_FLIGHT: Final = 32
VOCABULARIES: Final = {"1M": 10_000, "10M": 32_000, "100M": 32_000}


def measure() -> Result:
    """Milliseconds at 1M, 10M and 100M parameters."""
    rows: list[Row] = []
    for size in VOCABULARIES:
        command = [sys.executable, "-m", "benchmarks.weight_swap", size]
        said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found = json.loads(said.stdout.splitlines()[-1])
        label = f"{found['parameters'] / 1e6:.1f}M parameters"
        rows += [
            Figure(what=f"{label}: file and digest written", value=found["write"], unit="ms"),
            Figure(
                what=f"{label}: digest compared, engine running", value=found["digest"], unit="ms"
            ),
            Figure(what=f"{label}: swap, engine standing still", value=found["swap"], unit="ms"),
            Figure(
                what=f"{label}: swap and probe under {IN_FLIGHT} sequences in flight",
                value=found["in_flight"],
                unit="ms",
            ),
            Goal(
                what=f"{label}: swap over the engine's own repacking of tensors in memory",
                value=found["swap"] / found["repack"],
                unit="x",
                bound="at most",
                limit=2,
            ),
        ]
    return result("weight-swap", "New weights in a running engine", rows)


def main() -> None:
    """Measure one size and print JSON."""
    prepare_engine_process("cpu")
    print(json.dumps(asyncio.run(_measure(sys.argv[1]))))


async def _measure(size: str) -> dict[str, float]:
    from benchmarks.models import SHAPES, Shape, make_model, make_tokenizer
    from rkd_online.inference.engine import Engine
    from rkd_online.inference.settings import EngineSettings
    from rkd_online.types import PromptItem, SamplingRequest, logprobs, token_ids
    from rkd_online.weights.files import WeightFiles, check_digest
    from rkd_online.weights.probe import probe_ids

    shapes = SHAPES | {"1M": Shape(width=64, layers=5, heads=2, kv_heads=1, head_size=32)}
    model = make_model(shapes[size], VOCABULARIES[size])
    tensors = {name: tensor.detach() for name, tensor in model.named_parameters()}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        folder = Path(place)
        model.save_pretrained(folder / "model")
        make_tokenizer(VOCABULARIES[size]).save_pretrained(folder / "model")
        engine = Engine(
            EngineSettings(
                model=folder / "model",
                end_token_ids=(1,),
                context_length=512,
                max_sequences=IN_FLIGHT,
                kv_cache_bytes=512 << 20,
                device="cpu",
                precision="float32",
                tensor_parallel=1,
                threads=1,
                transfer="file",
                kv_on_update="recompute",
                start_seconds=300.0,
            )
        )
        files = WeightFiles(folder / "weights", 1)
        published = files.publish(1, tensors, logprobs([]))
        path, probe = Path(published.location), probe_ids(VOCABULARIES[size], 512)

        def repack(llm: Any) -> None:
            llm.collective_rpc("start_weight_update")
            llm.collective_rpc(
                "apply_model", args=(lambda inner: inner.load_weights(tensors.items()) and None,)
            )
            llm.collective_rpc("finish_weight_update")

        async def swap() -> None:
            await engine.load_weights(path, 1)

        async def swap_and_probe() -> None:
            await swap()
            await engine.prompt_logprobs([probe], urgent=True)

        async def repacked() -> None:
            await asyncio.wrap_future(engine._thread.call(repack))

        found = {
            "parameters": float(sum(tensor.numel() for tensor in tensors.values())),
            "write": _median(lambda: files.publish(1, tensors, logprobs([]))),
            "digest": _median(lambda: check_digest(published)),
            "swap": await _median_of(swap),
            "repack": await _median_of(repacked),
        }
        item = PromptItem("p", "train", 0, token_ids(range(2, 130)), "", "t", "d")
        request = SamplingRequest(0, item, tuple(range(IN_FLIGHT)), 1.0, 1.0, 380)
        engine.sample([request], lambda group, rollout: None, lambda error: None)
        found["in_flight"] = await _median_of(swap_and_probe)
        await engine.abort([0])
        engine.close()
    return found


def _median(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


async def _median_of(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        await work()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


if __name__ == "__main__":
    main()
