"""Files that a command writes: whole or not at all, and what lay there stays until then."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, AnyStr

from rkd_online.errors import ServiceError

STDOUT = Path("-")
PARTIAL = ".part"


@contextmanager
def written_whole(
    target: Path, option: str, opened: Callable[[Path], AbstractContextManager[IO[AnyStr]]]
) -> Iterator[IO[AnyStr]]:
    """The file to write, opened beside the target by ``opened`` and moved there at the end."""
    # A device or a pipe is written to, and not replaced.
    special = target.exists() and not target.is_file()
    part = target if special else target.with_name(target.name + PARTIAL)
    try:
        with opened(part) as file:
            yield file
        if not special:
            os.replace(part, target)
    except OSError as error:
        raise ServiceError(f"{option} {target} cannot be written: {error.strerror}") from error
    finally:
        if not special:
            part.unlink(missing_ok=True)
