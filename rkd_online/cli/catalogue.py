"""Every command with its place on the help page and its examples."""

from collections.abc import Callable
from typing import Any, NamedTuple

import typer

from rkd_online.cli import (
    audit,
    changing,
    checkpoints,
    database,
    evaluation,
    events,
    exports,
    jobs,
    keys,
    local,
    login,
    logs,
    metrics,
    projects,
    results,
    rollouts,
    server,
    submission,
    watching,
    zoo,
)
from rkd_online.cli.collection import collect
from rkd_online.cli.plan import plan
from rkd_online.cli.presets import presets

HERE = "On this machine"
SERVICE = "Control plane"
JOBS = "Jobs of a control plane"
ACCESS = "Access to a control plane"
JOB = "job-01m86x99ydxzq1b3"


class Command(NamedTuple):
    """A command; ``examples`` are what a user would type."""

    panel: str
    name: str
    function: Callable[..., Any]
    examples: tuple[str, ...]


COMMANDS = (
    Command(
        HERE,
        "validate",
        local.validate,
        ("rkd validate job.yaml", "rkd validate job.yaml --json > resolved.json"),
    ),
    Command(
        HERE,
        "plan",
        plan,
        (
            "rkd plan job.yaml",
            "rkd plan job.yaml --gpus 8 --gpu-memory 80GiB",
            "rkd plan job.yaml --gpus 8 --gpu h200 --mean-new-tokens 3000 --json",
            "rkd plan job.yaml --config teacher=configs/teacher.json",
        ),
    ),
    Command(
        HERE,
        "run",
        local.run,
        ("rkd run job.yaml", "rkd run job.yaml --job second --data-dir /data/rkd"),
    ),
    Command(
        HERE,
        "eval",
        evaluation.evaluate,
        (
            "rkd eval zoo:chain-sum/student zoo:chain-sum/teacher chain_sum --samples 8",
            "rkd eval .rkd/runs/quickstart/attempts/1/checkpoints/step-000060 job.yaml",
            "rkd eval models/student reasoning_gym/knights_knaves --out before",
        ),
    ),
    Command(
        HERE,
        "compare",
        evaluation.compare,
        (
            "rkd compare quickstart/student-before quickstart",
            "rkd compare before/student.json after/student.json --json",
        ),
    ),
    Command(HERE, "presets", presets, ("rkd presets", "rkd presets opd-then-grpo")),
    Command(
        HERE,
        "collect",
        collect,
        (
            "rkd collect zoo:chain-sum/teacher chain_sum --prompts 512 --out store",
            "rkd collect hf:Qwen/Qwen3-8B@main job.yaml --samples 8 --out store",
        ),
    ),
    Command(
        SERVICE,
        "serve",
        server.serve,
        ("rkd serve --local-ray", "rkd serve --ray-address http://head:8265 --data-dir /data/rkd"),
    ),
    Command(
        SERVICE,
        "demo",
        server.demo,
        ("rkd demo", "rkd demo --port 9000 --dashboard-port 9001"),
    ),
    Command(SERVICE, "health", login.health, ("rkd health --url http://head:8420",)),
    Command(
        JOBS,
        "submit",
        submission.submit,
        (
            "rkd submit job.yaml --watch",
            "rkd submit job.yaml --project research --label team=reasoning --budget-wall 8h",
            "rkd submit job.yaml --dry-run --url http://head:8420",
        ),
    ),
    Command(
        JOBS,
        "watch",
        watching.watch,
        (f"rkd watch {JOB}", f"rkd watch {JOB} --json | jq .type"),
    ),
    Command(
        JOBS,
        "list",
        jobs.list_jobs,
        (
            "rkd list --status running --status paused",
            "rkd list --label team=reasoning --since 7d",
            "rkd list --all --json",
        ),
    ),
    Command(JOBS, "show", jobs.show, (f"rkd show {JOB}", f"rkd show {JOB} --json | jq .spec")),
    Command(
        JOBS,
        "change",
        changing.change,
        (
            f"rkd change {JOB} --learning-rate 1e-5",
            f"rkd change {JOB} --steps 400 --budget-wall 12h --label stage=long",
        ),
    ),
    Command(JOBS, "cancel", jobs.cancel, (f"rkd cancel {JOB}",)),
    Command(JOBS, "pause", jobs.pause, (f"rkd pause {JOB}",)),
    Command(JOBS, "resume", jobs.resume, (f"rkd resume {JOB}",)),
    Command(
        JOBS,
        "events",
        events.events,
        (f"rkd events {JOB} --all", f"rkd events {JOB} --follow --json"),
    ),
    Command(
        JOBS,
        "metrics",
        metrics.metrics,
        (
            f"rkd metrics {JOB} reward/mean policy/",
            f"rkd metrics {JOB} --from 100 --json",
            f"rkd metrics {JOB} --describe",
        ),
    ),
    Command(
        JOBS,
        "rollouts",
        rollouts.rollouts,
        (
            f"rkd rollouts {JOB} --step 40 --wrong",
            f"rkd rollouts {JOB} 40-319-0",
        ),
    ),
    Command(
        JOBS,
        "logs",
        logs.logs,
        (f"rkd logs {JOB}", f"rkd logs {JOB} --role learner --tail 50"),
    ),
    Command(
        JOBS,
        "report",
        results.report,
        (
            f"rkd report {JOB} --png gain.png",
            f"rkd report {JOB} --json",
            "rkd report quickstart --folder .rkd",
        ),
    ),
    Command(
        JOBS,
        "trace",
        results.trace,
        (
            f"rkd trace {JOB}",
            f"rkd trace {JOB} -o slow.json.gz",
            "rkd trace quickstart --folder .rkd",
        ),
    ),
    Command(ACCESS, "login", login.login, ("rkd login", "rkd login --url http://head:8420 < key")),
    Command(ACCESS, "logout", login.logout, ("rkd logout --url http://head:8420",)),
    Command(ACCESS, "whoami", login.whoami, ("rkd whoami", "rkd whoami --json")),
    Command(
        ACCESS,
        "audit",
        audit.audit,
        ("rkd audit --project research", "rkd audit --all --json"),
    ),
)
GROUPS: tuple[tuple[str, str, typer.Typer], ...] = (
    (HERE, "export", exports.app),
    (HERE, "zoo", zoo.app),
    (SERVICE, "db", database.app),
    (JOBS, "checkpoints", checkpoints.app),
    (ACCESS, "keys", keys.app),
    (ACCESS, "projects", projects.app),
)
