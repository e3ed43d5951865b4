"""Models measured one after the other, with what goes on shown, and what came out."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from rkd_online.cli.terminal import own_terminal
from rkd_online.errors import RecordError, RkdError
from rkd_online.evaluation.model_tables import tables
from rkd_online.evaluation.record import Evaluation
from rkd_online.spec.decoding import DISTRIBUTIONS, Decoding
from rkd_online.spec.job import JobSpec
from rkd_online.types import Split

if TYPE_CHECKING:
    from rkd_online.run.examination import Watch

COLUMNS: Final = (
    TextColumn("{task.description}"),
    BarColumn(bar_width=24),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
)


def measure_all(specs: Mapping[str, JobSpec], split: Split) -> list[Evaluation]:
    """The models by name, each with what it is asked."""
    from rkd_online.inference.environment import prepare_engine_process

    prepare_engine_process(next(iter(specs.values())).resources.device)
    with (
        _quiet() as terminal,
        Progress(*COLUMNS, console=terminal, disable=not terminal.is_terminal) as progress,
    ):
        return [_measure(name, spec, split, progress) for name, spec in specs.items()]


@contextmanager
def progress_bar(device: Literal["cpu", "cuda"], said: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over prompts that is up before the heavy imports, and tells how many are answered of
    how many. Without a terminal a line at the end."""
    from rkd_online.inference.environment import prepare_engine_process

    prepare_engine_process(device)
    with (
        _quiet() as terminal,
        Progress(*COLUMNS, console=terminal, disable=not terminal.is_terminal) as progress,
    ):
        bar = progress.add_task(said, total=None)

        def watch(answered: int, prompts: int) -> None:
            if progress.disable and answered == prompts:
                progress.console.print(f"{prompts} prompts answered", highlight=False)
            progress.update(bar, description="sampling", completed=answered, total=prompts)

        yield watch


def _measure(name: str, spec: JobSpec, split: Split, progress: Progress) -> Evaluation:
    """The display is up before the heavy imports, which take seconds."""
    watch = _watch(name, spec.evaluation.decoding, progress)
    from rkd_online.run.standalone import evaluate_model

    return evaluate_model(spec, name, split, watch)


def _watch(name: str, decodings: Sequence[Decoding], progress: Progress) -> "Watch":
    """A bar over the prompts of all decodings. Without a terminal a line for each decoding."""
    bar = progress.add_task(f"{name}: loading", total=None)

    def watch(decoding: Decoding, answered: int, prompts: int) -> None:
        words = DISTRIBUTIONS[decoding].words
        if progress.disable and answered == prompts:
            line = f"{name}: {prompts} prompts answered, {words}"
            progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
        progress.update(
            bar,
            description=f"{name}: {words}",
            completed=decodings.index(decoding) * prompts + answered,
            total=len(decodings) * prompts,
        )

    return watch


@contextmanager
def _quiet() -> Iterator[Console]:
    """A terminal of our own; what libraries print stays where it may explain an error."""
    log = Path(tempfile.gettempdir()) / f"rkd-eval-{os.getpid()}.log"
    try:
        with own_terminal(log) as terminal:
            yield terminal
    except (RkdError, KeyboardInterrupt):
        log.unlink()
        raise
    log.unlink()


def show(console: Console, found: Sequence[Evaluation]) -> None:
    """The models side by side, then each beside the first."""
    from rkd_online.evaluation.compare import compare
    from rkd_online.evaluation.comparison_table import render_comparison

    first, *others = found
    asked = first.asked
    head = f"\n{asked.task} · {len(first.prompts)} {asked.split} prompts · answers of at most "
    console.print(Text(f"{head}{asked.max_new_tokens:,} tokens\n"))
    decodings = {
        decoding: {one.model: one.decodings[decoding].measurement for one in found}
        for decoding in first.decodings
    }
    console.print(*tables(decodings), sep="\n")
    for other in others:
        console.print(render_comparison(compare(first, other)))


def write(console: Console, found: Sequence[Evaluation], folder: Path) -> None:
    """One file per model."""
    for one in found:
        path = folder / f"{one.model.strip('/').replace('/', '-')}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(one.model_dump_json() + "\n")
        except OSError as error:
            raise RecordError(f"--out {path} cannot be written: {error.strerror}") from error
        console.print(f"written: {path}", highlight=False, soft_wrap=True)
