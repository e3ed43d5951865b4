"""Walk through deploy/README.md on a real cluster, with the page's own commands.

``python -m scripts.trial_cluster``, with kubectl and helm on the path and a kubectl context whose
cluster has KubeRay's operator and the images. It makes the namespace ``rkd`` and deletes it. Beside
what the page does, it takes away one pod of each kind while a job runs. Not part of the tests,
which have no cluster.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING

import httpx

from rkd_online.client import Client
from rkd_online.errors import ServiceError

if TYPE_CHECKING:
    from rkd_online.service.schemas.job import JobRecord

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "deploy" / "README.md"
URL, PORT = "http://127.0.0.1:8420", 8420
LONGEST_SECONDS = 900
SHOWN_LINES = 8
THERE_BEFORE = ("helm repo add", "helm install kuberay-operator")
"""The operator is the cluster's, and may serve others."""
ENDS = ("succeeded", "failed", "cancelled")
PODS = {
    "the control plane": "app.kubernetes.io/component=control",
    "a Ray worker": "ray.io/node-type=worker",
    "Ray's head": "ray.io/node-type=head",
}


class TrialError(Exception):
    """What was not as the page says."""


class Walk:
    """Commands of the page, one after the other, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun = time.monotonic()
        self._job = ""
        self._forwarding: list[subprocess.Popen[bytes]] = []

    def section(self, heading: str) -> None:
        """Run what the blocks below a heading of the page say."""
        self.say(f"## {heading}")
        for line in commands(heading):
            if line.startswith(THERE_BEFORE) or "port-forward" in line:
                self.say(f"# not run as it is here: {line}")
            else:
                self.run(line)

    def run(self, line: str) -> str:
        """Run a command and show the end of what it prints. Raises TrialError where it fails."""
        if line.startswith("rkd "):
            self._reach()
        line = re.sub(r"\bJOB\b", self._job, line)
        if "RAY_POD" in line:
            line = line.replace("RAY_POD", self._pod(PODS["a Ray worker"]))
        self.say(f"$ {line}")
        out = self._output(line)
        for shown in out.splitlines()[-SHOWN_LINES:]:
            print(f"         {shown}", flush=True)
        if found := re.search(r"submitted (job-[0-9a-z]+)", out):
            self._job = found[1]
        return out

    def say(self, text: str) -> None:
        """A line with the seconds since the start."""
        print(f"{time.monotonic() - self._begun:6.0f} s {text}", flush=True)

    def has_trained(self, steps: int) -> int:
        """Wait until the newest job has done so many steps, and return how many it has."""
        reached = 0

        def enough() -> bool:
            nonlocal reached
            reached = self._steps()
            return reached >= steps

        self._until(f"step {steps}", enough)
        return reached

    def take_away(self, what: str) -> None:
        """Delete a pod without letting it end, when the newest job has trained a while."""
        before = self.has_trained(20)
        self.run(f"kubectl delete pod {self._pod(PODS[what])} -n rkd --grace-period=0 --force")
        self.say(f"# {what} was taken away after step {before}")

    def succeeded(self) -> None:
        """Wait for the newest job's end. Raises TrialError where it did not succeed."""
        self._until("the job's end", lambda: self._record().status.value in ENDS)
        if (status := self._record().status) != ENDS[0]:
            raise TrialError(f"{self._job} is {status}")
        self.say(f"# {self._job} succeeded")

    def close(self) -> None:
        """End what still runs."""
        for process in self._forwarding:
            process.kill()
            process.wait(10)

    def _steps(self) -> int:
        progress = self._record().progress
        return 0 if progress is None else progress.report.step

    def _record(self) -> "JobRecord":
        self._reach()
        with Client(URL, (self._folder / "key").read_text().strip()) as client:
            return client.get(self._job)

    def _reach(self) -> None:
        """kubectl forwards to one pod, and has to be told anew when that is another."""
        if not _answers():
            self.close()
            words = ["kubectl", "port-forward", "service/rkd", str(PORT), "--namespace", "rkd"]
            self._until("a pod of the control plane", self._has_control)
            self._forwarding = [subprocess.Popen(words, stdout=DEVNULL, stderr=DEVNULL)]
            self._until("kubectl port-forward", _answers)

    def _has_control(self) -> bool:
        state = "kubectl get deployment/rkd -n rkd -o jsonpath='{.status.readyReplicas}'"
        return bool(self._output(state).strip())

    def _pod(self, selector: str) -> str:
        name = "-o jsonpath='{.items[0].metadata.name}'"
        return self._output(f"kubectl get pods -n rkd -l {selector} {name}").strip()

    def _output(self, line: str) -> str:
        words = ["timeout", str(LONGEST_SECONDS), "bash", "-o", "pipefail", "-c", line]
        done = subprocess.run(
            words, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            raise TrialError(f"exit code {done.returncode} of {line}:\n{done.stdout}")
        return done.stdout

    def _until(self, what: str, true: Callable[[], bool]) -> None:
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            # A pod that is taken away takes the way to the API along.
            with suppress(ServiceError):
                if true():
                    return
            time.sleep(1)
        raise TrialError(f"waited {LONGEST_SECONDS} s for {what}")


def commands(heading: str) -> list[str]:
    """The lines of the shell blocks below a heading, up to the next."""
    _, _, rest = PAGE.read_text().partition(f"\n## {heading}\n")
    below = rest.partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", below, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def _answers() -> bool:
    """Whether the API does: kubectl goes on listening for a pod that is gone."""
    try:
        return httpx.get(f"{URL}/livez", timeout=5).is_success
    except httpx.TransportError:
        return False


def walk(steps: Walk) -> None:
    """The page from its beginning to its end."""
    steps.section("From an empty cluster to a trained student")
    for what in PODS:
        steps.run("rkd submit examples/quickstart.yaml")
        steps.take_away(what)
        steps.succeeded()
    steps.run("rkd submit examples/quickstart.yaml")
    steps.has_trained(1)
    steps.section("Upgrade")
    steps.succeeded()
    before = steps.run("rkd list")
    steps.section("Backup and restore")
    if steps.run("rkd list") != before:
        raise TrialError("the restored control plane has other jobs")
    steps.section("Rollback")
    if steps.run("rkd list") != before:
        raise TrialError("the control plane that was rolled back has other jobs")
    steps.section("Uninstall")
    steps.run("kubectl delete namespace rkd")


def main() -> None:
    """Exits with 1 and what was not as the page says."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="rkd-trial-") as name:
        folder = Path(name)
        for part in ("deploy", "examples"):
            (folder / part).symlink_to(ROOT / part)
        os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
        steps = Walk(folder)
        try:
            walk(steps)
        except (TrialError, ServiceError) as error:
            sys.exit(str(error))
        finally:
            steps.close()


if __name__ == "__main__":
    main()
