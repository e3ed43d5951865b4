"""Seeds that make a rollout a function of where it belongs, not of when it was sampled."""

import hashlib


def sample_seed(seed: int, *path: int | str) -> int:
    """A 62-bit seed from the job's seed and a path such as (step, prompt, sibling).

    Distinct paths give independent seeds, and a resumed run samples what the first would have.
    """
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 2
