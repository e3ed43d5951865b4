"""How the tokens of a batch make one number, in parts that add up."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rkd_online.spec.algorithm import Aggregation, ConstantLength, SequenceMean, TokenMean


@dataclass(frozen=True, slots=True)
class BatchMean:
    """Each sequence's sum over its tokens by ``divisor`` (``[B]`` or a number), and their sum by
    ``denominator``, which is the whole optimizer batch's: parts of a batch add up to the batch."""

    mask: Tensor
    divisor: Tensor | int
    denominator: Tensor | float

    def of(self, values: Tensor) -> Tensor:
        """``[B, T]`` values as one scalar of their dtype; a sequence without tokens adds 0."""
        by_sequence = torch.where(self.mask, values, 0).sum(dim=1) / self.divisor
        return by_sequence.sum() / self.denominator


def loss_mean(
    aggregation: Aggregation, mask: Tensor, denominator: Tensor | float | None
) -> BatchMean:
    """The mean of a loss over a bool ``[B, T]`` mask.

    ``denominator`` counts the sequences of the whole optimizer batch, with ``token_mean`` its
    tokens; left out, those of this mask (of the sequences, those with a token), at least 1.
    ``ValueError`` where it is not positive.

    Sources: arXiv 2402.03300 eq. 3, arXiv 2503.14476 eq. 8, arXiv 2503.20783 section 3.2.
    """
    by_token = isinstance(aggregation, TokenMean)
    if denominator is None:
        denominator = (mask if by_token else mask.any(dim=1)).sum().clamp(min=1)
    elif not denominator > 0:
        raise ValueError(
            f"denominator is {denominator}, expected the number of "
            f"{'tokens' if by_token else 'sequences'} of the whole optimizer batch, above 0"
        )
    if by_token:
        return BatchMean(mask, 1, denominator)
    if isinstance(aggregation, ConstantLength):
        return BatchMean(mask, aggregation.tokens, denominator)
    return BatchMean(mask, mask.sum(dim=1).clamp(min=1), denominator)


def metric_mean(aggregation: Aggregation, loss: BatchMean) -> BatchMean:
    """The mean of a metric, with the denominator of the loss: one over a constant length would say
    how long the sequences are, so it is over their own lengths."""
    if isinstance(aggregation, ConstantLength):
        return loss_mean(SequenceMean(), loss.mask, loss.denominator)
    return loss


def batch_denominator(aggregation: Aggregation, lengths: Sequence[int]) -> float:
    """The denominator of an optimizer batch whose sequences have ``lengths`` tokens."""
    return float(sum(lengths) if isinstance(aggregation, TokenMean) else len(lengths))
