"""Activation checkpointing: layers keep their input alone and are computed again backward."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from rkd_online.errors import ModelError
from rkd_online.models.attention import attending_again


def recompute_layers(model: PreTrainedModel) -> None:
    """Checkpoint every decoder layer.

    transformers' own switch works in training mode alone, which turns dropout on.
    """
    layers = [one for one in model.modules() if isinstance(one, GradientCheckpointingLayer)]
    if not layers:
        raise ModelError(
            f"{type(model).__name__} has no layers that can be computed again: set "
            "optimizer.activation_checkpointing to false"
        )
    for layer in layers:
        # Of the instance, below its hooks: state and names of the model stay as they are.
        layer.forward = _again(layer.forward)


def _again(forward: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(forward)
    def computed(*inputs: Any, **settings: Any) -> Any:
        # The backward pass of a GPU runs in threads of its own, which have no batch at hand.
        return checkpoint(
            attending_again(forward),
            *inputs,
            use_reentrant=False,
            preserve_rng_state=False,
            **settings,
        )

    return computed
