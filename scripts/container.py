"""A process of an image as a cluster runs it, without a container runtime.

The root file system is read-only, the user is the image's own and can gain no rights; /tmp is empty
and the data folder is mounted. Tests and benchmarks use it, as root, with buildah. The network and
/dev are those of the machine.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START = """
root=$1 user=$2 data=$3
shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
[ -z "$data" ] || mount --bind "$data" "$root/var/lib/rkd"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", START, "sh")
USER = 10001


@dataclass(frozen=True, slots=True)
class Container:
    """An image's unpacked root file system with its configuration."""

    root: Path
    config: dict[str, Any]

    @property
    def entry(self) -> list[str]:
        """What is started where nothing else is said."""
        return [*(self.config["Entrypoint"] or []), *(self.config["Cmd"] or [])]

    def start(
        self, *words: str, data: Path | None = None, out: Any = None, **variables: str
    ) -> "subprocess.Popen[str]":
        """Start a command; ``out`` is what stdout and stderr are written to."""
        return subprocess.Popen(
            self._command(words, data), env=self._environment(variables),
            stdout=out, stderr=out, text=True,
        )  # fmt: skip

    def run(
        self, *words: str, data: Path | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self._command(words, data), env=self._environment(variables),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def _command(self, words: tuple[str, ...], data: Path | None) -> list[str]:
        user = self.config["User"] or "0:0"
        return [*NAMESPACES, str(self.root), user, str(data or ""), *words]

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.config["Env"]) | variables


def first_process(started: "subprocess.Popen[str]") -> int:
    """The container's process 1, by its number outside: what a signal to the container reaches."""
    (child,) = _children(started)
    return child


def end(started: "subprocess.Popen[str]") -> None:
    """Kill the whole container. The kernel does so with its process 1, not with that of unshare,
    whose bond to it ended where the user was changed; unshare then ends by itself."""
    if started.poll() is not None:
        return
    for child in _children(started) or [started.pid]:
        os.kill(child, signal.SIGKILL)
    started.wait(60)


def _children(started: "subprocess.Popen[str]") -> list[int]:
    file = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    return [int(child) for child in file.read_text().split()]


@contextmanager
def unpacked(image: str) -> Iterator[Container]:
    """An image of buildah's storage, mounted."""
    container = buildah("from", image)
    try:
        found = json.loads(buildah("inspect", "--type", "image", image))
        yield Container(Path(buildah("mount", container)), found["Docker"]["config"])
    finally:
        buildah("rm", container)


def buildah(*words: str) -> str:
    """What buildah answers."""
    done = subprocess.run(["buildah", *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()
