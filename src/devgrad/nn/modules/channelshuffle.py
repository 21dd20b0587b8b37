"""Channels in another order."""

from __future__ import annotations

from ..._tensor import Tensor
from .. import functional as F
from .module import Module

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Module):
    """Channels, ``(N, C, *)``, cut into ``groups`` and dealt out: the first of each, then the next.

    >>> import devgrad
    >>> devgrad.nn.ChannelShuffle(2)(devgrad.arange(4).view(1, 4, 1)).flatten()
    tensor([0, 2, 1, 3])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """The input with its channels in the other order."""
        output: Tensor = F.channel_shuffle(input, self.groups)
        return output

    def extra_repr(self) -> str:
        """The number of groups."""
        return f"groups={self.groups}"
