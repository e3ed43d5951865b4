"""What attempts that are over stored of checkpoints that they did not finish."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from rkd_online.files import MANIFEST, step_of
from rkd_online.objects.job import JobObjects
from rkd_online.objects.store import Stored

SETTLED: Final = timedelta(minutes=15)
"""Nothing was stored there for this long: longer than a learner tries to store a file."""


def remove_half_stored(objects: JobObjects, attempt: int, now: datetime) -> None:
    """Remove checkpoints without manifest of the attempts before ``attempt``. ``now`` is by the
    store's clock.

    An older attempt that was cut off may not know yet that it is over. What it still stores is
    left alone; and where it comes to its manifest all the same, it misses the files and takes the
    manifest back.
    """
    for number in objects.attempts():
        if number < attempt:
            found = objects.find(f"attempts/{number}/checkpoints")
            for folder, paths in _half_stored(found, now):
                manifest = f"{folder}/{MANIFEST}"
                # It may appear since it was looked for. Without it no reader wants the files.
                objects.remove([manifest, *paths, manifest])


def _half_stored(found: Mapping[str, Stored], now: datetime) -> Iterator[tuple[str, list[str]]]:
    folders: dict[str, list[str]] = defaultdict(list)
    for path in found:
        parts = path.split("/")
        if len(parts) > 4 and step_of(parts[3]) is not None:
            folders["/".join(parts[:4])].append(path)
    for folder, paths in folders.items():
        newest = max(found[path].modified for path in paths)
        if f"{folder}/{MANIFEST}" not in found and now - newest > SETTLED:
            yield folder, paths
