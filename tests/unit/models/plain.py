"""What a model says of each sequence alone, by its own forward: no packing, no padding."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rkd_online.types import TokenIds, token_ids

Pairs = list[tuple[TokenIds, TokenIds]]


def pairs(*groups: tuple[int, Sequence[int]], seed: int = 0) -> Pairs:
    """Random sequences, shuffled: for each group the tokens of its prompt and its completions."""
    draw = random.Random(seed)

    def tokens(count: int) -> TokenIds:
        return token_ids(draw.choices(range(250), k=count))

    prompts = [(tokens(prompt), completions) for prompt, completions in groups]
    found = [(prompt, tokens(count)) for prompt, counts in prompts for count in counts]
    draw.shuffle(found)
    return found


def plain(
    model: PreTrainedModel, sequences: Pairs, temperature: float
) -> list[tuple[Tensor, Tensor]]:
    """Log-probs and entropies [T] of each completion."""
    found = []
    for prompt, completion in sequences:
        ids = torch.tensor([[*prompt, *completion]])
        logits: Tensor = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
        table = torch.log_softmax(logits / temperature, -1)
        chosen = table.gather(1, torch.tensor(completion)[:, None])[:, 0]
        found.append((chosen, -(table.exp() * table).sum(-1)))
    return found


def weighted(rows: Sequence[Tensor], seed: int = 7) -> Tensor:
    """A loss that gives every token a weight of its own, divided by their number."""
    generator = torch.Generator().manual_seed(seed)
    total = sum((row * torch.randn(len(row), generator=generator)).sum() for row in rows)
    assert isinstance(total, Tensor)
    return total / sum(map(len, rows))


def gradients(model: torch.nn.Module) -> list[Tensor]:
    """The gradient of every parameter, which are then without."""
    found = []
    for parameter in model.parameters():
        assert parameter.grad is not None
        found.append(parameter.grad)
        parameter.grad = None
    return found
