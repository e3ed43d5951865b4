"""Time one setting of TRL's GRPOTrainer: run by the interpreter of the environment that has TRL.

Takes a JSON object as its argument, prints one JSON line. Never imports the project.
"""

import json
import math
import os
import re
import sys
import time
from functools import partial
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


class Clock(TrainerCallback):
    """The moments at which steps end, and the completion tokens of each step."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.tokens: list[int] = []
        self.rewards: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    clock = Clock()
    if asked["generation"].startswith("vllm"):
        prepare_vllm(asked)
    trainer = GRPOTrainer(
        model=asked["model"],
        args=config(asked),
        reward_funcs=partial(reward, asked, clock),
        train_dataset=Dataset.from_list(prompts(asked)),
        callbacks=[clock],
    )
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    loss = trainer.train().training_loss
    after = list(trainer.model.parameters())
    print(json.dumps(report(asked, clock, loss, before, after)), flush=True)
    # Engines keep threads that outlive the interpreter's end.
    os._exit(0)


def prompts(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each prompt of each step, in the order in which they are taken."""
    with open(asked["prompts"]) as lines:
        rows = [json.loads(line) for line in lines]
    if asked["chat"]:
        return [row | {"prompt": [{"role": "user", "content": row["prompt"]}]} for row in rows]
    return rows


def reward(
    asked: dict[str, Any],
    clock: Clock,
    prompts: list[Any],
    completions: list[Any],
    completion_ids: list[list[int]],
    answer: list[str],
    **_: Any,
) -> list[float]:
    """1 where the completion has the answer, in its tag or as its last character."""
    clock.tokens.append(sum(map(len, completion_ids)))
    found = []
    for completion, right in zip(completions, answer, strict=True):
        text = completion[0]["content"] if asked["chat"] else completion
        tags = ANSWER_TAG.findall(text) if asked["chat"] else [text[-1:]]
        found.append(float(bool(tags) and tags[-1].strip() == right))
    clock.rewards.append(sum(found) / len(found))
    return found


def config(asked: dict[str, Any]) -> GRPOConfig:
    """GRPO with one optimizer step for each batch of fresh rollouts, and nothing besides."""
    rollouts = asked["prompts_per_step"] * asked["group_size"]
    generation = asked["generation"]
    return GRPOConfig(
        output_dir=asked["output"],
        max_steps=asked["warmup"] + asked["steps"],
        per_device_train_batch_size=asked["micro_batch"],
        gradient_accumulation_steps=rollouts // asked["micro_batch"],
        num_generations=asked["group_size"],
        max_completion_length=asked["max_new_tokens"],
        shuffle_dataset=False,
        temperature=1.0,
        beta=0.0,
        num_iterations=1,
        loss_type="grpo",
        epsilon=0.2,
        epsilon_high=0.28,
        learning_rate=asked["learning_rate"],
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        weight_decay=0.0,
        max_grad_norm=1.0,
        gradient_checkpointing=False,
        bf16=asked["precision"] == "bfloat16",
        model_init_kwargs={"dtype": "float32", "attn_implementation": asked["attention"]},
        cache_implementation="static" if generation == "static cache" else None,
        use_transformers_continuous_batching=generation == "continuous batching",
        use_vllm=generation.startswith("vllm"),
        vllm_mode="colocate",
        vllm_max_model_length=asked["context"],
        vllm_importance_sampling_correction=False,
        torch_compile=asked["compile"],
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )


def prepare_vllm(asked: dict[str, Any]) -> None:
    """Give vLLM what TRL has no option for: the precision asked for, room for the cache.

    On CPU vLLM packs its weights when they are loaded, and TRL then fails at its first update of
    them. ``unpacked`` goes beyond any setting: it repairs that by leaving them as they are.
    """
    import trl.generation.vllm_generation as colocated
    from vllm.model_executor.layers import utils

    if asked["generation"].endswith("unpacked weights"):
        utils.dispatch_cpu_unquantized_gemm = leave_unpacked

    colocated.LLM = partial(
        colocated.LLM,
        dtype=asked["precision"],
        enforce_eager=True,
        kv_cache_memory_bytes=asked["kv_cache_mib"] << 20,
    )


def leave_unpacked(layer: Any, remove_weight: bool) -> None:
    """Multiply by the weights as they are."""
    layer.cpu_linear = torch.nn.functional.linear


def report(
    asked: dict[str, Any],
    clock: Clock,
    loss: float,
    before: list[torch.Tensor],
    after: list[torch.Tensor],
) -> dict[str, Any]:
    """Seconds and tokens of each step after warm-up, and what shows that it trained."""
    steps = list(zip(clock.ends, clock.ends[1:], strict=False))
    changed = sum(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    if not math.isfinite(loss) or not changed or len(clock.tokens) != len(steps):
        raise SystemExit(
            f"TRL did not train: loss {loss}, {changed} of {len(after)} tensors changed, "
            f"{len(clock.tokens)} batches sampled in {len(steps)} steps"
        )
    return {
        "seconds": [end - start for start, end in steps[asked["warmup"] :]],
        "tokens": clock.tokens[asked["warmup"] :],
        "rollouts": asked["prompts_per_step"] * asked["group_size"],
        "rewards": clock.rewards[asked["warmup"] :],
        "loss": loss,
        "changed": changed,
        "tensors": len(after),
        "versions": {
            "trl": trl.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        },
    }


if __name__ == "__main__":
    main()
