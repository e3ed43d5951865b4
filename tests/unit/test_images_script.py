"""``make images``: which engine builds, with what, and what it says to what cannot be."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rkd_online import __version__
from scripts import image_environment, images

Answer = Callable[..., None]


@pytest.fixture
def commands() -> list[list[str]]:
    return []


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> Answer:
    """Let these words at the start of a command fail, and every other command work."""

    def use(*failing: str, there: tuple[str, ...] = images.ENGINES) -> None:
        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            commands.append(list(command))
            code = int(any(" ".join(command).startswith(words) for words in failing))
            said = "line one\nno daemon\n" if code else ""
            return subprocess.CompletedProcess(command, code, stdout="made\n", stderr=said)

        monkeypatch.setattr("scripts.images.subprocess.run", run)
        found = {name: f"/usr/bin/{name}" for name in there}
        monkeypatch.setattr("scripts.images.shutil.which", found.get)

    return use


@pytest.mark.parametrize(
    ("failing", "there", "found"),
    [
        ((), images.ENGINES, "docker"),
        (("docker info",), images.ENGINES, "podman"),
        ((), ("buildah",), "buildah"),
    ],
)
def test_the_first_engine_that_works_builds(
    answer: Answer, failing: tuple[str, ...], there: tuple[str, ...], found: str
) -> None:
    answer(*failing, there=there)
    assert images.find_engine() == found


def test_without_an_engine_it_says_what_to_install_and_why_none_does(answer: Answer) -> None:
    answer("docker info", there=("docker",))
    with pytest.raises(images.ImageError) as refused:
        images.find_engine()
    assert str(refused.value) == (
        "nothing here can build images: docker does not work (no daemon); podman is not on the "
        "path; buildah is not on the path. Install docker, podman or buildah (Debian, Ubuntu: apt "
        "install buildah)"
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("kaniko", "ENGINE=kaniko is unknown: use docker, podman, buildah"),
        ("podman", "ENGINE=podman cannot be used: podman does not work (no daemon)"),
    ],
)
def test_an_engine_asked_for_is_that_one_or_none(answer: Answer, wanted: str, said: str) -> None:
    answer("podman info")
    with pytest.raises(images.ImageError) as refused:
        images.find_engine(wanted)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("engine", "look"),
    [
        ("docker", ["docker", "image", "inspect", "debian:12"]),
        ("podman", ["podman", "image", "inspect", "debian:12"]),
        ("buildah", ["buildah", "inspect", "--type", "image", "debian:12"]),
    ],
)
def test_a_base_that_is_there_is_not_pulled(
    answer: Answer, commands: list[list[str]], engine: str, look: list[str]
) -> None:
    answer()
    assert images.ready_base(engine, "debian:12") == "debian:12"
    assert commands == [look]


def test_a_base_that_cannot_be_had_is_named_with_what_else_can_be_given(answer: Answer) -> None:
    answer("podman image inspect", "podman pull debian:12")
    said = r"base image debian:12 cannot be had.*BASE=\.\.\..*mmdebstrap .* makes one"
    with pytest.raises(images.ImageError, match=said):
        images.ready_base("podman", "debian:12")


@pytest.mark.parametrize(
    ("engine", "made"),
    [
        ("docker", [["docker", "import", "FILE", images.IMPORTED_BASE]]),
        (
            "buildah",
            [
                ["buildah", "from", "scratch"],
                ["buildah", "add", "--quiet", "made", "FILE", "/"],
                ["buildah", "commit", "--quiet", "made", images.IMPORTED_BASE],
                ["buildah", "rm", "made"],
            ],
        ),
    ],
)
def test_a_root_file_system_is_made_a_base(
    answer: Answer, commands: list[list[str]], tmp_path: Path, engine: str, made: list[list[str]]
) -> None:
    answer()
    archive = tmp_path / "base.tar"
    with pytest.raises(images.ImageError, match=r"BASE=.*base\.tar: there is no such file"):
        images.ready_base(engine, str(archive))
    archive.touch()
    assert images.ready_base(engine, str(archive)) == images.IMPORTED_BASE
    assert [[word.replace(str(archive), "FILE") for word in one] for one in commands] == made


def test_a_build_hands_over_the_base_what_it_is_and_what_no_image_keeps() -> None:
    build = images.Build(
        *("podman", "debian:12", "1.2", "host.example/team/", "abc123"),
        secrets={"pip": Path("/etc/pip.conf")},
        wheels=Path("/wheels"),
    )
    assert build.command("worker-cuda") == [
        *["podman", "build", "--format", "docker", "--layers"],
        *["--build-arg", "BASE=debian:12"],
        *["--build-arg", f"VERSION={__version__}"],
        *["--build-arg", "REVISION=abc123"],
        *["--secret", "id=pip,src=/etc/pip.conf"],
        *["--build-context", "wheels=/wheels"],
        *["--file", str(images.ROOT / "docker" / "worker-cuda.Dockerfile")],
        *["--tag", "host.example/team/rkd-online-worker-cuda:1.2", str(images.ROOT)],
    ]
    plain = images.Build("docker", "debian:12", "1.2").command("control")
    assert "--format" not in plain
    assert "rkd-online-control:1.2" in plain


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["worker"], "IMAGES: there is no 'worker', but control, worker-cpu, worker-cuda"),
        (["--ca", "/no/such"], "CA=/no/such: there is no such file or folder"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_built(
    answer: Answer,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    answer()
    monkeypatch.setattr(sys, "argv", ["images.py", *words])
    with pytest.raises(images.ImageError) as refused:
        images.main()
    assert str(refused.value) == said
    assert [one for one in commands if "build" in one] == []


def test_pip_is_told_of_certificates_and_wheels_where_they_are_mounted(tmp_path: Path) -> None:
    mounted = tmp_path / "ca"
    always = {"PIP_NO_CACHE_DIR": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    assert image_environment.pip_environment(mounted, tmp_path) == always
    mounted.touch()
    (tmp_path / "torch-1-py3-none-any.whl").touch()
    assert image_environment.pip_environment(mounted, tmp_path) == always | {
        "PIP_CERT": str(mounted),
        "PIP_FIND_LINKS": str(tmp_path),
    }


def test_the_pins_of_an_image_are_those_of_its_locks() -> None:
    found = image_environment.pins("base", "control")
    assert "fastapi==0.136.3" in found
    assert "asyncpg==0.32.0" in found
    assert all(pin.count("==") == 1 for pin in found)


@pytest.mark.parametrize("worker", ["cpu", "cuda"])
def test_a_worker_has_the_trackers_with_their_pins_and_one_of_each_package(worker: str) -> None:
    found = image_environment.pins(worker, "trackers")
    below, above = image_environment.pins(worker), image_environment.pins("trackers")
    assert set(above) <= set(found)
    assert set(below) - set(found) == {"cachetools==8.0.1"}
    names = [pin.partition("==")[0] for pin in found]
    assert len(names) == len(set(names))
    assert {"mlflow-skinny==3.17.2", "tensorboard==2.21.0", "cachetools==7.3.3"} <= set(found)
