"""What a run writes, on its way to the store."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects import outbox as module
from rkd_online.objects.job import JobObjects
from rkd_online.objects.outbox import Outbox
from rkd_online.types import StepReport
from tests.unit.objects.stores import break_, node, noting

OWN = "attempts/2"


class Run:
    """The second attempt of a job, on a node of its own."""

    def __init__(self, tmp_path: Path) -> None:
        self.objects = node(tmp_path, "node")
        self.stored = node(tmp_path, "reader")
        self.told: list[str] = []
        self.outbox = Outbox(self.objects, 2, self.told.append)

    def write(self, path: str, content: str) -> None:
        place = self.objects.here(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a" if path.endswith("jsonl") else "w") as file:
            file.write(content)

    def names(self) -> list[str]:
        return list(self.stored.find(""))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.02)
    run = Run(tmp_path)
    yield run
    run.outbox.close()


def line(objects: JobObjects) -> str:
    return objects.pull_grown(f"{OWN}/metrics.jsonl").read_text()


def test_everything_but_checkpoints_and_what_is_half_written_is_stored(run: Run) -> None:
    run.write(f"{OWN}/metrics.jsonl", "1\n")
    run.write(f"{OWN}/setup.json", "{}")
    run.write(f"{OWN}/rollouts/step-000001.parquet", "rows")
    run.write(f"{OWN}/rollouts/.step-000002.parquet.partial", "ro")
    run.write(f"{OWN}/checkpoints/step-000001/model.safetensors", "weights")
    run.write(f"{OWN}/unsent.jsonl", "{}\n")
    run.write("attempts/1/metrics.jsonl", "of another attempt\n")
    run.write("evaluations/student-before.json", "{}")
    run.write("tensorboard/events.out.tfevents.1", "curve")
    run.write("report.json", "{}")
    run.write("report.png", "png")
    run.outbox.flush(30)
    assert run.names() == [
        f"{OWN}/metrics.jsonl/000000",
        f"{OWN}/rollouts/step-000001.parquet",
        f"{OWN}/setup.json",
        "evaluations/student-before.json",
        "report.json",
        "report.png",
        "tensorboard/events.out.tfevents.1",
    ]
    run.outbox.close()
    run.outbox.leave()
    assert f"{OWN}/unsent.jsonl" in run.names()


def test_rollouts_leave_the_node_and_other_files_stay(run: Run) -> None:
    run.write(f"{OWN}/rollouts/step-000001.parquet", "rows")
    run.write("evaluations/student-before.json", "{}")
    run.outbox.flush(30)
    assert not run.objects.here(f"{OWN}/rollouts/step-000001.parquet").exists()
    assert run.objects.here("evaluations/student-before.json").exists()


def test_what_grows_or_is_replaced_is_stored_again_and_nothing_else(run: Run) -> None:
    run.write(f"{OWN}/metrics.jsonl", "1\n")
    run.write(f"{OWN}/setup.json", "{}")
    run.outbox.flush(30)
    counting = break_(run.objects, 0, "put_file", "pipe_file")
    run.write(f"{OWN}/metrics.jsonl", "2\n")
    run.outbox.flush(30)
    assert (line(run.stored), counting.calls) == ("1\n2\n", 1)
    run.write("report.json", "{}")
    run.outbox.flush(30)
    run.write("report.json", "{...}")
    run.outbox.flush(30)
    assert run.stored.pull("report.json").read_text() == "{...}"
    assert counting.calls == 3


def test_the_report_is_stored_last(run: Run) -> None:
    names: list[str] = []
    run.objects.store.put = noting(names, 0, run.objects.store.put)  # type: ignore[method-assign]
    for path in ("report.json", "report.png", "evaluations/teacher.json", f"{OWN}/setup.json"):
        run.write(path, "{}")
    run.outbox.flush(30)
    assert names == ["setup.json", "teacher.json", "report.png", "report.json"]


def test_a_store_that_hangs_keeps_no_step_waiting(run: Run) -> None:
    go_on = threading.Event()
    put = run.objects.store.put
    run.objects.store.put = lambda file, name: (go_on.wait(30), put(file, name))  # type: ignore[assignment,method-assign]
    run.write("report.json", "{}")
    start = time.monotonic()
    for step in range(1000):
        run.outbox.report(StepReport(step, step, 0, {}, {}))
    told_within = time.monotonic() - start
    with pytest.raises(ObjectStoreError, match="after 0 s: they are still being sent"):
        run.outbox.flush(0.05)
    go_on.set()
    run.outbox.flush(30)
    assert run.names() == ["report.json"]
    assert told_within < 5


def test_a_store_that_fails_is_told_once_and_again_when_it_works(run: Run) -> None:
    failing = break_(run.objects, float("inf"), "put_file")
    run.write("report.json", "{}")
    with pytest.raises(ObjectStoreError, match=r"not in file:.* the line is dead"):
        run.outbox.flush(1)
    failing.left = 0
    run.outbox.flush(30)
    assert len(run.told) == 2
    assert run.told[0].startswith("the object store takes no records; they wait on this node: ")
    assert run.told[1] == "the object store takes records again"
    assert run.names() == ["report.json"]


def in_thread(work: Callable[[], None]) -> tuple[threading.Thread, list[Exception]]:
    """What it raises is kept."""
    raised: list[Exception] = []

    def kept() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=kept, daemon=True)
    thread.start()
    return thread, raised


def test_who_waits_for_the_records_is_told_when_the_run_leaves(run: Run) -> None:
    break_(run.objects, float("inf"), "put_file")
    run.write("report.json", "{}")
    waiting, raised = in_thread(lambda: run.outbox.flush(600))
    while run.outbox._problem is None:
        time.sleep(0.01)
    run.outbox.close()
    waiting.join(30)
    assert not waiting.is_alive()
    (error,) = raised
    assert str(error).startswith(
        f"the records of the run are not in {run.objects} when the run ends: writing runs/job-1/"
    )
    with pytest.raises(ObjectStoreError, match="when the run ends: writing runs/job-1/"):
        run.outbox.flush(600)


def test_what_is_being_sent_at_the_end_is_waited_for_with_a_bound(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, go_on = threading.Event(), threading.Event()
    put = run.objects.store.put

    def slow(file: Path, name: str) -> None:
        sending.set()
        go_on.wait(60)
        put(file, name)

    monkeypatch.setattr(run.objects.store, "put", slow)
    monkeypatch.setattr(module, "LEAVE_SECONDS", 0.05)
    run.write("report.json", "{}")
    run.write(f"{OWN}/unsent.jsonl", "{}\n")
    run.outbox.report(StepReport(1, 1, 0, {}, {}))
    assert sending.wait(60)
    run.outbox.close()
    with pytest.raises(ObjectStoreError, match=r"not in file:.* 0 s after its end: they are still"):
        run.outbox.leave()
    assert run.names() == []
    monkeypatch.setattr(module, "LEAVE_SECONDS", 60)
    go_on.set()
    run.outbox.leave()
    assert run.names() == [f"{OWN}/unsent.jsonl", "report.json"]


def test_a_sender_that_has_ended_is_not_waited_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    monkeypatch.setattr(run.outbox, "_send", lambda: 1 / 0)
    with pytest.raises(
        ObjectStoreError, match="when the run ends: ZeroDivisionError: division by zero"
    ):
        run.outbox.flush(600)
