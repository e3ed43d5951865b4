"""One thread that owns a vLLM engine: it steps, and every other operation runs between two steps.

Consumes commands from a queue; produces finished outputs through each request's callback. While
nothing runs, or an operation holds it, it waits for the next command. At most ``at_once`` requests
are in the engine, the others wait here in their order, so that an urgent request never waits for
them. A request that vLLM refuses fails alone; any other error ends the thread and fails every
pending and later command with that error. A command that is cancelled before its turn is left out.
The engines of one process take turns.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vllm.exceptions import VLLMClientError
from vllm.outputs import RequestOutput
from vllm.sampling_params import SamplingParams
from vllm.v1.engine.llm_engine import LLMEngine

from rkd_online.errors import ClusterError, ModelError
from rkd_online.models.threads import use_threads

T = TypeVar("T")

ONE_AT_A_TIME = threading.Lock()
"""vLLM keeps the context of a forward pass, and its attention on CPU the scratch memory, in globals
of the process: two engines that step at once corrupt each other's memory."""


URGENT, ORDINARY = 0, 1
"""Priorities of requests: the engine takes the smaller first."""


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """One sequence for the engine. The callbacks run on the engine's thread: ``on_finish`` once, or
    ``on_error``, which can come more than once. ``group_id`` is what ``abort`` knows it by."""

    group_id: int
    prompt_ids: list[int]
    params: SamplingParams
    on_finish: Callable[[RequestOutput], object]
    on_error: Callable[[BaseException], object]


@dataclass(frozen=True, slots=True)
class _Operation:
    run: Callable[[LLMEngine], Any]
    result: "Future[Any]"


class EngineThread:
    """Starts the engine and steps it until ``close``."""

    def __init__(
        self,
        build: Callable[[], LLMEngine],
        *,
        model: Path,
        at_once: int,
        threads: int,
        start_timeout: float,
    ) -> None:
        self._build = build
        self._threads = threads
        self._at_once = at_once
        self._commands: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._waiting: deque[EngineRequest] = deque()
        self._running: dict[str, EngineRequest] = {}
        self._next_id = 0
        self._held = False
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._main, name="rkd-engine", daemon=True)
        self._thread.start()
        self._wait_for_start(model, start_timeout)

    def call(self, operation: Callable[[LLMEngine], T]) -> "Future[T]":
        """Run ``operation`` on the engine's thread, between two steps."""
        future: Future[T] = Future()
        with self._lock:
            if self._failure is not None:
                future.set_exception(self._failure)
            else:
                self._commands.put(_Operation(operation, future))
        return future

    def submit(self, requests: list[EngineRequest], *, urgent: bool = False) -> None:
        """Enqueue all requests before the engine takes its next step; urgent ones before any that
        wait or run."""

        def enqueue(engine: LLMEngine) -> None:
            if urgent:
                for request in requests:
                    self._add(engine, request, URGENT)
            else:
                self._waiting.extend(requests)

        def report(done: "Future[None]") -> None:
            error = done.exception()
            if error is not None:
                for request in requests:
                    request.on_error(error)

        self.call(enqueue).add_done_callback(report)

    def abort(self, group_ids: Collection[int]) -> "Future[None]":
        """Forget the requests of these groups; none of their callbacks is called after this."""

        def forget(engine: LLMEngine) -> None:
            self._waiting = deque(one for one in self._waiting if one.group_id not in group_ids)
            keys = [key for key, one in self._running.items() if one.group_id in group_ids]
            engine.abort_request(keys)
            for key in keys:
                del self._running[key]

        return self.call(forget)

    def hold(self) -> None:
        """Take no step until ``release``; operations go on. To be called by an operation."""
        self._held = True

    def release(self) -> None:
        """Step again after this operation, which calls it; without a hold nothing changes."""
        self._held = False

    def close(self, timeout: float = 30.0) -> None:
        """Stop stepping and shut the engine down."""
        self._commands.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise ClusterError(f"the engine's thread did not end within {timeout:.0f} s")

    def _wait_for_start(self, model: Path, timeout: float) -> None:
        started = self.call(lambda engine: None)
        try:
            started.result(timeout)
        except TimeoutError as error:
            if started.done():
                raise
            self._commands.put(None)
            raise ClusterError(
                f"the engine of {model} did not start within {timeout:g} s: its weights are not "
                "loaded or its kernels not compiled; look at the load of its node and at its disk"
            ) from error

    def _main(self) -> None:
        use_threads(self._threads)
        try:
            with ONE_AT_A_TIME:
                engine = self._build()
            while self._run_commands(engine):
                with ONE_AT_A_TIME:
                    self._fill(engine)
                    outputs = engine.step()
                for output in outputs:
                    self._deliver(output)
            with ONE_AT_A_TIME:
                engine.engine_core.shutdown()
            self._fail(ClusterError("the engine is closed"))
        except BaseException as error:
            self._fail(error)

    def _run_commands(self, engine: LLMEngine) -> bool:
        """Run what is queued, waiting while it is held or has nothing to step; False at the end."""
        while True:
            idle = not self._waiting and not engine.has_unfinished_requests()
            try:
                command = self._commands.get(block=idle or self._held)
            except queue.Empty:
                return True
            if command is None:
                return False
            if command.result.set_running_or_notify_cancel():
                _run(command, engine)

    def _fill(self, engine: LLMEngine) -> None:
        while self._waiting and len(self._running) < self._at_once:
            self._add(engine, self._waiting.popleft(), ORDINARY)

    def _add(self, engine: LLMEngine, request: EngineRequest, priority: int) -> None:
        key = str(self._next_id)
        self._next_id += 1
        prompt = {"prompt_token_ids": request.prompt_ids}
        # Of one priority the engine takes the earliest; a clock could give two the same time.
        place = float(self._next_id)
        try:
            engine.add_request(key, prompt, request.params, arrival_time=place, priority=priority)
        except VLLMClientError as error:
            request.on_error(_refusal(request, error))
        else:
            self._running[key] = request

    def _deliver(self, output: Any) -> None:
        if isinstance(output, RequestOutput) and output.finished:
            self._running.pop(output.request_id).on_finish(output)

    def _fail(self, error: BaseException) -> None:
        """Fail what is pending now, and with it whatever comes later."""
        with self._lock:
            self._failure = error
        for request in [*self._running.values(), *self._waiting]:
            request.on_error(error)
        self._running.clear()
        self._waiting.clear()
        while not self._commands.empty():
            command = self._commands.get()
            if command is not None and command.result.set_running_or_notify_cancel():
                command.result.set_exception(error)


def _run(command: _Operation, engine: LLMEngine) -> None:
    try:
        with ONE_AT_A_TIME:
            result = command.run(engine)
    except BaseException as error:
        command.result.set_exception(error)
        raise
    command.result.set_result(result)


def _refusal(request: EngineRequest, error: VLLMClientError) -> ModelError:
    return ModelError(
        f"the engine refuses a request of {len(request.prompt_ids)} prompt tokens and at most "
        f"{request.params.max_tokens} new ones: {error}"
    )
