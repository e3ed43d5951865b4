import hashlib

from rkd_online.generation.requests import training_request
from rkd_online.generation.seeds import sample_seed
from rkd_online.spec.training import RolloutSpec
from rkd_online.types import PromptItem, token_ids


def test_a_seed_is_the_top_62_bits_of_the_digest_of_its_path() -> None:
    digest = hashlib.blake2b(b"7/train/3/1/0", digest_size=8).hexdigest()
    assert sample_seed(7, "train", 3, 1, 0) == int(digest, 16) // 4


def test_no_two_siblings_of_a_job_share_a_seed() -> None:
    rollout = RolloutSpec(prompts_per_step=4, group_size=8)
    prompt = PromptItem("p", "train", 0, token_ids([1]), "", "t", "d")
    requests = [training_request(group, prompt, seed=0, rollout=rollout) for group in range(12)]
    seeds = [seed for request in requests for seed in request.seeds]
    assert len(set(seeds)) == 3 * 4 * 8
    assert [request.group_id for request in requests] == list(range(12))
