"""Event files that TensorBoard reads: one folder for a job, one file for each attempt."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rkd_online.metrics.trackers.backend import Ending, Stamped, Unusable
from rkd_online.metrics.trackers.scalars import scalars

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class EventFiles:
    """A `Backend` that writes event files into a folder."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def start(self) -> None:
        """See that the package is there; a file is made for the first step."""
        try:
            import torch.utils.tensorboard  # noqa: F401
        except ImportError as error:
            raise Unusable(
                f"not installed where the job runs ({error}): install rkd-online[tensorboard] there"
            ) from error

    def write(self, reports: Sequence[Stamped]) -> None:
        """Append to the file, or begin one: readers then forget what an earlier one has of these
        steps and of all behind them."""
        try:
            writer = self._open(reports[0].report.step)
            for stamped in reports:
                for name, value in scalars(stamped.report).items():
                    step, seconds = stamped.report.step, stamped.seconds
                    writer.add_scalar(name, value, step, walltime=seconds)
            writer.flush()
        except Exception:
            # A writer that failed once takes nothing more.
            self._close()
            raise

    def end(self, ending: Ending) -> None:
        """Close the file."""
        self._close()

    def _open(self, step: int) -> "SummaryWriter":
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        return self._writer

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(Exception):  # what it was given was flushed, or has failed
                writer.close()
