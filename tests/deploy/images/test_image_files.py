"""The three Dockerfiles have one structure. Only the control plane's is built here."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.images import IMAGES, ROOT

FILES = {image: ROOT / "docker" / f"{image}.Dockerfile" for image in IMAGES}
LOCKS = {
    "control": "base control",
    "worker-cpu": "cpu trackers",
    "worker-cuda": "cuda trackers",
}
STAGES = {
    "wheels": "scratch",
    "base": "${BASE}",
    "dependencies": "base",
    "project": "dependencies",
    "image": "base",
}
ENVIRONMENT = {
    "PATH": "/opt/rkd/bin:$PATH",
    "HOME": "/tmp",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "RKD_DATA_DIR": "/var/lib/rkd",
    "RKD_INTERPRETER": "/opt/rkd/bin/python",
}
NVIDIA = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
SECRET = re.compile(r"key|token|password|secret|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, in the stage that it is of."""

    stage: str
    word: str
    rest: str


def steps(image: str) -> list[Step]:
    """The instructions of a Dockerfile, without comments, each on one line."""
    lines = [line for line in FILES[image].read_text().splitlines() if line.lstrip()[:1] != "#"]
    found, stage = [], ""
    for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.rpartition(" ")[2]
        if word:
            found.append(Step(stage, word, rest))
    return found


def rests(image: str, word: str, stage: str = "image") -> list[str]:
    return [step.rest for step in steps(image) if (step.word, step.stage) == (word, stage)]


def pairs(lines: list[str]) -> dict[str, str]:
    found = re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', " ".join(lines))
    return {name: quoted or plain for name, quoted, plain in found}


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_is_a_file_for_each_image_and_no_other() -> None:
    assert sorted(ROOT.glob("docker/*.Dockerfile")) == sorted(FILES.values())


def test_the_stages_are_the_same(image: str) -> None:
    named = [line.split(" AS ") for line in (s.rest for s in steps(image) if s.word == "FROM")]
    assert {stage: source for source, stage in named} == STAGES


def test_the_base_is_given_and_by_default_pinned_to_a_release(image: str) -> None:
    assert rests(image, "ARG", stage="") == ["BASE=python:3.11-slim-bookworm"]


def test_nothing_is_of_the_latest_version_or_from_the_network_by_itself(image: str) -> None:
    for step in steps(image):
        assert ":latest" not in step.rest
        assert step.word != "ADD"
        if step.word in ("RUN", "COPY"):
            assert not re.search(r"https?://|\bcurl\b|pip install", step.rest), step


def test_the_locks_are_what_is_installed(image: str) -> None:
    (install,) = [r for r in rests(image, "RUN", "dependencies") if "image_environment" in r]
    assert install.endswith(f"python3 -m scripts.image_environment locks {LOCKS[image]}")
    (project,) = rests(image, "RUN", "project")
    assert project.endswith("python3 -m scripts.image_environment project")


def test_the_source_is_copied_behind_the_locks(image: str) -> None:
    assert rests(image, "COPY", "dependencies") == ["scripts/ scripts/", "locks/ locks/"]
    project = rests(image, "COPY", "project")
    assert project == ["LICENSE README.md pyproject.toml ./", "rkd_online/ rkd_online/"]


def test_the_image_has_two_layers_over_its_base(image: str) -> None:
    copied = rests(image, "COPY")
    assert copied == ["--from=dependencies /opt/rkd /opt/rkd", "--from=project /project /"]
    assert rests(image, "RUN") == []


def test_the_user_is_10001_by_number(image: str) -> None:
    assert [s.rest for s in steps(image) if s.word == "USER"] == ["10001:10001"]
    made = " ".join(rests(image, "RUN", "base"))
    assert "groupadd --gid 10001 rkd" in made
    assert "useradd --uid 10001 --gid 10001" in made
    assert "install -d -m 0700 -o 10001 -g 10001 /var/lib/rkd" in made
    assert rests(image, "COPY", "base") == ["docker/login.sh /etc/profile.d/rkd.sh"]


def test_the_environment_is_the_same(image: str) -> None:
    more = NVIDIA if image == "worker-cuda" else {}
    assert pairs(rests(image, "ENV")) == ENVIRONMENT | more


def test_the_labels_are_the_same_but_for_what_the_image_is(image: str) -> None:
    labels = pairs(rests(image, "LABEL"))
    names = ["title", "description", "licenses", "version", "revision"]
    assert list(labels) == [f"org.opencontainers.image.{name}" for name in names]
    title, _, licenses, version, revision = labels.values()
    assert title == f"rkd-online-{image}"
    assert (licenses, version, revision) == ("Apache-2.0", "${VERSION}", "${REVISION}")


def test_no_secret_is_an_argument_or_a_variable(image: str) -> None:
    for step in steps(image):
        if step.word in ("ARG", "ENV"):
            assert not SECRET.search(step.rest), step


def test_lists_of_packages_are_removed_where_they_were_fetched(image: str) -> None:
    for step in steps(image):
        fetched = step.rest.count("apt-get update")
        assert step.rest.count("rm -rf /var/lib/apt/lists/*") == fetched, step
        if step.stage == "base":
            assert step.rest.count("apt-get clean") == fetched, step
        assert step.rest.count("apt-get install") == step.rest.count("--no-install-recommends")


@pytest.mark.parametrize("worker", ["worker-cpu", "worker-cuda"])
def test_a_worker_has_a_shell_wget_and_no_entrypoint(worker: str) -> None:
    assert rests(worker, "ENTRYPOINT") == []
    assert rests(worker, "CMD") == ['["/bin/bash"]']
    assert "wget" in " ".join(rests(worker, "RUN", "base"))


def test_the_linter_finds_nothing_and_what_it_ignores_is_explained() -> None:
    config = ROOT / ".hadolint.yaml"
    lint = [str(Path(sys.executable).with_name("hadolint")), "--config", str(config)]
    checked = subprocess.run([*lint, *FILES.values()], capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")
    lines = config.read_text().splitlines()
    ignored = [number for number, line in enumerate(lines) if re.match(r"\s*- (DL|SC)\d+", line)]
    assert len(ignored) == 1
    assert all(lines[number - 1].lstrip().startswith("# ") for number in ignored)
    assert not re.search(r"hadolint\s+ignore", "".join(p.read_text() for p in FILES.values()))
