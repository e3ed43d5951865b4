"""Build the container images: ``make images``, as docs/images.md describes.

Standard library alone: nothing of this project has to be installed where images are built.
"""

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ("control", "worker-cpu", "worker-cuda")
ENGINES = ("docker", "podman", "buildah")
IMPORTED_BASE = "localhost/rkd-base:imported"
HOW_TO_MAKE_A_BASE = "`mmdebstrap --variant=minbase bookworm base.tar` makes one"


class ImageError(Exception):
    """What is wrong, and what to change."""


@dataclass(frozen=True, slots=True)
class Build:
    """What all images of one call have in common."""

    engine: str
    base: str
    tag: str
    prefix: str = ""
    commit: str = field(default_factory=lambda: revision())
    secrets: dict[str, Path] = field(default_factory=dict)
    """Files that build stages see and no image keeps: ``pip``, a configuration, and ``ca``."""
    wheels: Path | None = None
    """A folder of wheels that no index has."""

    def name(self, image: str) -> str:
        """The full name of an image."""
        return f"{self.prefix}rkd-online-{image}:{self.tag}"

    def command(self, image: str) -> list[str]:
        """What builds an image. The format is Docker's: OCI's has no health check."""
        options = [] if self.engine == "docker" else ["--format", "docker", "--layers"]
        arguments = {"BASE": self.base, "VERSION": version(), "REVISION": self.commit}
        for name, value in arguments.items():
            options += ["--build-arg", f"{name}={value}"]
        for name, path in self.secrets.items():
            options += ["--secret", f"id={name},src={path}"]
        if self.wheels is not None:
            options += ["--build-context", f"wheels={self.wheels}"]
        file = str(ROOT / "docker" / f"{image}.Dockerfile")
        return [
            self.engine,
            "build",
            *options,
            "--file",
            file,
            "--tag",
            self.name(image),
            str(ROOT),
        ]


def version() -> str:
    """The version of this package, which need not be installed."""
    text = (ROOT / "rkd_online" / "__init__.py").read_text()
    (found,) = re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    return str(found)


def revision() -> str:
    """The commit that is built; ``-dirty`` behind it when the tree differs."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def find_engine(wanted: str = "") -> str:
    """The engine asked for, or the first that is there and works."""
    if wanted and wanted not in ENGINES:
        raise ImageError(f"ENGINE={wanted} is unknown: use {', '.join(ENGINES)}")
    problems = []
    for name in [wanted] if wanted else ENGINES:
        problem = engine_problem(name)
        if not problem:
            return name
        problems.append(problem)
    if wanted:
        raise ImageError(f"ENGINE={wanted} cannot be used: {problems[0]}")
    raise ImageError(
        f"nothing here can build images: {'; '.join(problems)}. Install docker, podman or buildah "
        "(Debian, Ubuntu: apt install buildah)"
    )


def engine_problem(name: str) -> str:
    """Why an engine cannot be used; an empty string when it can."""
    if shutil.which(name) is None:
        return f"{name} is not on the path"
    asked = subprocess.run([name, "info"], capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        return ""
    said = (asked.stderr.strip() or asked.stdout.strip()).splitlines()
    return f"{name} does not work ({said[-1] if said else f'exit code {asked.returncode}'})"


def default_base(image: str) -> str:
    """The base that an image's Dockerfile names."""
    text = (ROOT / "docker" / f"{image}.Dockerfile").read_text()
    (found,) = re.findall(r"^ARG BASE=(.+)$", text, re.MULTILINE)
    return str(found)


def ready_base(engine: str, base: str) -> str:
    """The name under which the engine has the base: an image, or a root file system's archive."""
    if base.endswith(".tar"):
        return import_base(engine, Path(base))
    kind = ["inspect", "--type", "image"] if engine == "buildah" else ["image", "inspect"]
    look = subprocess.run([engine, *kind, base], capture_output=True, check=False)
    if look.returncode and subprocess.run([engine, "pull", base], check=False).returncode:
        raise ImageError(
            f"the base image {base} cannot be had, see above. Give another with BASE=...: the full "
            "name of a Debian, Ubuntu or Python image, or the archive of a root file system "
            f"({HOW_TO_MAKE_A_BASE})"
        )
    return base


def import_base(engine: str, archive: Path) -> str:
    """Make an image of a root file system."""
    if not archive.is_file():
        raise ImageError(f"BASE={archive}: there is no such file ({HOW_TO_MAKE_A_BASE})")
    if engine != "buildah":
        run(engine, "import", str(archive), IMPORTED_BASE)
        return IMPORTED_BASE
    made = subprocess.run(["buildah", "from", "scratch"], stdout=subprocess.PIPE, text=True)
    container = made.stdout.strip()
    try:
        run("buildah", "add", "--quiet", container, str(archive), "/")
        run("buildah", "commit", "--quiet", container, IMPORTED_BASE)
    finally:
        run("buildah", "rm", container)
    return IMPORTED_BASE


def run(*command: str) -> None:
    """Run a command with its output shown; a failure names it."""
    print("+", " ".join(command), flush=True)
    if subprocess.run(command, check=False).returncode:
        raise ImageError(f"this failed, see above: {' '.join(command)}")


def given_path(option: str, path: str) -> Path | None:
    """A file or folder that is mounted while images are built."""
    if path and not Path(path).exists():
        raise ImageError(f"{option}={path}: there is no such file or folder")
    return Path(path).resolve() if path else None


def arguments() -> argparse.Namespace:
    """What ``make`` hands over; empty is not given."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    for option in ("engine", "base", "tag", "prefix", "pip-conf", "ca", "wheels"):
        parser.add_argument(f"--{option}", default="")
    parser.add_argument("images", nargs="*", default=["control", "worker-cpu"])
    given = parser.parse_args()
    for image in given.images:
        if image not in IMAGES:
            raise ImageError(f"IMAGES: there is no {image!r}, but {', '.join(IMAGES)}")
    return given


def main() -> None:
    """Build what is asked for, one after the other."""
    given = arguments()
    engine = find_engine(given.engine)
    named = {"pip": given_path("PIP_CONF", given.pip_conf), "ca": given_path("CA", given.ca)}
    secrets = {name: path for name, path in named.items() if path is not None}
    wheels = given_path("WHEELS", given.wheels)
    base = ready_base(engine, given.base or default_base(given.images[0]))
    build = Build(
        engine, base, given.tag or version(), given.prefix, secrets=secrets, wheels=wheels
    )
    for image in given.images:
        run(*build.command(image))
    print("built:", " ".join(build.name(image) for image in given.images))


if __name__ == "__main__":
    try:
        main()
    except ImageError as error:
        sys.exit(f"images: {error}")
