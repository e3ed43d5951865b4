"""A checkpoint as one tar, made while it is sent: no temporary file, and a length that is known."""

import os
import tarfile
from collections.abc import Iterator, Sequence
from typing import Final

from rkd_online.errors import ServiceError
from rkd_online.service.reading.checkpoints import MANIFEST, SavedFile

CHUNK_BYTES: Final = 1 << 20
END: Final = bytes(2 * tarfile.BLOCKSIZE)


class Archive:
    """The regular files of a checkpoint under one folder. The manifest is last: what was cut while
    it was unpacked is no checkpoint either."""

    def __init__(self, folder: str, files: Sequence[SavedFile]) -> None:
        ordered = sorted(files, key=lambda one: one.path == MANIFEST)
        self._members = [(_header(folder, one), one) for one in ordered]

    @property
    def length(self) -> int:
        """Bytes of the whole."""
        sizes = (
            len(header) + one.stat.st_size + _padding(one.stat.st_size)
            for header, one in self._members
        )
        return sum(sizes) + len(END)

    def chunks(self) -> Iterator[bytes]:
        """The archive in parts. Raises ServiceError where a file is no longer what it was, which
        ends the transfer before its length is reached."""
        for header, one in self._members:
            yield header
            yield from _content(one)
            yield bytes(_padding(one.stat.st_size))
        yield END


def _header(folder: str, file: SavedFile) -> bytes:
    info = tarfile.TarInfo(f"{folder}/{file.path}")
    info.size = file.stat.st_size
    info.mtime = int(file.stat.st_mtime)
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> int:
    return -size % tarfile.BLOCKSIZE


def _content(file: SavedFile) -> Iterator[bytes]:
    left = file.stat.st_size
    with os.fdopen(os.open(file.place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
        while left and (chunk := opened.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk
    if left:
        raise ServiceError(f"{file.place} lost {left} bytes while it was sent")
