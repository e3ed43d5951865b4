"""What is to be read at each completion token of a batch."""

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampled:
    """The completion's own tokens alone."""


@dataclass(frozen=True, slots=True)
class Given:
    """The log-probs of given tokens too: ``ids`` int64 [B, T, k], any right of a shorter row."""

    ids: Tensor


@dataclass(frozen=True, slots=True)
class Top:
    """The ``count`` most probable of the first ``vocabulary`` tokens too. Without gradient."""

    count: int
    vocabulary: int


Readout: TypeAlias = Sampled | Given | Top
SAMPLED: Final = Sampled()


class CompletionStatistics(NamedTuple):
    """Nats, [B, T]: ``logprobs`` (with gradient where it is enabled), ``entropy`` (without)."""

    logprobs: Tensor
    entropy: Tensor


class CandidateStatistics(NamedTuple):
    """The same, and with gradient too ``candidates`` [B, T, k] and ``rest`` [B, T], the log-prob of
    all tokens that are none of them. Before they are put in rows [N] stands for [B, T]."""

    logprobs: Tensor
    entropy: Tensor
    candidates: Tensor
    rest: Tensor


class TopStatistics(NamedTuple):
    """Nats ``logprobs`` [B, T], ``candidates`` [B, T, k], descending, ``rest`` [B, T] of all other
    tokens together, and the candidates' ``ids`` [B, T, k]; [N] for [B, T] as above."""

    logprobs: Tensor
    candidates: Tensor
    rest: Tensor
    ids: Tensor


Statistics: TypeAlias = CompletionStatistics | CandidateStatistics | TopStatistics
