"""A checkpoint as one tar, made while it is sent: no temporary file, and a length that is known."""

import tarfile
from collections.abc import Iterator, Sequence
from typing import Final

from rkd_online.files import MANIFEST
from rkd_online.service.reading.job_files import SavedFile

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
        sizes = (len(header) + one.size + _padding(one.size) for header, one in self._members)
        return sum(sizes) + len(END)

    def chunks(self) -> Iterator[bytes]:
        """The archive in parts. Raises an error where a file is no longer what it was, which ends
        the transfer before its length is reached."""
        for header, one in self._members:
            yield header
            yield from one.chunks(0, one.size)
            yield bytes(_padding(one.size))
        yield END


def _header(folder: str, file: SavedFile) -> bytes:
    info = tarfile.TarInfo(f"{folder}/{file.path}")
    info.size = file.size
    info.mtime = file.modified_ns // 10**9
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> int:
    return -size % tarfile.BLOCKSIZE
