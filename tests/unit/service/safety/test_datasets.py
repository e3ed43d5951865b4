"""What reasoning-gym would read or run for a job."""

import ast
import dataclasses
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
from reasoning_gym import create_dataset
from reasoning_gym.factory import DATASETS

from rkd_online.service.safety.datasets import EVALUATING
from rkd_online.service.safety.limits import Limits
from rkd_online.spec.check_task import task_problems
from rkd_online.spec.load import parse_spec
from rkd_online.spec.reasoning_gym import UNREPRODUCIBLE
from rkd_online.tasks.match import mathematical
from tests.unit.service.safety.places import Places, refused
from tests.unit.spec.job import job

EVALUATORS = {"eval", "exec", "compile", "parse_expr", "sympify", "literal_eval"}
TEXTS = {
    "advanced_geometry.task_types", "aiw.female_names", "aiw.male_names", "aiw.task_types",
    "arc_agi.mirrors", "arc_agi.rotations", "basic_arithmetic.format_style",
    "basic_arithmetic.operators", "basic_arithmetic.whitespace", "boxnet.colour_list",
    "caesar_cipher.delimiter", "calendar_arithmetic.tasks", "complex_arithmetic.operations",
    "countdown.operators", "family_relationships.female_names", "family_relationships.male_names",
    "figlet_font.static_font", "figlet_font.static_word", "fraction_simplification.styles",
    "intermediate_integration.operators", "intermediate_integration.problem_types",
    "intermediate_integration.symbols", "polynomial_equations.operators",
    "polynomial_multiplication.operators", "polynomial_multiplication.variables",
    "puzzle24.operators", "simple_equations.operators", "simple_integration.operators",
    "simple_integration.symbols", "spell_backward.data_file", "time_intervals.task_types",
    "word_sorting.transformation",
}  # fmt: skip
"""``data_file`` is read as a file. Operators and ``static_font`` are of closed lists, which
the datasets check; ``symbols`` and ``variables`` are read as Python by verifiers that are refused
anyway; all others stand in problems as they are, or choose among them."""


def gym(dataset: str, **config: Any) -> dict[str, Any]:
    return {"type": "reasoning_gym", "dataset": dataset, "config": config}


def refusal(field: str, dataset: str) -> str:
    return (
        f"{field}: {dataset!r} runs the answers of the policy as Python: choose a dataset that "
        "does not; only the administrator can allow it (RKD_ALLOW_EVALUATED_ANSWERS)"
    )


@pytest.mark.parametrize("name", sorted(EVALUATING))
def test_an_answer_to_these_is_a_program(tmp_path: Path, name: str) -> None:
    """Without this their place on the list would be unfounded."""
    dataset = create_dataset(name, seed=0, size=1)
    proof = tmp_path / "proof"
    dataset.score_answer(f"__import__('pathlib').Path({str(proof)!r}).touch()", dataset[0])
    assert proof.exists()


def test_no_other_verifier_evaluates_an_answer() -> None:
    """By their source: a call of an evaluator with a plain name, not with the dataset's entry."""
    found = {name for name, (kind, _) in DATASETS.items() if evaluates(kind)}
    assert found - {"propositional_logic"} == EVALUATING  # its parse_expr is a parser of its own


def evaluates(kind: type) -> bool:
    source = inspect.getsource(sys.modules[kind.__module__])
    methods = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name == "score_answer"
    ]
    calls = [node for method in methods for node in ast.walk(method) if isinstance(node, ast.Call)]
    return any(
        getattr(call.func, "id", getattr(call.func, "attr", "")) in EVALUATORS
        and isinstance(call.args[0], ast.Name)
        for call in calls
        if call.args
    )


