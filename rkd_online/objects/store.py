"""An object store: whole objects, put and got by their names."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from rkd_online.errors import ObjectStoreError, ObjectStoreSetupError
from rkd_online.objects.address import checked_address
from rkd_online.objects.patience import Patience

CHUNK_BYTES: Final = 8 << 20
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
"""A connection that is silent for longer is given up, and the call tried again."""
PARTIAL: Final = ".partial"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store says of an object. ``tag`` changes with its content."""

    bytes: int
    tag: str
    modified: datetime


class ObjectStore:
    """Names are relative to the address, with ``/`` between their parts. Every call is tried again
    as long as ``patience`` says. Calls may come from several threads."""

    def __init__(self, address: str, patience: Patience) -> None:
        self.address = checked_address(address)
        self._patience = patience
        self._scheme, _, path = self.address.partition("://")
        self._root = path
        self._files = _file_system(self._scheme)

    def put(self, file: Path, name: str) -> None:
        """Store a file, whole or not at all."""
        self._send(name, lambda: self._put(str(file), self._path(name)))

    def write(self, content: bytes, name: str) -> None:
        """Store a small object, whole or not at all."""
        self._send(name, lambda: self._write(content, self._path(name)))

    def get(self, name: str, file: Path) -> None:
        """Write an object into ``file``. Raises FileNotFoundError where there is none."""
        self._try("reading", name, lambda: self._files.get_file(self._path(name), str(file)))

    def read(self, name: str) -> bytes:
        """The content of a small object. Raises FileNotFoundError where there is none."""
        found: bytes = self._try("reading", name, lambda: self._files.cat_file(self._path(name)))
        return found

    def chunks(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes of an object from ``start`` to before ``end``, some at a time."""
        for first in range(start, end, CHUNK_BYTES):
            yield self._part(name, first, min(first + CHUNK_BYTES, end))

    def find(self, folder: str) -> dict[str, Stored]:
        """All objects below a folder, by their names, as they are now."""
        found = self._try("listing", folder, lambda: self._find(self._path(folder)))
        start = len(self._path(""))
        known = ((path[start:].lstrip("/"), info) for path, info in found.items())
        return {
            name: _stored(info)
            for name, info in sorted(known)
            if not name.rpartition("/")[2].startswith(".")
        }

    def seen(self, name: str) -> Stored | None:
        """One object as it is now; None where there is none."""
        try:
            return _stored(self._try("looking at", name, lambda: self._info(self._path(name))))
        except FileNotFoundError:
            return None

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in one, without its own."""
        listed = self._try("listing", folder, lambda: self._listed(self._path(folder)))
        names = (one["name"].rstrip("/") for one in listed if one["type"] == "directory")
        return sorted(name.rpartition("/")[2] for name in names)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects in this order; those that are gone already are none."""
        for name in names:
            with suppress(FileNotFoundError):
                self._try("removing", name, partial(self._files.rm_file, self._path(name)))

    def _send(self, name: str, work: Any) -> None:
        try:
            self._try("writing", name, work)
        except FileNotFoundError as error:  # s3fs says so of a bucket that is not there
            raise ObjectStoreError(f"writing {name} of {self.address}: {error}") from error

    def _part(self, name: str, start: int, end: int) -> bytes:
        path = self._path(name)
        found: bytes = self._try(
            "reading", name, lambda: self._files.cat_file(path, start=start, end=end)
        )
        if len(found) != end - start:
            raise ObjectStoreError(
                f"reading {name} of {self.address}: bytes {start} to {end} are {len(found)} bytes"
            )
        return found

    def _put(self, file: str, path: str) -> None:
        if self._scheme != "file":
            self._files.put_file(file, path)
            return
        # A copied file grows under the eyes of its readers.
        beside = _beside(path)
        self._files.put_file(file, beside)
        self._files.mv(beside, path)

    def _write(self, content: bytes, path: str) -> None:
        if self._scheme != "file":
            self._files.pipe_file(path, content)
            return
        beside = _beside(path)
        self._files.pipe_file(beside, content)
        self._files.mv(beside, path)

    def _find(self, path: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._files.find(path, detail=True)
        except FileNotFoundError:
            return {}
        return found

    def _info(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self._files.info(path)
        if found["type"] != "file":
            raise FileNotFoundError(path)
        return found

    def _listed(self, path: str) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self._files.ls(path, detail=True)
        except FileNotFoundError:
            return []
        return found

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _try(self, verb: str, name: str, work: Any) -> Any:
        return self._patience.call(f"{verb} {name} of {self.address}", work)


def _file_system(scheme: str) -> Any:
    """Nothing that was listed is remembered: others write meanwhile."""
    try:
        import fsspec

        if scheme == "file":
            return fsspec.filesystem("file", auto_mkdir=True)
        limits = {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"total_max_attempts": 1},
        }
        files = fsspec.filesystem(
            "s3", use_listings_cache=False, config_kwargs=limits, skip_instance_cache=True
        )
        # Patience tries again; tries within tries would make minutes of its seconds.
        files.retries = 2
        return files
    except ImportError as error:
        raise ObjectStoreSetupError(
            f"an object store needs a package that is not installed ({error}): install the extra "
            "`s3` of rkd-online"
        ) from error


def _stored(info: dict[str, Any]) -> Stored:
    modified = info.get("LastModified")
    if modified is None:
        modified = datetime.fromtimestamp(info["mtime"], UTC)
    tag = info.get("ETag") or f"{info.get('mtime')}-{info['size']}"
    return Stored(info["size"], str(tag).strip('"'), modified)


def _beside(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}{PARTIAL}"
