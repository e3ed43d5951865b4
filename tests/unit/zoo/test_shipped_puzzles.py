"""The pair of knights and knaves as it lies in the package."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3ForCausalLM

from rkd_online.spec.load import load_spec
from rkd_online.tasks.build import build_task
from rkd_online.tasks.verifiers import verifier
from rkd_online.zoo import zoo_path
from rkd_online.zoo.card import card
from rkd_online.zoo.lessons import puzzle_task
from rkd_online.zoo.measure import Figures, pass_at_1
from rkd_online.zoo.pairs import PUZZLE_TOKENS, SUBJECTS, HeldOut
from rkd_online.zoo.recipe import RECIPES
from tests.unit.zoo.test_shipped_pair import MODEL_FILES, TOKENIZER_FILES

PAIR = "knights-knaves"
FOLDERS = {name: zoo_path(f"zoo:{PAIR}/{name}") for name in ("teacher", "student")}
FIGURES = {
    "teacher": [
        Figures("puzzles of 2 people", 256, sampled=1.0, greedy=1.0),
        Figures("puzzles of 3 people", 256, sampled=0.999, greedy=1.0),
        Figures("puzzles of 4 people", 256, sampled=0.0, greedy=0.0),
    ],
    "student": [
        Figures("puzzles of 2 people", 256, sampled=0.292, greedy=0.535),
        Figures("puzzles of 3 people", 256, sampled=0.102, greedy=0.234),
        Figures("puzzles of 4 people", 256, sampled=0.0, greedy=0.0),
    ],
}


def test_the_pair_is_whole_and_takes_20_megabytes_at_the_most() -> None:
    files = [path for folder in FOLDERS.values() for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) <= 20_000_000
    for folder in FOLDERS.values():
        assert {path.name for path in folder.iterdir()} == TOKENIZER_FILES | MODEL_FILES


def test_both_have_the_tokenizer_that_the_code_makes(tmp_path: Path) -> None:
    SUBJECTS[PAIR].tokenizer().save_pretrained(tmp_path)
    for name in TOKENIZER_FILES:
        made = (tmp_path / name).read_bytes()
        assert all((folder / name).read_bytes() == made for folder in FOLDERS.values())


@pytest.mark.parametrize("recipe", RECIPES[PAIR], ids=lambda recipe: str(recipe.name))
def test_a_card_says_how_its_model_was_made(recipe: object) -> None:
    (found,) = [one for one in RECIPES[PAIR] if one == recipe]
    stated = card(PAIR, found, FIGURES[found.name])
    assert (FOLDERS[found.name] / "README.md").read_text(encoding="utf-8") == stated
    model = AutoModelForCausalLM.from_pretrained(FOLDERS[found.name])
    assert isinstance(model, Qwen3ForCausalLM)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (found.layers, found.width)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"), [("teacher", 0.9, 1.0), ("student", 0.3, 0.85)]
)
def test_the_teacher_solves_what_the_student_often_gets_wrong_even_when_it_does_not_sample(
    name: str, lowest: float, highest: float
) -> None:
    task = puzzle_task(2)
    source = build_task(task)
    problems = tuple(source.problem("test", index) for index in range(64))
    asked = HeldOut("puzzles", problems, verifier(task), PUZZLE_TOKENS[2])
    model = AutoModelForCausalLM.from_pretrained(FOLDERS[name])
    tokenizer = AutoTokenizer.from_pretrained(FOLDERS[name])
    assert lowest <= pass_at_1(model, tokenizer, asked, sample=False) <= highest


def test_the_example_is_a_job_of_this_pair() -> None:
    spec = load_spec(Path(__file__).parents[3] / "examples" / "puzzles.yaml")
    assert spec.policy.model == f"zoo:{PAIR}/student"
    assert spec.teacher is not None and spec.teacher.model == f"zoo:{PAIR}/teacher"
