"""Channels made into finer images, and back."""

from __future__ import annotations

from ..._tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """``(*, C * r * r, H, W)`` as ``(*, C, H * r, W * r)``, r the ``upscale_factor``.

    >>> import devgrad
    >>> devgrad.nn.PixelShuffle(3)(devgrad.ones(1, 9, 4, 4)).shape
    torch.Size([1, 1, 12, 12])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The finer image."""
        output: Tensor = F.pixel_shuffle(input, self.upscale_factor)
        return output

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """``(*, C, H * r, W * r)`` as ``(*, C * r * r, H, W)``, r the ``downscale_factor``."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The coarser image, with more channels."""
        output: Tensor = F.pixel_unshuffle(input, self.downscale_factor)
        return output

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"
