"""The models as they lie in the package."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3ForCausalLM

from rkd_online.errors import SpecError
from rkd_online.tasks.chain_sum import MOST_TERMS, ChainSum, question, trace
from rkd_online.zoo import PAIRS, zoo_path
from rkd_online.zoo.card import card
from rkd_online.zoo.measure import Figures, pass_at_1
from rkd_online.zoo.pairs import SUM_TOKENS, HeldOut
from rkd_online.zoo.recipe import RECIPES
from rkd_online.zoo.tokenizer import CONTEXT, END, make_tokenizer

TEACHER, STUDENT = zoo_path("zoo:chain-sum/teacher"), zoo_path("zoo:chain-sum/student")
NOVICE = zoo_path("zoo:chain-sum/novice")
TOKENIZER_FILES = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
MODEL_FILES = {"config.json", "generation_config.json", "model.safetensors", "README.md"}
FIGURES = {
    "teacher": Figures("sums", 620, sampled=0.992, greedy=0.998),
    "student": Figures("sums", 620, sampled=0.339, greedy=1.0),
    "novice": Figures("sums", 620, sampled=0.259, greedy=0.403),
}


@pytest.mark.parametrize("folder", [TEACHER, STUDENT, NOVICE])
def test_a_folder_holds_a_whole_model_in_safetensors(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == TOKENIZER_FILES | MODEL_FILES


def test_the_pair_takes_12_megabytes_at_the_most() -> None:
    files = [path for folder in (TEACHER, STUDENT, NOVICE) for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) <= 12_000_000


def test_teacher_and_student_share_their_tokenizer_to_the_byte(tmp_path: Path) -> None:
    make_tokenizer().save_pretrained(tmp_path)
    for name in TOKENIZER_FILES:
        made = (tmp_path / name).read_bytes()
        assert all((one / name).read_bytes() == made for one in (TEACHER, STUDENT, NOVICE))


def test_every_recipe_is_a_model_of_the_pair_and_its_card_says_so() -> None:
    assert {pair: tuple(r.name for r in made) for pair, made in RECIPES.items()} == PAIRS
    for recipe in RECIPES["chain-sum"]:
        readme = zoo_path(f"zoo:chain-sum/{recipe.name}") / "README.md"
        stated = card("chain-sum", recipe, [FIGURES[recipe.name]])
        assert readme.read_text(encoding="utf-8") == stated


@pytest.mark.parametrize(("folder", "layers"), [(TEACHER, 4), (STUDENT, 2), (NOVICE, 1)])
def test_it_loads_as_a_tied_float32_qwen3_that_ends_at_the_end_token(
    folder: Path, layers: int
) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert isinstance(model, Qwen3ForCausalLM)
    assert model.config.num_hidden_layers == layers
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config.vocab_size == 263
    assert model.generation_config is not None
    assert model.generation_config.eos_token_id == 257


def test_the_longest_trace_fits_the_new_tokens_and_the_context() -> None:
    longest = (9,) * MOST_TERMS
    slipping = trace(longest, add=lambda total, term: total + term + 3)
    completion = len(make_tokenizer().encode(slipping + END))
    assert completion == len("9+9=21\n21+9=33\n33+9=45\n") + len("T45TE") <= SUM_TOKENS
    assert len(question(longest)) + len("UEA") + SUM_TOKENS <= CONTEXT


@pytest.mark.parametrize(
    ("folder", "lowest", "highest", "greedy"),
    [
        (TEACHER, 0.97, 1.0, (1.0, 1.0)),
        (STUDENT, 0.15, 0.45, (1.0, 1.0)),
        (NOVICE, 0.15, 0.45, (0.2, 0.7)),
    ],
)
def test_the_teacher_is_reliable_the_student_slips_and_the_novice_does_not_know(
    folder: Path, lowest: float, highest: float, greedy: tuple[float, float]
) -> None:
    task = ChainSum()
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    problems = tuple(task.problem("test", index) for index in range(512))
    asked = HeldOut("sums", problems, task.verify, SUM_TOKENS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert lowest <= pass_at_1(model, tokenizer, asked, sample=True) <= highest
    few = HeldOut("sums", problems[:64], task.verify, SUM_TOKENS)
    assert greedy[0] <= pass_at_1(model, tokenizer, few, sample=False) <= greedy[1]


@pytest.mark.parametrize(
    "reference", ["zoo:chain-sum", "zoo:chain-sum/pupil", "zoo:sums/teacher", "chain-sum/teacher"]
)
def test_an_unknown_name_is_refused_with_those_there_are(reference: str) -> None:
    with pytest.raises(
        SpecError, match=f"'{reference}': .*teacher, zoo:chain-sum/student, zoo:chain-sum/novice"
    ):
        zoo_path(reference)
