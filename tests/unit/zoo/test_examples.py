"""What the bundled models are trained on."""

import random
from collections import Counter

import pytest

from rkd_online.tasks.chain_sum import ChainSum
from rkd_online.zoo.examples import IGNORED, Examples
from rkd_online.zoo.lessons import Puzzles, Sums, unreliable_add
from rkd_online.zoo.pairs import SUBJECTS
from rkd_online.zoo.tokenizer import make_tokenizer


def decoded(corrupted: float, size: int) -> list[tuple[str, str]]:
    """What is shown and what is learned of each example, padding left out."""
    tokenizer = make_tokenizer()
    ids, labels = Examples(tokenizer, Sums(corrupted, seed=0)).batch(size)
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


def test_batches_that_are_drawn_together_are_dealt_by_length() -> None:
    """Of eight sums, the shorter four come first; their solutions are of one length at the most."""
    tokenizer = make_tokenizer()
    plain = Examples(tokenizer, Sums(0.0, seed=0)).batch(8)[0]
    lengths = sorted((plain != tokenizer.pad_token_id).sum(1).tolist())
    dealt = Examples(tokenizer, Sums(0.0, seed=0), alike=2)
    found = [(dealt.batch(4)[0] != tokenizer.pad_token_id).sum(1).tolist() for _ in range(2)]
    assert lengths[0] < lengths[-1]
    assert [*found[0], *found[1]] == lengths


@pytest.mark.parametrize("taken", [0, 5])
def test_lessons_that_are_skipped_are_those_that_would_have_come(taken: int) -> None:
    for make in (lambda: Sums(0.35, seed=1), lambda: Puzzles(roll_calls=3, seed=1)):
        one, other = make(), make()
        for _ in range(taken):
            one.next()
        other.skip(taken)
        assert one.next() == other.next()


def test_of_a_roll_call_the_letters_are_learned_and_the_names_are_not() -> None:
    """Three people in every second and third call; each letter is the one behind its name in the
    roll, and each is asked about a third of the time."""
    tokenizer = SUBJECTS["knights-knaves"].tokenizer()
    ids, labels = Examples(tokenizer, Puzzles(roll_calls=30, seed=0)).batch(30)
    called: Counter[str] = Counter()
    for number, (row, learned) in enumerate(zip(ids, labels, strict=True)):
        text = str(tokenizer.decode(row[row != tokenizer.pad_token_id]))
        roll, _, calls = text.removeprefix("<|user|>#").removesuffix("<|end|>").partition("<|end|>")
        named = dict(zip(*[iter(roll.split())] * 2, strict=True))
        assert list(named.values()) == list("ABC")[: 2 if number % 3 == 0 else 3]
        names = calls.removeprefix("<|assistant|>").split()[::2]
        assert len(names) == 40
        answers = [named[name] for name in names]
        assert str(tokenizer.decode(learned[learned != IGNORED])).split() == [
            *answers[:-1], f"{answers[-1]}<|end|>"
        ]  # fmt: skip
        called.update(answers)
    assert called["C"] == pytest.approx(20 * 40 / 3, rel=0.2)


def test_puzzles_follow_their_roll_calls_and_are_wholly_learned() -> None:
    lessons = Puzzles(roll_calls=2, seed=0)
    assert [lessons.next().problem[0] for _ in range(2)] == ["#", "#"]
    puzzle = lessons.next()
    assert puzzle.problem.startswith("A very special island")
    ((solution, learned),) = puzzle.solution
    assert learned and solution.startswith("# ") and solution.endswith("</answer>")
