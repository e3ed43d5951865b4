"""What the engine's time goes to when it samples the bundled student: the bound of any step that
waits for it. In a process of its own, on one thread: ``python -m benchmarks.engine_parts``.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import ROOT, Figure, Result, result
from rkd_online.inference.environment import prepare_engine_process
from rkd_online.types import Rollout, SamplingRequest

if TYPE_CHECKING:
    from rkd_online.inference.engine import Engine

STEPS: Final = 8
"""Training steps whose rollouts are sampled at once, so that hardly a forward pass is not full."""
ROUNDS: Final = 4
"""The first warms up."""
LONGEST_SECONDS: Final = 300.0
FORWARD: Final = "forward pass of the model"
WHOLE: Final = "all else of a step"


def measure() -> Result:
    """Rollouts per second of the engine alone, and the share of each part of its work."""
    command = [sys.executable, "-m", "benchmarks.engine_parts"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found = json.loads(said.stdout.splitlines()[-1])
    shares = sorted(found["shares"].items(), key=lambda part: -part[1])
    return result(
        "engine-parts",
        "The engine alone, sampling the bundled student on one thread",
        [
            Figure(what="rollouts", value=found["rollouts"], unit="rollouts/s"),
            Figure(what="completion tokens", value=found["tokens"], unit="tokens/s"),
            Figure(what="sequences in a forward pass, mean", value=found["sequences"], unit=""),
            *(Figure(what=part, value=100 * share, unit="%") for part, share in shares),
        ],
    )


class Parts:
    """Seconds and calls by part; of a call within another the outer one does not count it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._within = [0.0]

    def clear(self) -> None:
        """Count from here."""
        self.seconds.clear()
        self.calls.clear()

    def time(self, owner: Any, method: str, part: str) -> None:
        """Count every call of this method of this object."""
        setattr(owner, method, self._timed(getattr(owner, method), part))

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            self._within.append(0.0)
            try:
                return call(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - started
                self.seconds[part] += seconds - self._within.pop()
                self.calls[part] += 1
                self._within[-1] += seconds

        return timed


def main() -> None:
    """Measure and print JSON."""
    prepare_engine_process("cpu")
    print(json.dumps(_measure()))


def _measure() -> dict[str, Any]:
    from benchmarks.our_step import OurSetting, job_spec
    from benchmarks.step_cases import CASES
    from rkd_online.inference.engine import Engine
    from rkd_online.run.prepare import prepare
    from rkd_online.run.prompts import PromptStream
    from rkd_online.spec import JobSpec

    case = CASES["small"]
    spec = JobSpec.model_validate(job_spec(case, OurSetting(0, 1, 1, 4_096), STEPS * ROUNDS))
    with tempfile.TemporaryDirectory() as run:
        setup = prepare(Path(run), 1, spec, "file")
    prompts, parts = PromptStream(setup), Parts()
    engine = Engine(setup.generator_settings(setup.policy))
    engine._thread.call(lambda llm: _install(parts, llm)).result(LONGEST_SECONDS)
    groups = STEPS * case.prompts_per_step
    seconds, tokens = [], []
    for number in range(ROUNDS):
        requests = [prompts.request(number * groups + group) for group in range(groups)]
        parts.clear()
        started = time.perf_counter()
        rollouts = _sample(engine, requests)
        seconds.append(time.perf_counter() - started)
        tokens.append(sum(len(rollout.completion_ids) for rollout in rollouts))
    engine.close()
    return {
        "rollouts": groups * case.group_size / min(seconds[1:]),
        "tokens": max(count / spent for count, spent in zip(tokens[1:], seconds[1:], strict=True)),
        "sequences": tokens[-1] / parts.calls[FORWARD],
        "shares": {part: spent / seconds[-1] for part, spent in parts.seconds.items()},
    }


def _install(parts: Parts, llm: Any) -> None:
    """Time what an engine step is made of, on this version of vLLM."""
    core = llm.engine_core.engine_core
    runner = core.model_executor.driver_worker.worker.model_runner
    parts.time(llm, "step", WHOLE)
    parts.time(llm, "add_request", "taking requests in")
    parts.time(core.scheduler, "schedule", "scheduling")
    parts.time(core.scheduler, "update_from_output", "keeping book of new tokens")
    parts.time(llm.output_processor, "process_outputs", "making outputs")
    parts.time(runner, "execute_model", "making the model's inputs")
    parts.time(runner, "sample_tokens", "sampling and log-probs")
    parts.time(runner, "_model_forward", FORWARD)


def _sample(engine: "Engine", requests: Sequence[SamplingRequest]) -> list[Rollout]:
    rollouts: list[Rollout] = []
    count = sum(len(request.seeds) for request in requests)
    done: Future[None] = Future()

    def keep(group: int, rollout: Rollout) -> None:
        rollouts.append(rollout)
        if len(rollouts) == count:
            done.set_result(None)

    engine.sample(requests, keep, done.set_exception)
    done.result(LONGEST_SECONDS)
    return rollouts


if __name__ == "__main__":
    main()
