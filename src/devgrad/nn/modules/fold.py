"""Windows of images as columns, and back."""

from __future__ import annotations

from typing import Any

from ..._tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = ["Fold", "Unfold"]


class _Windows(Module):
    """Over which windows an image is seen.

    Args:
        kernel_size, dilation, padding, stride: a number, or one for each dimension.
    """

    _shown: tuple[str, ...] = ("kernel_size", "dilation", "padding", "stride")

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)


class Unfold(_Windows):
    """The windows of images, ``(N, C, H, W)``, as columns: ``(N, C * kernel, windows)``.

    >>> import devgrad
    >>> devgrad.nn.Unfold(2)(devgrad.ones(1, 3, 4, 4)).shape
    torch.Size([1, 12, 9])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Windows):
    """Images of the size ``output_size`` from their windows, added up where they overlap."""

    _shown = ("output_size", *_Windows._shown)

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
        stride: Any = 1,
    ) -> None:  # fmt: skip
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """The images."""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )
