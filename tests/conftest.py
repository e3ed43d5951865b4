"""The environment of all tests, and the policy on skips.

A skipped test fails the run unless ``allowed_skips.txt``, beside this file, says why.
"""

import os
from pathlib import Path

import pytest

from rkd_online.inference.environment import prepare_engine_process

# What a developer has set for a control plane or a cluster of their own says nothing to the tests.
FOR_TESTS = "KUBERAY_CRDS"
for name in [name for name in os.environ if name.startswith(("RKD_", "RAY_"))]:
    if name != FOR_TESTS:
        del os.environ[name]
# Before any test module imports torch or vLLM, which read it then.
prepare_engine_process("cpu")

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


class SkipPolicy:
    """Collects what was skipped and is not allowed to be."""

    def __init__(self, allowed: dict[str, str]) -> None:
        self._allowed = allowed
        self._refused: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, "wasxfail"):
            self._look_at(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._look_at(report)

    def _look_at(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        file, _, _ = report.nodeid.partition("::")
        if report.skipped and not {report.nodeid, file} & self._allowed.keys():
            self._refused.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._refused and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._refused:
            terminalreporter.section("skipped without leave", red=True)
            for node in self._refused:
                terminalreporter.line(f"{node}: make it run, or list it in {ALLOWED.name}")


def read_allowed(text: str) -> dict[str, str]:
    """Return the reason by node id or file; a line is ``which -- reason``, # begins a comment."""
    allowed = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            node, _, reason = line.partition(" -- ")
            if not reason.strip():
                raise pytest.UsageError(f"{ALLOWED.name}: {line!r} gives no reason after ' -- '")
            allowed[node.strip()] = reason.strip()
    return allowed


def pytest_configure(config: pytest.Config) -> None:
    """Put the policy in force."""
    config.pluginmanager.register(SkipPolicy(read_allowed(ALLOWED.read_text())), "skip-policy")
