"""A job's rollouts as a store, step after step: no more than a few rows are in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from rkd_online.errors import RecordError
from rkd_online.export.choice import KnownJob
from rkd_online.export.folder import export_folder
from rkd_online.export.model_card import task_name
from rkd_online.files import PARQUET, by_step
from rkd_online.models.tokenizer import decoder, load_tokenizer
from rkd_online.run.records import RunFolder
from rkd_online.run.setup_record import read_setup
from rkd_online.spec.store_files import StoreManifest
from rkd_online.spec.training import StoreSource
from rkd_online.store.card import write_card
from rkd_online.store.columns import store_table
from rkd_online.store.record import RECORD
from rkd_online.store.writer import SHARD_ROWS, ShardWriter

ROWS_AT_ONCE: Final = 256


def export_rollouts(
    job: KnownJob, out: Path, *, force: bool, shard_rows: int = SHARD_ROWS
) -> StoreManifest:
    """Write every rollout of the job so far, whole or not at all; returns what was written.

    Raises RecordError where there are none, or ``out`` cannot be written.
    """
    files = rollout_files(job.run)
    if not files:
        raise RecordError(_none(job))
    decode = decoder(load_tokenizer(_tokenizer_folder(job)))
    with export_folder(out, force=force) as folder:
        writer = ShardWriter(folder, shard_rows=shard_rows)
        for step, path in files.items():
            for rows in _read(path):
                writer.write(
                    store_table(rows, step=step, correct_at=job.spec.correct_at, decode=decode)
                )
        writer.close()
        manifest = _manifest(job, writer)
        write_card(folder, manifest)
    return manifest


def rollout_files(run: RunFolder) -> dict[int, Path]:
    """The record of each step, in order. What an attempt did after the step from which the next one
    went on does not count."""
    found: dict[int, Path] = {}
    for attempt in run.attempts():
        own = by_step(attempt.rollout_files, PARQUET)
        first = min(own, default=None)
        if first is not None:
            found = {step: path for step, path in found.items() if step < first} | own
    return found


def _read(path: Path) -> Iterator[pa.Table]:
    with parquet.ParquetFile(path) as file:
        missing = [name for name in RECORD.names if name not in file.schema_arrow.names]
        if missing:
            raise RecordError(
                f"{path} has no column {missing[0]!r}: another version of rkd wrote it"
            )
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
            yield pa.Table.from_batches([batch])


def _tokenizer_folder(job: KnownJob) -> Path:
    """Every checkpoint has the policy's tokenizer."""
    kept = job.run.checkpoints()
    if not kept:
        raise RecordError(f"job {job.name} has no checkpoint, whose tokenizer its texts need")
    return kept[min(kept)]


def _manifest(job: KnownJob, writer: ShardWriter) -> StoreManifest:
    sampled = [one for one in job.run.attempts() if one.rollout_files.is_dir()]
    setup = read_setup(sampled[-1].setup)
    teachers = [one.model for one in job.spec.teachers.values()]
    return StoreManifest(
        source=f"job {job.name}",
        task=task_name(job.spec),
        sampled_by=job.spec.policy.model,
        judged_by=", ".join(teachers) or None,
        tokenizer=setup.tokenizer,
        end_token_ids=setup.end_token_ids,
        correct_at=job.spec.correct_at,
        groups=writer.groups,
        rows=writer.rows,
        versions=setup.versions,
        created=datetime.now(UTC),
    )


def _none(job: KnownJob) -> str:
    source = job.spec.rollout.source
    if isinstance(source, StoreSource):
        return f"job {job.name} has no rollouts of its own: it learns from the store {source.path}"
    return f"job {job.name} has no rollouts yet: its first step is not done"
