"""The commands of deploy/README.md: their flags, files and values, and what they render."""

import base64
import io
import itertools
import re
import shlex
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from pydantic import SecretStr

from rkd_online.cli.app import app
from rkd_online.service.access.keys import new_key
from rkd_online.service.settings import Settings
from tests.deploy.charts import CHART, ROOT, Helm, Object, of_kind, values_of
from tests.deploy.test_pods import CONTAINER, POD

PAGE = ROOT / "deploy" / "README.md"
MANIFEST = ROOT / "deploy" / "maintenance-pod.yaml"
TIMEOUT_SECONDS = 60
REPOSITORY = "kuberay/kuberay-operator"
STEPS = [
    *("create namespace", "create secret", "helm install rkd", "rkd login", "rkd submit"),
    *("rkd report", "rkd checkpoints", "helm upgrade", "helm rollback", "helm uninstall"),
]


def commands() -> Iterator[list[str]]:
    """The words of every command: each line of a block, and each part of a pipe."""
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
            lexer.whitespace_split = True
            for pipe, words in itertools.groupby(lexer, lambda word: word == "|"):
                if not pipe:
                    yield list(itertools.takewhile(lambda word: word not in "<>", words))


def of(program: str) -> list[list[str]]:
    return [words for words in commands() if words[0] == program]


def flags(words: list[str]) -> list[str]:
    """The flags before what follows ``--``, which another program reads."""
    own = itertools.takewhile(lambda word: word != "--", words)
    return [word.partition("=")[0] for word in own if word.startswith("-")]


def test_it_walks_from_an_empty_cluster_to_the_end() -> None:
    said = [" ".join(words) for words in commands()]
    places = [next(i for i, line in enumerate(said) if step in line) for step in STEPS]
    assert places == sorted(places)
    assert {words[0] for words in commands()} == {"export", "helm", "kubectl", "rkd"}
    assert "No GPU, no second node and no cloud has seen it" in " ".join(PAGE.read_text().split())


@pytest.mark.parametrize("words", of("rkd"), ids=" ".join)
def test_rkd_has_the_command_with_its_flags(words: list[str]) -> None:
    found: Any = typer.main.get_command(app)
    rest = words[1:]
    while hasattr(found, "commands"):
        found = found.commands[rest.pop(0)]
    known = {flag for parameter in found.params for flag in parameter.opts}
    assert set(flags(rest)) <= known
    for word in rest:
        assert not word.endswith(".yaml") or (ROOT / word).is_file()


@pytest.mark.parametrize("words", of("helm"), ids=" ".join)
def test_helm_has_the_command_with_its_flags(helm: Helm, words: list[str]) -> None:
    command = words[1:3] if words[1] == "repo" else words[1:2]
    shown = helm.run(*command, "--help")
    assert shown.code == 0
    for flag in flags(words):
        assert re.search(rf"(^|[\s,]){flag}\b", shown.out), flag
    for value in after(words, "--values"):
        assert (ROOT / value).is_file()


@pytest.mark.parametrize("words", of("kubectl"), ids=" ".join)
def test_kubectl_has_the_command_with_its_flags(
    programs: Mapping[str, Path], words: list[str]
) -> None:
    command = words[1:2]
    if command == ["create"] or command == ["rollout"]:
        command += words[2:4] if words[2] == "secret" else words[2:3]
    done = kubectl(programs, *command, "--help")
    everywhere = kubectl(programs, "options").stdout
    assert done.returncode == 0, done.stderr
    for flag in flags(words):
        assert re.search(rf"(^|[\s,]){flag}\b", done.stdout + everywhere), flag


