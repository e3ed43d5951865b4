"""Files that only grow, as objects of a fixed size.

An object cannot be appended to. Written whole after every step, a file of n steps would travel
n * n / 2 times; in segments only the last one is written again.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from rkd_online.files import whole
from rkd_online.objects.store import ObjectStore, Stored

SEGMENT_BYTES: Final = 256 << 10
_NAME: Final = "{name}/{number:06d}"


def put_grown(store: ObjectStore, file: Path, name: str, before: int) -> int:
    """Store what a file has grown by since it had ``before`` bytes; its size now."""
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        start = before // SEGMENT_BYTES
        opened.seek(start * SEGMENT_BYTES)
        for number in range(start, -(-size // SEGMENT_BYTES)):
            rest = size - number * SEGMENT_BYTES
            content = opened.read(min(SEGMENT_BYTES, rest))
            store.write(content, _NAME.format(name=name, number=number))
    return size


def get_grown(store: ObjectStore, name: str, file: Path, found: Mapping[str, Stored]) -> None:
    """Have ``file`` hold all segments in ``found``, of which it may have the first ones already.

    Whoever reads meanwhile has the file of before, whole.
    """
    with whole(file) as partial, partial.open("wb") as opened:
        first = _copy_whole_segments(file, opened, sum(one.bytes for one in found.values()))
        for number in range(first, len(found)):
            # Read as it is now: a step may have been added since it was listed.
            opened.write(store.read(_NAME.format(name=name, number=number)))


def _copy_whole_segments(file: Path, into: BinaryIO, stored: int) -> int:
    """How many segments the file has whole; none where there is more of it than is stored, since it
    is another of this name."""
    have = file.stat().st_size if file.is_file() else 0
    whole = have // SEGMENT_BYTES if have <= stored else 0
    if whole:
        with file.open("rb") as opened:
            for _ in range(whole):
                into.write(opened.read(SEGMENT_BYTES))
    return whole
