"""Every shipped example is a job."""

import re
from pathlib import Path

import pytest

from rkd_online.spec.algorithm import Rlad
from rkd_online.spec.check import references
from rkd_online.spec.load import load_spec
from rkd_online.spec.sizing.gpus import KNOWN
from rkd_online.spec.sizing.parts import GIB
from rkd_online.spec.sizing.plan import Asked, make_plan

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_parses(path: Path) -> None:
    load_spec(path)


def test_the_quickstart_is_there() -> None:
    assert "quickstart.yaml" in {path.name for path in EXAMPLES}


def test_the_mixture_has_two_teachers_whose_files_are_found_from_its_own_folder() -> None:
    (path,) = [path for path in EXAMPLES if path.name == "mixture.yaml"]
    spec = load_spec(path)
    assert [(one.name, one.field) for one in spec.courses] == [
        ("puzzles", "teacher"),
        ("mathematics", "task.parts.1.teacher"),
    ]
    mathematics = spec.parts[1].task
    assert mathematics.type == "file"
    assert mathematics.train == path.parent / "data" / "train.jsonl"


ON_GPUS = [path for path in EXAMPLES if load_spec(path).resources.device == "cuda"]
PAPER = [path for path in ON_GPUS if path.name.startswith("paper-")]
NEEDS = "# Needs {gpus:g} GPUs of 80 GiB; `rkd plan` counts GiB: {words}."


@pytest.mark.parametrize("path", ON_GPUS, ids=lambda path: path.name)
def test_every_example_of_gpus_fits_them_and_says_what_it_needs(path: Path) -> None:
    plan = make_plan(load_spec(path), Asked(KNOWN["h100"], 8))
    assert plan.problems == ()
    largest: dict[str, int] = {}
    for actor in plan.actors:
        largest[actor.role] = max(actor.bytes, largest.get(actor.role, 0))
    words = ", ".join(f"{role} {size / GIB:.1f}" for role, size in largest.items())
    lines = path.read_text().splitlines()
    assert NEEDS.format(gpus=plan.gpus_of_job, words=words) in lines
    assert any(line.startswith("# Not run on GPUs.") for line in lines)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_models_of_the_hub_are_fixed_by_a_full_commit(path: Path) -> None:
    for reference in references(load_spec(path)).values():
        if reference.startswith("hf:"):
            assert re.fullmatch(r"hf:Qwen/[\w.-]+@[0-9a-f]{40}", reference)


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.name)
def test_the_paper_s_settings(path: Path) -> None:
    spec = load_spec(path)
    assert spec.algorithm == Rlad(
        alpha=0.5, teacher_log_ratio_clamp=1.0, clip_low=0.2, clip_high=0.28
    )
    rollout, tokens = spec.rollout, {"2k": 2048, "8k": 8192, "8b": 8192}[path.stem[-2:]]
    assert (rollout.group_size, rollout.max_new_tokens) == (8, tokens)
    assert rollout.prompts_per_step * rollout.group_size == (512 if "math" in path.stem else 256)
    assert (spec.optimizer.learning_rate, rollout.temperature) == (1e-6, 1.0)


def test_the_paper_s_students_and_teachers() -> None:
    found = {path.stem: [*map(_name, references(load_spec(path)).values())] for path in PAPER}
    assert found == {
        "paper-kk-0.6b-2k": ["Qwen3-0.6B", "Qwen3-8B"],
        "paper-kk-0.6b-8k": ["Qwen3-0.6B", "Qwen3-8B"],
        "paper-kk-1.7b-2k": ["Qwen3-1.7B", "Qwen3-8B"],
        "paper-kk-1.7b-8k": ["Qwen3-1.7B", "Qwen3-8B"],
        "paper-math-8b": ["Qwen3-8B-Base", "Qwen3-32B"],
    }


def _name(reference: str) -> str:
    return reference.removeprefix("hf:Qwen/").partition("@")[0]
