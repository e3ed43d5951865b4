"""Rows into shards of a bounded number of rows, as they come."""

from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from rkd_online.spec.store_files import SHARDS
from rkd_online.store.columns import SCHEMA

SHARD_ROWS: Final = 16_384


def shard_path(folder: Path, number: int) -> Path:
    """Where shard ``number`` of a store lies, from 0; in the order of the names."""
    return folder / SHARDS / f"part-{number:05d}.parquet"


class ShardWriter:
    """Writes a store's shards one after the other; holds one table at a time."""

    def __init__(self, folder: Path, *, shard_rows: int = SHARD_ROWS) -> None:
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._shard_rows = shard_rows
        self._writer: parquet.ParquetWriter | None = None
        self._room = 0
        self._shards = 0
        self.rows = 0
        self.groups = 0
        self._group: tuple[int, int] | None = None

    def write(self, table: pa.Table) -> None:
        """Append rows, whose groups are whole one after the other."""
        for group in zip(table["step"].to_pylist(), table["group_id"].to_pylist(), strict=True):
            self.groups += group != self._group
            self._group = group
        self.rows += len(table)
        while len(table):
            if self._room == 0:
                self._next_shard()
            part = table.slice(0, self._room)
            assert self._writer is not None
            self._writer.write_table(part)
            self._room -= len(part)
            table = table.slice(len(part))

    def close(self) -> None:
        """End the last shard."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _next_shard(self) -> None:
        self.close()
        path = shard_path(self._folder, self._shards)
        self._writer = parquet.ParquetWriter(path, SCHEMA, compression="zstd")
        self._shards += 1
        self._room = self._shard_rows
