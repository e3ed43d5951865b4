"""Waiting for an idle machine."""

from types import SimpleNamespace

import psutil  # type: ignore[import-untyped]
import pytest

from benchmarks import idle

PROCESSES = [
    {"pid": 1, "name": "init", "cmdline": ["init"], "cpu_percent": 0.0},
    {"pid": 2, "name": "kworker", "cmdline": [], "cpu_percent": 40.0},
    {"pid": 3, "name": "python", "cmdline": ["python", "-c", "a\nb"], "cpu_percent": 99.6},
    {"pid": 4, "name": "gone", "cmdline": None, "cpu_percent": None},
    {"pid": 5, "name": "cc", "cmdline": ["cc", "x" * 200], "cpu_percent": 80.2},
]


def test_it_waits_until_less_than_a_tenth_of_all_cores_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = iter([63.0, 10.0, 9.9, 0.0])
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: next(looks))
    idle.wait_until_idle()
    assert list(looks) == [0.0]


def test_a_machine_that_stays_busy_ends_it_with_the_three_busiest_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 5.0, 115.0, 120.0])
    monkeypatch.setattr(idle, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: 63.4)
    found = [SimpleNamespace(info=info) for info in PROCESSES]
    monkeypatch.setattr(psutil, "process_iter", lambda attributes: found)
    with pytest.raises(SystemExit) as caught:
        idle.wait_until_idle()
    assert str(caught.value).splitlines() == [
        "the machine is not idle: after 120 s, 63 % of its cores are still in use, 10 % or more. "
        "The busiest processes (pid, % of one core, command):",
        "  3  100 %  python -c a b",
        f"  5  80 %  cc {'x' * 97}",
        "  2  40 %  kworker",
        "End them, or measure nevertheless with --busy.",
    ]
