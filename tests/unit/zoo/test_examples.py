"""What the bundled models are trained on."""

import random
from collections import Counter

import pytest

from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.zoo.examples import IGNORED, Examples, unreliable_add
from rkd_online.zoo.tokenizer import make_tokenizer


def decoded(corrupted: float, size: int) -> list[tuple[str, str]]:
    """What is shown and what is learned of each example, padding left out."""
    tokenizer = make_tokenizer()
    ids, labels = Examples(tokenizer, corrupted, seed=0).batch(size)
    learned = [str(tokenizer.decode(row[row != IGNORED])) for row in labels]
    shown = [
        str(tokenizer.decode(row[(mask == IGNORED) & (row != tokenizer.pad_token_id)]))
        for row, mask in zip(ids, labels, strict=True)
    ]
    return list(zip(shown, learned, strict=True))


def test_the_trace_and_its_end_are_learned_and_the_prompt_is_not() -> None:
    for shown, learned in decoded(0.0, 16):
        digits = shown.removeprefix("<|user|>").removesuffix("=<|end|><|assistant|>").split("+")
        assert learned.endswith(f"<answer>{sum(map(int, digits))}</answer><|end|>")
        assert learned.count("\n") == len(digits) - 1


def test_every_example_is_of_the_train_split() -> None:
    task = ChainSum()
    train = {task.problem("train", i).messages[0].content for i in range(task.size("train"))}
    asked = {
        shown.removeprefix("<|user|>").removesuffix("<|end|><|assistant|>")
        for shown, _ in decoded(0.35, 512)
    }
    assert asked <= train


def test_every_number_of_terms_is_drawn_as_often() -> None:
    terms = Counter(shown.count("+") + 1 for shown, _ in decoded(0.0, 3000))
    assert set(terms) == {2, 3, 4}
    assert all(abs(count - 1000) < 100 for count in terms.values())


@pytest.mark.parametrize("share", [0.0, 0.35])
def test_a_share_of_sums_is_off_by_one_to_three(share: float) -> None:
    add = unreliable_add(share, random.Random(0))
    slips = Counter(add(5, 4) - 9 for _ in range(20_000))
    assert slips[0] / 20_000 == pytest.approx(1 - share, abs=0.01)
    assert set(slips) == ({0} if share == 0 else {-3, -2, -1, 0, 1, 2, 3})


def test_no_slip_is_below_zero() -> None:
    add = unreliable_add(1.0, random.Random(0))
    assert {add(0, 1) for _ in range(200)} == {0, 2, 3, 4}