@pytest.mark.parametrize(
    "answer", ["{0}", "${0}$", r"\boxed{{{0}}}", r"\frac{{{0}}}{{2}}", "1+{0}", "x={0}", "[{0}]"]
)
def test_math_verify_runs_no_answer(tmp_path: Path, answer: str) -> None:
    proof = tmp_path / "proof"
    mathematical("1", answer.format(f"__import__('pathlib').Path({str(proof)!r}).touch()"))
    assert not proof.exists()


def test_they_are_refused_alone_in_a_mixture_and_in_a_composite(places: Places) -> None:
    assert places.lines(task=gym("countdown")) == [refusal("task.dataset", "countdown")]
    mixed = [{"name": "countdown", "weight": 1.0, "config": {}}]
    parts = [
        {"name": "a", "task": {"type": "chain_sum"}},
        {"name": "b", "task": gym("composite", datasets=mixed)},
    ]
    assert places.lines(task={"type": "mixture", "parts": parts}) == [
        refusal("task.parts.1.task.dataset", "countdown")
    ]
    assert places.lines(task=gym("knights_knaves")) == []


def test_an_administrator_can_allow_them(places: Places) -> None:
    limits = Limits(places.folders, (), evaluated_answers=True, trackers=(), apart=False)
    assert refused(limits, task=gym("countdown")) == []


def test_a_word_list_is_a_file_of_reasoning_gym_itself(tmp_path: Path, places: Places) -> None:
    """Its problems show the words: any file that the control plane can read would be told."""
    (tmp_path / "secret.txt").write_text("hunter2\n")
    path = f"{tmp_path}/secret.txt"
    told = create_dataset("spell_backward", seed=0, size=1, data_file=path)[0]
    assert told["question"].endswith("hunter2")
    assert places.lines(task=gym("spell_backward", data_file=path)) == [
        f"task.config.data_file: {path!r} is no name of a file of reasoning-gym's own"
    ]
    assert places.lines(task=gym("spell_backward", data_file="words3to10.txt")) == []


@pytest.mark.parametrize("value", ["../x", "a/b", "..", "", "/etc/passwd", "a\n", "~", 1, None])
def test_at_any_depth_it_is_a_name_alone(places: Places, value: object) -> None:
    one = {"name": "spell_backward", "weight": 1.0, "config": {"data_file": value}}
    (line,) = places.lines(task=gym("composite", datasets=[one]))
    assert line == (
        f"task.config.datasets.0.config.data_file: {value!r} is no name of a file of "
        "reasoning-gym's own"
    )


@pytest.mark.parametrize("datasets", [None, {}, [None], ["countdown"], [{"name": ["countdown"]}]])
def test_settings_of_another_form_are_left_to_the_jobs_own_check(
    places: Places, datasets: object
) -> None:
    assert places.lines(task=gym("composite", datasets=datasets)) == []


def test_every_setting_that_takes_text_is_accounted_for() -> None:
    """A release of reasoning-gym with one more must be looked at before it is used."""
    found = {
        f"{name}.{field.name}"
        for name, (_, config) in DATASETS.items()
        if name not in UNREPRODUCIBLE
        for field in dataclasses.fields(config)
        if takes_text(field)
    }
    assert found == TEXTS


@pytest.mark.parametrize(
    ("dataset", "setting", "value"),
    [
        ("basic_arithmetic", "operators", ["+__import__('os').getpid()+"]),
        ("figlet_font", "static_font", "/etc/passwd"),
    ],
)
def test_text_that_would_be_run_or_read_is_refused_by_its_dataset(
    dataset: str, setting: str, value: object
) -> None:
    (line,) = task_problems(parse_spec(job(task=gym(dataset, **{setting: value}))).task)
    assert line.startswith(f"task.config: {dataset} refuses ")


def takes_text(field: "dataclasses.Field[Any]") -> bool:
    made = field.default_factory
    default = field.default if made is dataclasses.MISSING else made()
    texts = default if isinstance(default, list | tuple) else [default]
    return any(isinstance(one, str) for one in texts) or "str" in str(field.type)
