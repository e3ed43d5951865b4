"""The plan names the parts of the reward and the stages of a curriculum."""

from rkd_online.spec.load import parse_spec
from rkd_online.spec.plan import describe_plan
from tests.unit.spec.job import job


def test_each_part_is_named_with_its_weight() -> None:
    parts = [
        {"type": "verifier", "extractor": "boxed"},
        {"type": "finished", "weight": 0.5},
        {"type": "format", "weight": 0.1},
        {"type": "length", "weight": 0.25, "wrong_short": -1},
        {"type": "overlong", "soft_tokens": 64},
        {"type": "installed", "name": "concise", "weight": 2},
    ]
    plan = describe_plan(parse_spec(job(rewards=parts)))
    assert (
        "1 x verifier (answer by boxed) + 0.5 x finished + 0.1 x format (think_answer) + "
        "0.25 x length (correct 1 to 0, wrong -1 to 0) + 1 x overlong (last 64 tokens) + "
        "2 x concise (installed)"
    ) in plan


def test_a_curriculum_is_shown_with_its_shares() -> None:
    stages = [{"levels": [0, 1], "share": 1}, {"levels": [2, 3], "share": 3}]
    task = {"type": "reasoning_gym", "dataset": "knights_knaves", "curriculum": stages}
    plan = describe_plan(parse_spec(job(task=task)))
    assert "512 test problems, levels 0 to 1 (25%), then 2 to 3 (75%)" in plan
