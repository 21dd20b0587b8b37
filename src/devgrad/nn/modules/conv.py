"""Convolutions, and transposed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..._creation import empty
from ..._tensor import Tensor
from ...autograd._modes import no_grad
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import _ntuple

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
    "LazyConv1d", "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]  # fmt: skip

_PADDINGS = ("same", "valid")
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all have in common: the options, the parameters, and how they begin."""

    _dims: int  # how many dimensions the kernel has
    transposed = False
    bias: Parameter | None

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any,
        dilation: Any, output_padding: Any, groups: int, bias: bool, padding_mode: str,
        device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        each = _ntuple(self._dims)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = each(kernel_size)
        self.stride = each(stride)
        self.padding = padding if isinstance(padding, str) else each(padding)
        self.dilation = each(dilation)
        self.output_padding = each(output_padding)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check_options()
        place = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(self._weight_shape(), **place))
        self.register_parameter("bias", Parameter(empty(out_channels, **place)) if bias else None)
        self.reset_parameters()

    def _check_options(self) -> None:
        if self.groups <= 0:
            raise ValueError("groups must be a positive integer")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ValueError(f"{name} must be divisible by groups")
        if isinstance(self.padding, str):
            if self.padding not in _PADDINGS:
                raise ValueError(
                    f"Invalid padding string {self.padding!r}, should be one of {set(_PADDINGS)}"
                )
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, but got "
                f"padding_mode='{self.padding_mode}'"
            )

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """The channels, and the options that are not the usual ones."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        zeros, ones = (0,) * self._dims, (1,) * self._dims
        for name, usual in (
            ("padding", zeros), ("dilation", ones), ("output_padding", zeros), ("groups", 1),
        ):  # fmt: skip
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    """A convolution."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 0,
                         groups, bias, padding_mode, device, dtype)  # fmt: skip

    def _amounts(self) -> list[int]:
        """What is added before and after each dimension, the last first, for `F.pad`."""
        pairs: list[tuple[int, int]]
        if isinstance(self.padding, str):
            reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            reach = reach if self.padding == "same" else [0] * self._dims
            pairs = [(total // 2, total - total // 2) for total in reach]
        else:
            pairs = [(n, n) for n in self.padding]
        return [n for pair in reversed(pairs) for n in pair]

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._amounts(), mode=self.padding_mode)
            padding = 0
        convolve = getattr(F, f"conv{self._dims}d")
        output: Tensor = convolve(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )
        return output

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of the input."""
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """A convolution of sequences. See `Conv2d`.

    >>> import devgrad
    >>> devgrad.nn.Conv1d(16, 33, 3, stride=2)(devgrad.randn(20, 16, 50)).shape
    torch.Size([20, 33, 24])
    """

    _dims = 1


class Conv2d(_Conv):
    """A convolution of images.

    Args:
        in_channels, out_channels: of the images.
        kernel_size, stride, dilation: a number, or one for each dimension.
        padding: what is added to all sides: the same, or ``"valid"`` for nothing, or ``"same"``
            for as much as keeps the size.
        groups: into how many groups the channels are cut; each sees its own input channels.
        bias: whether there is one.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``: what is added.
        device, dtype: of the parameters.

    Shape:
        ``(N, in_channels, *size)`` to ``(N, out_channels, *new_size)``, also without ``N``.

    Attributes:
        weight: ``(out_channels, in_channels / groups, *kernel_size)``, at first uniform within
            ``1 / sqrt(in_channels / groups * prod(kernel_size))`` of zero, as is
        bias: ``(out_channels,)``, or None.

    Raises:
        ValueError: the options do not fit together.

    >>> import devgrad
    >>> devgrad.nn.Conv2d(3, 8, (3, 5), padding="same")(devgrad.randn(2, 3, 10, 10)).shape
    torch.Size([2, 8, 10, 10])
    """

    _dims = 2


class Conv3d(_Conv):
    """A convolution of volumes. See `Conv2d`.

    >>> import devgrad
    >>> devgrad.nn.Conv3d(1, 2, 3)(devgrad.randn(1, 5, 5, 5)).shape
    torch.Size([2, 3, 3, 3])
    """

    _dims = 3


class _ConvTransposeNd(_ConvNd):
    """A transposed convolution: what the gradient of a convolution does to its input."""

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         output_padding, groups, bias, padding_mode, device, dtype)  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> Any:
        """What has to be added for an output of a size.

        Raises:
            ValueError: there is no output of that size.
        """
        if output_size is None:
            return self.output_padding
        dims = self._dims
        front = input.ndim - dims
        if len(output_size) == front + dims:
            output_size = output_size[front:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.ndim}D input, output_size must have {dims} or "
                f"{front + dims} elements (got {len(output_size)})"
            )
        smallest = [
            (size - 1) * step - 2 * padding + dilation * (kernel - 1) + 1
            for size, step, padding, dilation, kernel in zip(
                input.shape[front:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        largest = [size + step - 1 for size, step in zip(smallest, self.stride, strict=True)]
        fits = zip(smallest, output_size, largest, strict=True)
        if not all(low <= size <= high for low, size, high in fits):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from "
                f"{smallest} to {largest} (for an input of {input.shape[2:]})"
            )
        return [size - low for size, low in zip(output_size, smallest, strict=True)]

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution; ``output_size`` says which of the possible sizes it has."""
        convolve = getattr(F, f"conv_transpose{self._dims}d")
        output: Tensor = convolve(
            input, self.weight, self.bias, self.stride, self.padding,
            self._output_padding(input, output_size), self.groups, self.dilation,
        )  # fmt: skip
        return output


class ConvTranspose1d(_ConvTransposeNd):
    """A transposed convolution of sequences. See `ConvTranspose2d`.

    >>> import devgrad
    >>> devgrad.nn.ConvTranspose1d(4, 2, 3, stride=2)(devgrad.randn(1, 4, 5)).shape
    torch.Size([1, 2, 11])
    """

    _dims = 1


class ConvTranspose2d(_ConvTransposeNd):
    """A transposed convolution of images.

    Args:
        in_channels, out_channels: of the images.
        kernel_size, stride, dilation: a number, or one for each dimension.
        padding: what is cut off from all sides.
        output_padding: what is added to one side of the output.
        groups: into how many groups the channels are cut; each sees its own input channels.
        bias: whether there is one.
        padding_mode: only ``"zeros"``.
        device, dtype: of the parameters.

    Shape:
        ``(N, in_channels, *size)`` to ``(N, out_channels, *new_size)``, also without ``N``.

    Attributes:
        weight: ``(in_channels, out_channels / groups, *kernel_size)``, at first uniform within
            ``1 / sqrt(out_channels / groups * prod(kernel_size))`` of zero, as is
        bias: ``(out_channels,)``, or None.

    Raises:
        ValueError: the options do not fit together.

    >>> import devgrad
    >>> up = devgrad.nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1)
    >>> up(devgrad.randn(1, 4, 6, 6), output_size=(12, 12)).shape
    torch.Size([1, 2, 12, 12])
    """

    _dims = 2


class ConvTranspose3d(_ConvTransposeNd):
    """A transposed convolution of volumes. See `ConvTranspose2d`.

    >>> import devgrad
    >>> devgrad.nn.ConvTranspose3d(2, 1, 2, stride=2)(devgrad.randn(2, 3, 3, 3)).shape
    torch.Size([1, 6, 6, 6])
    """

    _dims = 3


class _LazyConv(LazyModuleMixin, _ConvNd):
    """A convolution that takes ``in_channels`` from its first input."""

    def _make_lazy(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, if there are any yet."""
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take ``in_channels`` from the input, and draw the parameters.

        Raises:
            RuntimeError: the input has another number of dimensions.
            ValueError: its channels cannot be cut into groups.
        """
        if not self.has_uninitialized_params():  # they were loaded
            self.in_channels = self.weight.shape[not self.transposed]
            self.in_channels *= 1 if self.transposed else self.groups
            return
        alone, batched = self._dims + 1, self._dims + 2
        if input.ndim not in (alone, batched):
            raise RuntimeError(
                f"Expected {alone}D (unbatched) or {batched}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[input.ndim - alone]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        with no_grad():
            self.weight.materialize(self._weight_shape())
            if self.bias is not None:
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()


class _LazyConvNd(_LazyConv, _Conv):
    """A convolution that takes ``in_channels`` from its first input."""

    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class _LazyConvTransposeNd(_LazyConv, _ConvTransposeNd):
    """A transposed convolution that takes ``in_channels`` from its first input."""

    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False,
                         dilation, padding_mode)  # fmt: skip
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConvNd, Conv1d):
    """A `Conv1d` that takes ``in_channels`` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvNd, Conv2d):
    """A `Conv2d` that takes ``in_channels`` from its first input.

    >>> import devgrad
    >>> layer = devgrad.nn.LazyConv2d(8, 3)
    >>> layer(devgrad.ones(1, 2, 5, 5)).shape, layer
    (torch.Size([1, 8, 3, 3]), Conv2d(2, 8, kernel_size=(3, 3), stride=(1, 1)))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvNd, Conv3d):
    """A `Conv3d` that takes ``in_channels`` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTransposeNd, ConvTranspose1d):
    """A `ConvTranspose1d` that takes ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTransposeNd, ConvTranspose2d):
    """A `ConvTranspose2d` that takes ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTransposeNd, ConvTranspose3d):
    """A `ConvTranspose3d` that takes ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose3d
