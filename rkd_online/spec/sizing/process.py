"""What a process of a role holds before it has a model: the interpreter, Ray and its libraries.

Measured where a role computes on a CPU, by ``python -m benchmarks plan``.
"""

from dataclasses import replace
from typing import Final

from rkd_online.spec.sizing.parts import MIB, Actor, Moment, Part

TORCH: Final = 450 * MIB
"""With torch and transformers."""
VLLM: Final = 640 * MIB
"""With vLLM too."""


def in_process(actor: Actor, *, engine: bool) -> Actor:
    """The actor with what its process holds at every moment. ``engine``: it is one of vLLM."""
    libraries = "Python, Ray, torch and vLLM" if engine else "Python, Ray, torch and transformers"
    own = Part("process", VLLM if engine else TORCH, f"{libraries}, before a model")
    moments = tuple(Moment(one.name, (*one.parts, own)) for one in actor.moments)
    return replace(actor, moments=moments)
