"""Dropout: in training, elements or whole channels set to zero at random."""

from __future__ import annotations

from ..._tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    """What all have in common.

    Args:
        p: the probability of each to be dropped.
        inplace: change the input instead of making a new tensor.

    Raises:
        ValueError: ``p`` is no probability.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The options."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Elements set to zero with probability ``p``, the others divided by ``1 - p``.

    In evaluation the input itself.

    >>> import devgrad
    >>> devgrad.nn.Dropout().eval()(devgrad.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input with some of it dropped."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Whole channels of sequences, ``(N, C, L)`` or ``(C, L)``, dropped."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with some of it dropped."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Whole channels of images, ``(N, C, H, W)`` or ``(N, C, L)``, dropped."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with some of it dropped."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Whole channels of volumes, ``(N, C, D, H, W)`` or ``(C, D, H, W)``, dropped."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with some of it dropped."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Elements set to SELU's lowest value, and all scaled to keep mean and variance."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with some of it dropped."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with some of it dropped."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
