"""Padding: what is added around sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from ..._tensor import Tensor
from .. import functional as F
from .module import Module
from .utils import _ntuple

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
    "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _PadNd(Module):
    """Adds to the last ``_dims`` dimensions.

    Args:
        padding: how much on each side; or before and after each dimension, the last one first.
    """

    _dims: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._dims)(padding)

    def forward(self, input: Tensor) -> Tensor:
        """The input, padded."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """How much."""
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    """Adds what is at the other end."""

    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """The input, padded.

        Raises:
            ValueError: it has another number of dimensions.
        """
        low = self._dims + 1
        if input.ndim not in (low, low + 1):
            raise ValueError(f"expected {low}D or {low + 1}D input (got {input.ndim}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Adds to sequences what is at their other end. See `ConstantPad2d`."""

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Adds to images what is at their other end. See `ConstantPad2d`."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Adds to volumes what is at their other end. See `ConstantPad2d`."""

    _dims = 3


class _ConstantPadNd(_PadNd):
    """Adds a value."""

    _mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The input, padded."""
        return F.pad(input, self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        """How much of what."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Adds a value to sequences. See `ConstantPad2d`."""

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Adds a value to images.

    Args:
        padding: how much on each side; or before and after each dimension, the last one first.
        value: what is added.

    >>> import devgrad
    >>> devgrad.nn.ConstantPad2d((1, 0, 0, 1), 7.0)(devgrad.ones(1, 1, 2))
    tensor([[[7., 1., 1.],
             [7., 7., 7.]]])
    """

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Adds a value to volumes. See `ConstantPad2d`."""

    _dims = 3


class _ZeroPadNd(_ConstantPadNd):
    """Adds zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """How many."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPadNd, ConstantPad1d):
    """Adds zeros to sequences. See `ConstantPad2d`."""


class ZeroPad2d(_ZeroPadNd, ConstantPad2d):
    """Adds zeros to images. See `ConstantPad2d`."""


class ZeroPad3d(_ZeroPadNd, ConstantPad3d):
    """Adds zeros to volumes. See `ConstantPad2d`."""


class _ReflectionPadNd(_PadNd):
    """Adds the image mirrored at its border, which is not repeated."""

    _mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Adds to sequences what is mirrored at their ends. See `ConstantPad2d`."""

    _dims = 1


class ReflectionPad2d(_ReflectionPadNd):
    """Adds to images what is mirrored at their border. See `ConstantPad2d`."""

    _dims = 2


class ReflectionPad3d(_ReflectionPadNd):
    """Adds to volumes what is mirrored at their border. See `ConstantPad2d`."""

    _dims = 3


class _ReplicationPadNd(_PadNd):
    """Adds the border's elements."""

    _mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Adds to sequences their first and last element. See `ConstantPad2d`."""

    _dims = 1


class ReplicationPad2d(_ReplicationPadNd):
    """Adds to images their border's elements. See `ConstantPad2d`."""

    _dims = 2


class ReplicationPad3d(_ReplicationPadNd):
    """Adds to volumes their border's elements. See `ConstantPad2d`."""

    _dims = 3
