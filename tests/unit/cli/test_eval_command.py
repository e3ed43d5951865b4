"""rkd eval: what it asks of which model, how it shows it, and what it refuses before it loads."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from rkd_online.cli import extras
from rkd_online.evaluation.record import Evaluation, read_evaluation
from rkd_online.run.examination import Watch
from rkd_online.spec import JobSpec
from rkd_online.types import Split
from rkd_online.zoo import zoo_path
from tests.unit.cli.conftest import Rkd
from tests.unit.cli.test_help import ASK, HEAVY, python
from tests.unit.evaluation.evaluations import evaluation
from tests.unit.spec.mixed import mixed, part

STUDENT, TEACHER = "zoo:chain-sum/student", "zoo:chain-sum/teacher"
CORRECT = {"student": [1, 2, 0, 3], "teacher": [4, 4, 3, 4]}


class Measured:
    """Stands for the engine: remembers what was asked, and answers as ``CORRECT`` says."""

    def __init__(self) -> None:
        self.specs: dict[str, JobSpec] = {}
        self.splits: list[Split] = []

    def __call__(self, spec: JobSpec, name: str, split: Split, watch: Watch) -> Evaluation:
        self.specs[name] = spec
        self.splits.append(split)
        for decoding in spec.evaluation.decoding:
            for answered in range(1, 5):
                watch(decoding, answered, 4)
        correct = CORRECT[name.rpartition("/")[2].partition("-")[0]]
        return evaluation(name, correct, decodings=spec.evaluation.decoding)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    found = Measured()
    stub = SimpleNamespace(evaluate_model=found)
    monkeypatch.setitem(sys.modules, "rkd_online.run.standalone", stub)
    return found


def test_a_short_name_asks_as_a_job_would_by_default(rkd: Rkd, measured: Measured) -> None:
    assert rkd("eval", STUDENT, "chain_sum").code == 0
    spec = measured.specs["student"]
    assert spec.policy.model == STUDENT
    assert spec.task.model_dump() == {"type": "chain_sum", "min_terms": 2, "max_terms": 4}
    assert (spec.evaluation.prompts, spec.evaluation.samples) == (256, 4)
    assert spec.evaluation.decoding == ("temperature_1", "greedy")
    # Half of the context of 256 tokens.
    assert spec.rollout.max_new_tokens == 128
    assert measured.splits == ["test"]


def test_options_and_fields_say_what_is_asked(rkd: Rkd, measured: Measured) -> None:
    outcome = rkd(
        "eval", STUDENT, "chain_sum", "--prompts", "9", "--samples", "8", "--decoding", "papers",
        "--decoding", "greedy", "--max-new-tokens", "40", "--split", "validation",
        "--set", "task.max_terms=3", "--set", "rewards.0.extractor=last_number",
        "--set", "prompt.type=plain", "--set", "correct_at=0.5",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    spec = measured.specs["student"]
    assert (spec.evaluation.prompts, spec.evaluation.samples) == (9, 8)
    assert spec.evaluation.decoding == ("papers", "greedy")
    assert (spec.rollout.max_new_tokens, spec.correct_at) == (40, 0.5)
    assert spec.task.model_dump()["max_terms"] == 3
    assert spec.rewards[0].model_dump()["extractor"] == "last_number"
    assert spec.prompt.model_dump() == {"type": "plain"}
    assert measured.splits == ["validation"]


def test_a_jobs_file_says_what_is_asked_whatever_its_models_and_algorithm(
    rkd: Rkd, measured: Measured, tmp_path: Path
) -> None:
    job = {
        "version": 1,
        "name": "taught",
        "policy": {"model": "/no/such/policy"},
        "teacher": {"model": "/no/such/teacher"},
        "task": {"type": "chain_sum", "max_terms": 3},
        "prompt": {"type": "chat"},
        "rewards": [{"type": "verifier"}, {"type": "finished", "weight": 0.1}],
        "algorithm": {"type": "rlad"},
        "rollout": {"max_new_tokens": 50, "max_staleness": 2},
        "evaluation": {"samples": 16, "every": 20},
        "steps": 60,
        "seed": 3,
    }
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    outcome = rkd(
        "eval", STUDENT, TEACHER, str(tmp_path / "job.yaml"), "--set", "prompt.type=plain"
    )
    assert outcome.code == 0, outcome.err
    for name, reference in (("student", STUDENT), ("teacher", TEACHER)):
        spec = measured.specs[name]
        assert (spec.policy.model, spec.teacher, spec.seed) == (reference, None, 3)
        assert (spec.rollout.max_new_tokens, spec.rollout.max_staleness) == (50, 0)
        assert [reward.type for reward in spec.rewards] == ["verifier", "finished"]
        assert (spec.evaluation.samples, spec.prompt.type) == (16, "plain")


def test_the_teachers_of_a_mixture_are_not_asked(
    rkd: Rkd, measured: Measured, tmp_path: Path
) -> None:
    own = part("long", 4, 4, teacher={"model": "/no/such/teacher"})
    data = mixed(part("short", 2, 2), own, teacher={"model": "/no/such/other"})
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(data))
    weight = ("--set", "task.parts.0.weight=3")
    outcome = rkd("eval", STUDENT, str(tmp_path / "job.yaml"), *weight)
    assert outcome.code == 0, outcome.err
    spec = measured.specs["student"]
    assert spec.teachers == {}
    assert [(one.name, one.weight) for one in spec.parts] == [("short", 3.0), ("long", 1.0)]


def test_a_long_answer_needs_no_room_in_a_training_step(
    rkd: Rkd, measured: Measured, tmp_path: Path
) -> None:
    model = tmp_path / "student-long"
    shutil.copytree(zoo_path(STUDENT), model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 65_536}))
    outcome = rkd("eval", str(model), "chain_sum", "--max-new-tokens", "40000")
    assert outcome.code == 0, outcome.err
    assert measured.specs["student-long"].rollout.max_new_tokens == 40_000
    # Without the option an answer is as long as a job's by default at most.
    rkd("eval", str(model), "chain_sum")
    assert measured.specs["student-long"].rollout.max_new_tokens == 1024


def test_the_models_stand_side_by_side_and_beside_the_first(
    rkd: Rkd, measured: Measured, tmp_path: Path
) -> None:
    outcome = rkd("eval", STUDENT, TEACHER, "chain_sum", "--out", str(tmp_path / "found"))
    lines = [line.split() for line in outcome.out.splitlines()]
    assert "sum · 4 test prompts · answers of at most 64 tokens" in outcome.out
    assert [line[1] for line in lines if line[:1] == ["teacher"]][:2] == ["0.938"] * 2
    (row, _) = [line for line in lines if line[:1] == ["pass@1"] and len(line) == 7]
    # 6 and 15 of 16 answers.
    assert row[:4] == ["pass@1", "0.375", "0.938", "+0.562"]
    files = [tmp_path / "found" / f"{name}.json" for name in ("student", "teacher")]
    assert [read_evaluation(file).model for file in files] == [
        "student",
        "teacher",
    ]
    assert outcome.out.endswith(f"written: {files[0]}\nwritten: {files[1]}\n")


def test_folders_of_one_name_are_told_apart_by_their_paths(
    rkd: Rkd, measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "student-7").symlink_to(zoo_path(STUDENT))
    rkd("eval", "one/student-7", "two/student-7", "chain_sum")
    assert list(measured.specs) == ["one/student-7", "two/student-7"]
    assert measured.specs["one/student-7"].policy.model == str(tmp_path / "one" / "student-7")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([STUDENT, "chain_sums"], "TASK 'chain_sums' is neither the file of a job (.yaml, .yml or "
         ".json) nor one of chain_sum and reasoning_gym/DATASET; did you mean 'chain_sum'?"),
        ([STUDENT, "knights_knaves"], "did you mean 'reasoning_gym/knights_knaves'?"),
        ([STUDENT, "gone.yaml"], "cannot read the spec file gone.yaml"),
        (["gone", "chain_sum"], "MODEL 'gone': there is no folder"),
        (["hf:org/name", "chain_sum"], "'hf:org/name' is not of the form hf:ORG/NAME@REVISION"),
        ([STUDENT, STUDENT, "chain_sum"], "each MODEL can be given once"),
        ([STUDENT, "chain_sum", "--decoding", "paper"], "evaluation.decoding.0: found 'paper', "
         "should be 'temperature_1', 'papers' or 'greedy'; did you mean 'papers'?"),
        ([STUDENT, "chain_sum", "--decoding", "greedy", "--decoding", "greedy"],
         "evaluation.decoding: found ['greedy', 'greedy'], should name each decoding once"),
        ([STUDENT, "chain_sum", "--max-new-tokens", "300"], "rollout.max_new_tokens: 300 leaves no "
         "room for a prompt in the policy's context of 256 tokens: lower it"),
        ([STUDENT, "chain_sum", "--set", "task.max_term=3"], "task.max_term: unknown key (found 3)"
         "; did you mean 'max_terms'"),
        ([STUDENT, "chain_sum", "--set", "steps=3"], "--set steps: an evaluation has no such "
         "field"),
        ([STUDENT, "chain_sum", "--set", "seed={"], "--set seed: cannot read '{'"),
        ([STUDENT, "chain_sum", "--set", "rewards.1.weight=2"], "--set rewards.1.weight: 1 is no "
         "number from 0 to 0"),
        ([STUDENT, "chain_sum", "--set", "rewards.0=2"], "--set rewards.0: rewards has no fields"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_before_anything_is_loaded(
    rkd: Rkd, measured: Measured, arguments: list[str], message: str
) -> None:
    outcome = rkd("eval", *arguments)
    assert (outcome.code, outcome.out, measured.specs) == (1, "", {})
    assert message in outcome.err


def test_a_base_install_says_what_is_missing(rkd: Rkd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: name == "torch" or None)
    outcome = rkd("eval", STUDENT, "chain_sum")
    assert outcome.code == 1
    assert outcome.err.startswith("error: `rkd eval` needs transformers, vllm, which this base")


@pytest.mark.parametrize("command", ["eval", "compare"])
def test_help_imports_nothing_heavy(command: str) -> None:
    code, found = json.loads(python(ASK, command, "--help").splitlines()[-1])
    assert (code, HEAVY & set(found)) == (0, set())
