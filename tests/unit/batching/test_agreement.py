"""How often the teacher prefers the correct of two siblings."""

from dataclasses import replace

from rkd_online.batching.agreement import teacher_agreement
from rkd_online.types import ScoredRollout, UnjudgedRollout, logprobs
from tests.unit.batching.scored import group, scored


def preferred(by: float, *, correct: bool, length: int = 2) -> ScoredRollout:
    """The teacher finds each token ``by`` nats likelier than the sampler, which has -0.5."""
    one = scored(float(correct), correctness=float(correct), length=length)
    return replace(one, teacher_logprobs=logprobs([by - 0.5] * length))


def test_it_is_the_share_of_pairs_in_which_the_correct_one_is_preferred() -> None:
    """Six pairs in the first group: 1 beats both, 0 beats -1 and ties, -2 beats none; in the second
    -1 loses to 0."""
    first = group(
        0,
        preferred(1.0, correct=True),
        preferred(0.0, correct=True),
        preferred(-2.0, correct=True),
        preferred(0.0, correct=False),
        preferred(-1.0, correct=False),
    )
    second = group(1, preferred(-1.0, correct=True), preferred(0.0, correct=False))
    assert teacher_agreement([first], 1.0) == 3.5 / 6
    assert teacher_agreement([first, second], 1.0) == 3.5 / 7


def test_a_long_completion_is_not_preferred_for_its_length() -> None:
    """0.25 nats a token over 8 tokens are more nats than 0.5 over 2, and a lower mean."""
    one = group(0, preferred(0.5, correct=True), preferred(0.25, correct=False, length=8))
    assert teacher_agreement([one], 1.0) == 1.0


def test_pairs_are_of_judged_siblings_with_the_teachers_log_probs() -> None:
    right, wrong = preferred(0.0, correct=True), preferred(1.0, correct=False)
    lost = UnjudgedRollout(wrong.rollout, "timeout", "verifier: no verdict", wrong.teacher_logprobs)
    untaught = replace(wrong, teacher_logprobs=None)
    assert teacher_agreement([group(0, right), group(1, wrong)], 1.0) is None
    assert teacher_agreement([group(0, right, lost, untaught)], 1.0) is None
    assert teacher_agreement([group(0, right, wrong)], 1.0) == 0.0


def test_what_is_correct_is_what_the_job_calls_so() -> None:
    half = replace(preferred(1.0, correct=False), correctness=0.5)
    both = group(0, half, preferred(0.0, correct=False))
    assert teacher_agreement([both], 0.5) == 1.0
    assert teacher_agreement([both], 0.6) is None
