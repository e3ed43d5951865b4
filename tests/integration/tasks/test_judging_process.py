"""Whatever a reward does in its process, its rollout alone is lost, and it is counted."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rkd_online.batching.statistics import batch_metrics
from rkd_online.errors import TaskError
from rkd_online.scoring.scorer import GroupScorer
from rkd_online.spec.check_task import reward_problems
from rkd_online.spec.installed import GROUP
from rkd_online.spec.load import parse_spec
from rkd_online.spec.task import (
    ChainSumTask,
    FileTask,
    InstalledReward,
    JudgingSpec,
    ReasoningGymTask,
    Task,
    VerifierReward,
)
from rkd_online.tasks.base import Completion, Failure, Message, Problem
from rkd_online.tasks.build import build_task
from rkd_online.tasks.prompts import prompt_id
from rkd_online.tasks.rewards import RewardFunction, RewardParts, build_rewards
from rkd_online.types import (
    FailureCause,
    PromptItem,
    Rollout,
    RolloutGroup,
    ScoredGroup,
    UnjudgedRollout,
    VersionSpan,
    logprobs,
    token_ids,
)
from tests.unit.spec.job import job
from tests.unit.tasks.packages import install

BEHAVIOUR = """
    import ctypes, os, signal, subprocess, sys, time

    def behave(problem, completion, *, good):
        "Does what the completion says."
        match completion.text:
            case "loop":
                while True:
                    pass
            case "sleep":
                time.sleep(3600)
            case "stubborn":
                signal.signal(signal.SIGALRM, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(3600)
            case "exit":
                os._exit(3)
            case "segfault":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                return len(bytearray(1 << 34))
            case "raise":
                raise ValueError("no such word")
            case "quit":
                sys.exit(1)
            case "nan":
                return float("nan")
            case "infinity":
                return float("-inf")
            case "nothing":
                return None
            case "child":
                sleeper = subprocess.Popen(["sleep", "3600"])
                print(sleeper.pid, file=open(problem.record["pids"], "w"), flush=True)
                time.sleep(3600)
            case "seen":
                return float("torch" in sys.modules or "RKD_ATTEMPT_TOKEN" in os.environ)
        return good + completion.tokens / 100

    def needs_more(problem, completion, *, words): ...
"""
SAMPLED = {"rollout": {"max_new_tokens": 1024}}
LIMITS = JudgingSpec(seconds=1.0, memory_mib=256)
OWN = InstalledReward(type="installed", name="behave", weight=2.0, settings={"good": 0.5})


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    points = {name: f"tests_of_rewards:{name}" for name in ("behave", "needs_more", "is_not_there")}
    install(tmp_path, "tests_of_rewards", BEHAVIOUR, points)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def rewards(task: Task, *parts: InstalledReward, judging: JudgingSpec = LIMITS) -> RewardFunction:
    return build_rewards(
        [VerifierReward(extractor="whole_text"), *parts],
        task,
        judging=judging,
        correct_at=1.0,
        longest=100,
        start_seconds=60.0,
    )


@pytest.fixture
def scorer(packages: Path) -> Iterator[GroupScorer]:
    """Of a job with an installed reward, whose texts are code points."""
    task = ChainSumTask()
    made = GroupScorer(
        task=build_task(task),
        rewards=rewards(task, OWN),
        decode=lambda ids: "".join(map(chr, ids)),
        end_token_ids=[0],
        teacher=None,
    )
    yield made
    asyncio.run(made.close())


def test_an_installed_reward_alone_says_what_is_correct(packages: Path) -> None:
    """Its value of a completion is 0.5 and a hundredth for each token: 1.0 with 50 of them."""
    verdict = OWN.model_copy(update={"verdict": True})
    function = build_rewards(
        [verdict], ChainSumTask(), judging=LIMITS, correct_at=1.0, longest=100, start_seconds=60.0
    )
    problem = build_task(ChainSumTask()).problem("train", 0)
    answers = [Completion("fine", tokens, "stop") for tokens in (50, 49)]
    try:
        found = asyncio.run(function(problem, answers))
    finally:
        function.close()
    assert found == [
        RewardParts(2.0, {"behave": 1.0}, 1.0),
        RewardParts(1.98, {"behave": 0.99}, 0.99),
    ]


def group(*texts: str) -> RolloutGroup:
    problem = build_task(ChainSumTask()).problem("train", 0)
    ids = [token_ids(map(ord, text)) for text in texts]
    rollouts = tuple(
        Rollout(index, one, logprobs([-1.0] * len(one)), (VersionSpan(0, 0, len(one)),), "length")
        for index, one in enumerate(ids)
    )
    prompt = PromptItem(
        prompt_id(problem), "train", 0, token_ids([1]), problem.answer, "chain_sum", "all"
    )
    return RolloutGroup(0, prompt, rollouts)


def own_parts(scored: ScoredGroup) -> list[float]:
    return [one.reward_parts["behave"] for one in scored.judged]


@pytest.mark.parametrize(
    ("text", "cause", "detail"),
    [
        ("loop", "timeout", "behave: no verdict within 1 s"),
        ("sleep", "timeout", "behave: no verdict within 1 s"),
        ("stubborn", "timeout", "behave: no verdict within 1 s"),
        ("exit", "crash", "behave: the judging process ended with exit status 3"),
        ("segfault", "crash", "behave: the judging process was killed by SIGSEGV"),
        ("kill", "crash", "behave: the judging process was killed by SIGKILL"),
        ("memory", "memory", "behave: it needs more memory than judging.memory_mib"),
        ("raise", "error", "behave: ValueError: no such word"),
        ("quit", "error", "behave: SystemExit: 1"),
        ("nan", "not_finite", "behave: nan"),
        ("infinity", "not_finite", "behave: -inf"),
    ],
)
def test_a_reward_that_fails_marks_its_rollout_alone_and_the_next_group_is_judged(
    scorer: GroupScorer, text: str, cause: FailureCause, detail: str
) -> None:
    async def two_groups() -> list[ScoredGroup]:
        return [await scorer.score(group("a", text, "bcd")), await scorer.score(group("ab", "c"))]

    failed, after = asyncio.run(two_groups())
    marked = failed.rollouts[1]
    assert isinstance(marked, UnjudgedRollout)
    assert (marked.rollout.index, marked.cause, marked.detail) == (1, cause, detail)
    assert [one.rollout.index for one in failed.judged] == [0, 2]
    assert own_parts(failed) == [0.51, 0.53]
    assert own_parts(after) == [0.52, 0.51]
    assert [one.reward for one in after.judged] == [1.04, 1.02]
    counted = batch_metrics([failed, after], correct_at=1.0)
    failures = {name: value for name, value in counted.items() if name.startswith("reward/failed")}
    assert {name for name, value in failures.items() if value} == {f"reward/failed_{cause}"}
    assert failures[f"reward/failed_{cause}"] == 1.0


def test_every_sibling_may_fail_in_its_own_way(scorer: GroupScorer) -> None:
    scored = asyncio.run(scorer.reward(group("exit", "nan", "segfault", "nothing", "a")))
    causes = [one.cause for one in scored.rollouts if isinstance(one, UnjudgedRollout)]
    assert causes == ["crash", "not_finite", "crash", "error"]
    assert own_parts(scored) == [0.51]


def test_a_reward_sees_neither_torch_nor_the_token_of_the_attempt(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKD_ATTEMPT_TOKEN", "secret")
    function = rewards(ChainSumTask(), OWN)
    assert asyncio.run(judged(function, "seen"))[0] == (0.0, {"verifier": 0.0, "behave": 0.0}, 0.0)
    function.close()


async def judged(
    function: RewardFunction, *texts: str, problem: Problem | None = None
) -> list[RewardParts | Failure]:
    asked = problem or Problem("train", 0, (Message("user", "?"),), "1", "all", "t")
    return await function(asked, [Completion(text, 1, "stop") for text in texts])


def test_what_a_reward_has_started_ends_with_it(packages: Path) -> None:
    pids = packages / "pids"
    problem = Problem("train", 0, (Message("user", "?"),), "1", "all", "t", {"pids": str(pids)})
    function = rewards(ChainSumTask(), OWN)
    (found,) = asyncio.run(judged(function, "child", problem=problem))
    assert isinstance(found, Failure)
    assert found.cause == "timeout"
    wait_until_gone(int(pids.read_text()))
    function.close()


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ({"name": "absent"}, "no package here has an entry point 'absent'"),
        ({"name": "is_not_there"}, "tests_of_rewards:is_not_there of 'is_not_there' cannot be imp"),
        ({"name": "needs_more"}, "cannot be called .* settings {}: missing a required argument"),
        ({"name": "behave", "settings": {"god": 1}}, "cannot be called with a problem, a complet"),
    ],
)
def test_a_reward_that_cannot_be_called_is_an_error_at_the_start(
    packages: Path, reward: dict[str, object], message: str
) -> None:
    part = InstalledReward.model_validate({"type": "installed", **reward})
    with pytest.raises(TaskError, match=message):
        rewards(ChainSumTask(), part)


def test_a_reward_that_does_not_load_in_time_is_an_error_at_the_start(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(packages, "slow_to_load", "import time; time.sleep(60)", {"slow": "slow_to_load:f"})
    with pytest.raises(TaskError, match=r"process has not loaded within 0\.5 s"):
        build_rewards(
            [VerifierReward(), InstalledReward(type="installed", name="slow", settings={})],
            ChainSumTask(),
            judging=LIMITS,
            correct_at=1.0,
            longest=100,
            start_seconds=0.5,
        )


def test_the_reward_that_the_documents_show_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its function, entry point and job, as they stand on the page."""
    page = (Path(__file__).parents[3] / "docs" / "rewards.md").read_text()
    found = re.findall(r"```(python|toml|yaml)\n(.*?)```", page, re.DOTALL)
    blocks = dict(reversed(found))  # the first of each
    points = tomllib.loads(blocks["toml"])["project"]["entry-points"][GROUP]
    install(tmp_path, "my_rewards", "", points)
    (tmp_path / "my_rewards.py").unlink()
    (tmp_path / "my_rewards").mkdir()
    (tmp_path / "my_rewards" / "words.py").write_text(blocks["python"])
    monkeypatch.syspath_prepend(tmp_path)
    spec = parse_spec(job(rewards=yaml.safe_load(blocks["yaml"])["rewards"]) | SAMPLED)
    assert reward_problems(spec) == []
    (part,) = [one for one in spec.rewards if isinstance(one, InstalledReward)]
    function = rewards(ChainSumTask(), part)
    found = asyncio.run(judged(function, "Sorry, it is 8", "It is 8"))
    function.close()
    assert [one.parts for one in found if isinstance(one, RewardParts)] == [
        {"verifier": 0.0, "without_words": 0.0},
        {"verifier": 0.0, "without_words": 1.0},
    ]


def files(match: str) -> FileTask:
    return FileTask.model_validate(
        {"type": "file", "train": "/a", "validation": "/b", "test": "/c", "match": match}
    )


def verdicts(task: Task, problem: Problem, *texts: str) -> list[float | FailureCause]:
    function = rewards(task)
    found = asyncio.run(judged(function, *texts, problem=problem))
    function.close()
    return [one.cause if isinstance(one, Failure) else one.correctness for one in found]


def test_an_expression_that_backtracks_without_end_is_given_up() -> None:
    problem = Problem("train", 0, (Message("user", "?"),), "(a|aa)+b", "all", "t")
    assert verdicts(files("regex"), problem, "aab", "a" * 200, "b", "ab") == [1, "timeout", 0, 1]


def test_mathematics_that_takes_without_end_is_given_up() -> None:
    problem = Problem("train", 0, (Message("user", "?"),), r"\frac{1}{2}", "all", "t")
    found = verdicts(files("math"), problem, "0.5", "9^{9^{9^{9^{9}}}}", "2/4", "1/3")
    assert found == [1.0, "timeout", 1.0, 0.0]


def test_reasoning_gym_judges_apart() -> None:
    task = ReasoningGymTask(type="reasoning_gym", dataset="prime_factorization", config={})
    problem = build_task(task).problem("train", 0)
    assert verdicts(task, problem, problem.answer, "two times three") == [1.0, 0.0]


ORPHAN = """
import asyncio, sys, time
from rkd_online.tasks.base import Message, Problem
from rkd_online.tasks.isolation import JudgingProcess
from rkd_online.tasks.judging import Call, JudgingSetup
from rkd_online.spec.task import FileTask

task = FileTask(type="file", train="/a", validation="/b", test="/c", match="regex")
process = JudgingProcess(JudgingSetup(task, (), 2.0, 1 << 28), start_seconds=60)
print(process._process.pid, flush=True)
if sys.argv[1] == "idle":
    time.sleep(3600)
problem = Problem("train", 0, (Message("user", "?"),), "(a|aa)+b", "all", "t")
asyncio.run(process.judge([Call("verifier", problem, "a" * 200)]))
"""


@pytest.mark.parametrize("state", ["busy", "idle"])
def test_a_judging_process_ends_with_its_parent_even_in_a_call(state: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, state], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_until_gone(child)


def wait_until_gone(pid: int) -> None:
    """A process that nobody waits for stays as a zombie in some containers: that counts as gone."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs 30 s later")
