"""Threads of tensor operations on CPU."""

import torch


def use_threads(count: int) -> None:
    """Give the tensor operations of the calling thread so many threads. An in-process vLLM replaces
    ``torch.set_num_threads`` by a function that does nothing: this is the one beneath."""
    torch._C.set_num_threads(count)
