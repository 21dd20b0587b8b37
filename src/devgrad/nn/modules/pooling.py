"""Pooling: windows, or whole parts, made one element each."""

from __future__ import annotations

from typing import Any

from ..._tensor import Tensor
from .. import functional as F
from .module import Module
from .utils import _ntuple

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d",
    "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _Pooling(Module):
    """A layer of ``_dims`` dimensions whose function is ``nn.functional``'s of its name."""

    _dims: int
    _name: str
    _shown: tuple[str, ...] = ("kernel_size", "stride", "padding")  # what printing shows

    def _pool(self, *args: Any, **options: Any) -> Any:
        return getattr(F, f"{self._name}{self._dims}d")(*args, **options)

    def extra_repr(self) -> str:
        """The options."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)


# --- the largest of each window, and back ---------------------------------------------------------


class _MaxPoolNd(_Pooling):
    """The largest element of each window."""

    _name = "max_pool"
    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """The largest; with ``return_indices`` a pair, with where they were."""
        return self._pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of sequences, ``(N, C, L)``. See `MaxPool2d`."""

    _dims = 1


class MaxPool2d(_MaxPoolNd):
    """The largest element of each window of images, ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        kernel_size, stride, padding, dilation: a number, or one for each dimension; the default of
            ``stride`` is ``kernel_size``. What ``padding`` adds is never the largest.
        return_indices: also give where the largest were, for `MaxUnpool1d` and the like.
        ceil_mode: also take the windows that reach over the end.

    >>> import devgrad
    >>> devgrad.nn.MaxPool2d(2)(devgrad.arange(16.0).view(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    _dims = 2


class MaxPool3d(_MaxPoolNd):
    """The largest element of each window of volumes, ``(N, C, D, H, W)``. See `MaxPool2d`."""

    _dims = 3


class _MaxUnpoolNd(_Pooling):
    """Puts the largest elements back where they were, among zeros."""

    _name = "max_unpool"

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        each = _ntuple(self._dims)
        self.kernel_size = each(kernel_size)
        self.stride = each(kernel_size if stride is None else stride)
        self.padding = each(padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """The larger image: of ``output_size`` where several would be possible."""
        output: Tensor = self._pool(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )
        return output


class MaxUnpool1d(_MaxUnpoolNd):
    """Undoes a `MaxPool1d`, but for what was lost. See `MaxUnpool2d`."""

    _dims = 1


class MaxUnpool2d(_MaxUnpoolNd):
    """Undoes a `MaxPool2d`, but for what was lost.

    Args:
        kernel_size, stride, padding: those of the pooling.
    """

    _dims = 2


class MaxUnpool3d(_MaxUnpoolNd):
    """Undoes a `MaxPool3d`, but for what was lost. See `MaxUnpool2d`."""

    _dims = 3


# --- means and norms ------------------------------------------------------------------------------


class AvgPool1d(_Pooling):
    """The mean of each window of sequences, ``(N, C, L)`` or ``(C, L)``.

    Args:
        kernel_size, stride, padding: numbers; the default of ``stride`` is ``kernel_size``.
        ceil_mode: also take the windows that reach over the end.
        count_include_pad: whether the zeros of ``padding`` count.
    """

    _name, _dims = "avg_pool", 1

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        each = _ntuple(1)
        self.kernel_size = each(kernel_size)
        self.stride = each(kernel_size if stride is None else stride)
        self.padding = each(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        output: Tensor = self._pool(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip
        return output


class _AvgPoolNd(_Pooling):
    """The mean of each window."""

    _name = "avg_pool"

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        output: Tensor = self._pool(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip
        return output


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of images, ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        kernel_size, stride, padding: a number, or one for each dimension; the default of
            ``stride`` is ``kernel_size``.
        ceil_mode: also take the windows that reach over the end.
        count_include_pad: whether the zeros of ``padding`` count.
        divisor_override: divide the sums by this number.
    """

    _dims = 2


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of volumes, ``(N, C, D, H, W)``. See `AvgPool2d`."""

    _dims = 3


class _LPPoolNd(_Pooling):
    """The norm of each window: the root of the sum of powers."""

    _name = "lp_pool"
    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        output: Tensor = self._pool(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )
        return output


class LPPool1d(_LPPoolNd):
    """The norm of each window of sequences, ``(N, C, L)`` or ``(C, L)``. See `LPPool2d`."""

    _dims = 1


class LPPool2d(_LPPoolNd):
    """The norm of each window of images, ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        norm_type: the power.
        kernel_size, stride: a number, or one for each dimension; the default of ``stride`` is
            ``kernel_size``.
        ceil_mode: also take the windows that reach over the end.
    """

    _dims = 2


class LPPool3d(_LPPoolNd):
    """The norm of each window of volumes, ``(N, C, D, H, W)``. See `LPPool2d`."""

    _dims = 3


# --- to a size that is given ----------------------------------------------------------------------


class _FractionalMaxPoolNd(_Pooling):
    """The largest element of each window; windows lie at random, as they fit the size."""

    _name = "fractional_max_pool"
    _shown = ()

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        each, title = _ntuple(self._dims), type(self).__name__
        self.kernel_size = each(kernel_size)
        if self._dims == 3 and not all(k > 0 for k in self.kernel_size):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else each(output_size)
        self.output_ratio = None if output_ratio is None else each(output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{title} requires specifying either an output size, or a pooling ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if not all(0 < ratio < 1 for ratio in self.output_ratio or ()):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        """The largest; with ``return_indices`` a pair, with where they were."""
        return self._pool(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
            _random_samples=self._random_samples,
        )  # fmt: skip


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The largest elements of windows that lie at random in images.

    Args:
        kernel_size: a number, or one for each dimension.
        output_size: of the result; or
        output_ratio: the result's size as a share of the input's, between 0 and 1.
        return_indices: also give where the largest were.

    Raises:
        ValueError: not one of size and ratio is given, or a ratio is out of range.
    """

    _dims = 2


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The largest elements of windows that lie at random in volumes. See `FractionalMaxPool2d`."""

    _dims = 3


class _AdaptiveMaxPoolNd(_Pooling):
    """The largest elements of as many parts as there is place for in the result."""

    _name = "adaptive_max_pool"
    _shown = ("output_size",)

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """The largest; with ``return_indices`` a pair, with where they were."""
        return self._pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The largest elements of sequences; a result of a given size. See `AdaptiveMaxPool2d`."""

    _dims = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The largest elements of images, for a result of a size that is given.

    Args:
        output_size: a number, or one for each dimension; None keeps the input's.
        return_indices: also give where the largest were.
    """

    _dims = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The largest elements of volumes; a result of a given size. See `AdaptiveMaxPool2d`."""

    _dims = 3


class _AdaptiveAvgPoolNd(_Pooling):
    """The means of as many parts as there is place for in the result."""

    _name = "adaptive_avg_pool"
    _shown = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        output: Tensor = self._pool(input, self.output_size)
        return output


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of sequences, for a result of a size that is given. See `AdaptiveAvgPool2d`."""

    _dims = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of images, for a result of a size that is given.

    Args:
        output_size: a number, or one for each dimension; None keeps the input's.

    >>> import devgrad
    >>> devgrad.nn.AdaptiveAvgPool2d(1)(devgrad.ones(8, 3, 4, 5)).shape
    torch.Size([8, 3, 1, 1])
    """

    _dims = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The means of volumes, for a result of a size that is given. See `AdaptiveAvgPool2d`."""

    _dims = 3