@pytest.mark.parametrize(
    "words", [one for one in of("kubectl") if one[1] == "create"], ids=" ".join
)
def test_what_is_created_is_valid(
    programs: Mapping[str, Path], words: list[str], tmp_path: Path
) -> None:
    certificate(tmp_path)
    (tmp_path / "first-key").write_text(f"{new_key()}\n")
    done = kubectl(programs, *words[1:], "--dry-run=client", "--output=yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    made["metadata"].pop("creationTimestamp", None)
    kubernetes_validate.validate(made, "1.37", strict=True)
    assert made["kind"] == "Namespace" or made["metadata"]["namespace"] == "rkd"
    if made["metadata"]["name"] == "rkd-first-key":
        given = base64.b64decode(made["data"]["key"]).decode()
        assert Settings(first_key=SecretStr(given)).first_key.get_secret_value() == given.strip()


@pytest.mark.parametrize(
    "words",
    [one for one in of("helm") if one[1] in ("install", "upgrade") and REPOSITORY not in one],
    ids=" ".join,
)
def test_what_is_installed_renders(helm: Helm, words: list[str]) -> None:
    release, chart, *rest = words[2:]
    assert ROOT / chart == CHART
    assert set(flags(rest)) <= {"--namespace", "--values", "--set", "--force-conflicts", "--wait"}
    given = [word for word in rest if word not in ("--force-conflicts", "--wait")]
    values = [str(ROOT / word) if word.endswith(".yaml") else word for word in given]
    [deployment] = of_kind(helm.run("template", release, str(CHART), *values).objects, "Deployment")
    assert deployment["metadata"]["name"] == "rkd"
    for pair in [pair for one in after(words, "--set") for pair in one.split(",")]:
        assert has(values_of("values.yaml"), pair.partition("=")[0])


def test_objects_that_commands_name_are_rendered(rendered: Mapping[str, list[Object]]) -> None:
    there = {
        f"{one['kind'].lower()}/{one['metadata']['name']}"
        for objects in rendered.values()
        for one in objects
    }
    text = PAGE.read_text()
    named = set(re.findall(r"\b(?:deployment|service|job)/rkd[\w-]*", text))
    named |= {f"raycluster/{name}" for name in re.findall(r"describe raycluster ([\w-]+)", text)}
    assert named == {"deployment/rkd", "service/rkd", "job/rkd-migration", "raycluster/rkd-ray"}
    assert named <= there


def test_values_that_the_page_names_are_there() -> None:
    top = "|".join(values_of("values.yaml"))
    named = set(re.findall(rf"`((?:{top})(?:\.\w+)+)`", PAGE.read_text()))
    assert len(named) > 25
    assert [name for name in named if not has(values_of("values.yaml"), name)] == []


def test_the_database_is_copied_as_the_page_says(tmp_path: Path) -> None:
    [words] = [one for one in of("kubectl") if "-c" in one and "python" in one]
    code = words[-1].replace("/var/lib/rkd", str(tmp_path))
    with sqlite3.connect(tmp_path / "rkd.db") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE jobs (id TEXT)")
        database.execute("INSERT INTO jobs VALUES ('job-1')")
        database.commit()
        subprocess.run([sys.executable, "-c", code], check=True, timeout=TIMEOUT_SECONDS)
    database.close()
    copy = sqlite3.connect(tmp_path / "backup.db")
    assert copy.execute("SELECT id FROM jobs").fetchall() == [("job-1",)]
    copy.close()


def shell(start: str, folder: Path) -> list[str]:
    """What a shell in a pod runs for the one command that begins so, for another data folder."""
    [words] = [one for one in of("kubectl") if "sh" in one and one[-1].split("&& ")[1][:6] == start]
    return ["sh", "-c", words[-1].replace("/var/lib/rkd", str(folder))]


def test_what_is_backed_up_is_restored(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, database in ((old, "backup.db"), (new, "rkd.db")):
        (folder / "runs").mkdir(parents=True)
        (folder / database).write_text(f"of {folder.name}")
        (folder / "key-pepper").write_text("pepper")
    (old / "runs" / "job-1").mkdir()
    (old / "runs" / "job-1" / "spec.yaml").write_text("steps: 1")
    (new / "rkd.db-wal").write_text("of new")
    saved = subprocess.run(shell("tar -c", old), check=True, stdout=subprocess.PIPE).stdout
    # The folder itself is the volume's: a pod may not give it the times and rights of the old one.
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        names = archive.getnames()
    assert names == ["backup.db", "key-pepper", "runs/job-1", "runs/job-1/spec.yaml"]
    cut = subprocess.run(shell("tar -x", new), input=saved[:700], capture_output=True)
    assert (cut.returncode, (new / "rkd.db").read_text()) == (2, "of new")
    subprocess.run(shell("tar -x", new), input=saved, check=True)
    assert (new / "rkd.db").read_text() == "of old"
    assert (new / "runs" / "job-1" / "spec.yaml").read_text() == "steps: 1"
    assert not (new / "rkd.db-wal").exists()


def test_nothing_follows_before_a_stopped_control_plane_is_gone() -> None:
    said = [" ".join(words) for words in commands()]
    after_stop = [said[i + 1] for i, line in enumerate(said) if line.endswith("--replicas=0")]
    assert len(after_stop) == 4
    for line in after_stop:
        assert line.startswith("kubectl wait pod ")
        assert "--for=delete" in line


def test_the_pod_of_a_restore_is_as_restricted_as_the_others(
    rendered: Mapping[str, list[Object]],
) -> None:
    pod = yaml.safe_load(MANIFEST.read_text())
    kubernetes_validate.validate(pod, "1.37", strict=True)
    [container] = pod["spec"]["containers"]
    assert (pod["spec"]["securityContext"], container["securityContext"]) == (POD, CONTAINER)
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
    [deployment] = of_kind(rendered["dev"], "Deployment")
    control = deployment["spec"]["template"]["spec"]
    assert container["image"] == control["containers"][0]["image"]
    assert pod["spec"]["volumes"] == [one for one in control["volumes"] if one["name"] == "data"]


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target


def after(words: list[str], flag: str) -> list[str]:
    """The values that are given with a flag."""
    return [value for word, value in itertools.pairwise(words) if word == flag]


def has(values: Mapping[str, Any], name: str) -> bool:
    """Whether values have a key, by its path."""
    part: Any = values
    for step in name.split("."):
        if not isinstance(part, dict) or step not in part:
            return False
        part = part[step]
    return True


def kubectl(
    programs: Mapping[str, Path], *arguments: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run kubectl, which reaches no cluster."""
    return subprocess.run(
        [str(programs["kubectl"]), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"HOME": "/nonexistent", "KUBECONFIG": "/nonexistent/config"},
        timeout=TIMEOUT_SECONDS,
    )


def certificate(folder: Path) -> None:
    """A certificate and its key, as the page names them."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rkd.example.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    (folder / "tls.crt").write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
