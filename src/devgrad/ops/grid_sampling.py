"""Images sampled at the points of a grid, and the grids of affine maps.

`grid_sample` is made of differentiable operations: the weights of the neighbours are arithmetic on
the grid, and `sampled` fetches the neighbours. So the derivatives of every order follow.
"""

from __future__ import annotations

import itertools
import warnings
from math import prod
from typing import Any

from .._tensor import Tensor, wrap
from ..device import user_stacklevel
from ._along import check_tensor, moved
from ._formula import cast
from ._op import Array, composite, op
from .comparison import where
from .pieces import select
from .views import reshape

__all__: list[str] = []

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")

# --- fetching -------------------------------------------------------------------------------------


def _rows(xp: Any, index: Array, length: int) -> Array:
    """Positions ``[N, M]`` among the ``length`` rows of each image, as rows of all images."""
    return (index + xp.arange(index.shape[0]).reshape(-1, 1) * length).reshape(-1)


@op(node="GridSamplerBackward0", function=False, method=False)
def sampled(xp: Any, input: Array, index: Array, mask: Array) -> Array:
    """``[N, M, C]``: the rows of ``[N, L, C]`` at ``[N, M]``; zeros where the mask is false."""
    n, length, channels = input.shape
    found = xp.take(input.reshape(n * length, channels), _rows(xp, index, length), axis=0)
    found = found.reshape(*index.shape, channels)
    xp.copyto(found, 0, where=~mask[..., None])
    return found


@op(node="GridSamplerBackwardBackward0", function=False, method=False)
def _unsampled(xp: Any, input: Array, index: Array, mask: Array, shape: Any) -> Array:
    """The adjoint of `sampled`: each row added to where it was fetched from."""
    n, length, channels = shape
    made = xp.zeros((n * length, channels), input.dtype)
    if input.size:
        g = input.copy()
        xp.copyto(g, 0, where=~mask[..., None])
        xp.scatter_add(made, _rows(xp, index, length), g.reshape(-1, channels))
    return made.reshape(shape)


sampled.vjp(input=lambda g, index, mask, input_shape: _unsampled(g, index, mask, input_shape))
_unsampled.vjp(input=lambda g, index, mask: sampled(g, index, mask))


# --- where the neighbours are ---------------------------------------------------------------------


def _constant(x: Tensor, array: Any) -> Tensor:
    """An array beside ``x``, as a tensor without a history."""
    return wrap(array, x._type.device.types[array.dtype])


def _unnormalized(x: Tensor, n: int, align: bool) -> Tensor:
    """From [-1, 1] to positions among ``n`` elements."""
    moved: Tensor = (x + 1) * ((n - 1) / 2) if align else ((x + 1) * n - 1) / 2
    return moved


def _clipped(x: Tensor, n: int) -> Tensor:
    """``x`` between 0 and n - 1; NaN becomes 0. At the ends the derivative is 0, as in PyTorch."""
    xp, array = x._type.xp, x._array
    end = xp.where(array >= n - 1, xp.asarray(n - 1, array.dtype), xp.asarray(0, array.dtype))
    inside = _constant(x, (array > 0) & (array < n - 1))
    found: Tensor = where.function(inside, x, _constant(x, end))
    return found


def _reflected(x: Tensor, n: int, align: bool) -> Tensor:
    """``x`` folded back between the centres (or the outer borders) of the outermost elements."""
    low, span = (0.0, n - 1) if align else (-0.5, n)
    if span == 0:
        return x * 0
    distance = x - low
    xp = x._type.xp
    distance = where.function(_constant(x, distance._array < 0), -distance, distance)
    turns = xp.floor(distance._array / span)
    rest = distance - _constant(x, turns * xp.asarray(span, turns.dtype))
    odd = _constant(x, turns % 2 == 1)
    found: Tensor = where.function(odd, span - rest, rest) + low
    return found


def _bounded(x: Tensor, n: int, padding: str, align: bool) -> Tensor:
    if padding == "zeros":
        return x
    return _clipped(_reflected(x, n, align) if padding == "reflection" else x, n)


def _neighbours(x: Any, n: int, mode: str, padding: str, align: bool) -> list[Any]:
    """``(places, weights)`` along one dimension: arrays of floats, and tensors (None for 1)."""
    xp = x._type.xp
    x = _unnormalized(x, n, align)
    if mode == "bicubic":
        low = xp.floor(x._array)
        share = x - _constant(x, low)
        taps = [_constant(x, low + xp.asarray(step, low.dtype)) for step in (-1, 0, 1, 2)]
        places = [_bounded(tap, n, padding, align)._array for tap in taps]
        return list(zip(places, _cubic_weights(share), strict=True))
    x = _bounded(x, n, padding, align)
    if mode == "nearest":
        return [(xp.rint(x._array), None)]
    low = xp.floor(x._array)
    share = x - _constant(x, low)
    return [(low, 1 - share), (low + xp.asarray(1, low.dtype), share)]


def _cubic_weights(t: Any) -> list[Any]:
    """The weights of the four neighbours, at the distances 1 + t, t, 1 - t, 2 - t."""
    a = -0.75

    def near(x: Any) -> Any:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _flat(xp: Any, places: Any, size: Any) -> tuple[Any, Any]:
    """Positions in the flattened image, and which of them lie in it."""
    mask: Any = None
    index: Any = None
    for place, n in zip(places, size, strict=True):
        inside = (place >= 0) & (place <= n - 1)
        mask = inside if mask is None else mask & inside
        along = xp.where(inside, place, xp.asarray(0, place.dtype)).astype("int64")
        index = along if index is None else index * n + along
    n = index.shape[0]
    return index.reshape(n, -1), mask.reshape(n, -1)


def _grid_sample(input: Tensor, grid: Tensor, mode: str, padding: str, align: bool) -> Tensor:
    size = tuple(input.shape[2:])
    dims = len(size)
    _check(input, grid, mode)
    narrow = input._array.dtype.char == "e"
    dtype = input._type.array_dtype
    if narrow:
        input, grid = (cast.function(x, x._type.xp.dtype("float32")) for x in (input, grid))
    n, *out = grid.shape[:-1]
    # The grid has the last dimension first.
    along = [
        _neighbours(select.function(grid, -1, dims - 1 - d), size[d], mode, padding, align)
        for d in range(dims)
    ]
    # The channels go last, so that a place in an image is a row in memory.
    table = moved.function(reshape(input, (*input.shape[:2], prod(size))), 1, 2)
    total = None
    for taps in itertools.product(*along):
        index, mask = _flat(input._type.xp, [place for place, _ in taps], size)
        value = sampled.function(table, _constant(input, index), _constant(input, mask))
        weights = [w for _, w in taps if w is not None]
        if weights:
            factor = weights[0]
            for weight in weights[1:]:
                factor = factor * weight
            value = value * reshape(factor, (n, prod(out), 1))
        total = value if total is None else total + value
    result = reshape(moved.function(total, 2, 1), (n, input.shape[1], *out))
    return cast.function(result, dtype) if narrow else result


def _check(input: Tensor, grid: Tensor, mode: str) -> None:
    given = f"input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    dims = input.ndim - 2
    if dims not in (2, 3) or grid.ndim != input.ndim:
        wanted = f"{input.ndim}D" if dims in (2, 3) else "4D or 5D"
        raise RuntimeError(
            f"grid_sampler(): expected {wanted} input and grid with same number of dimensions, but "
            f"got {given}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have same batch size, but got {given}"
        )
    if grid.shape[-1] != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid "
            f"with sizes {list(grid.shape)}"
        )
    for d, n in enumerate(input.shape[2:], 2):
        if n == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input "
                f"has sizes {list(input.shape)} with dimension {d} being empty"
            )
    if mode == "bicubic" and dims == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input._type.dtype is not grid._type.dtype:
        raise RuntimeError(
            f"expected scalar type {input._type.dtype.title} but found {grid._type.dtype.title}: "
            "input and grid must be of one dtype"
        )


# --- the public functions -------------------------------------------------------------------------

_CHANGED = (
    "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
    "Please specify align_corners=True if the old behavior is desired. See the documentation of "
    "grid_sample for details."
)


@composite(method=False, out=False, namespaces=("nn.functional",))
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """``input`` at the points of ``grid``.

    Args:
        input: ``[N, C, H, W]`` or ``[N, C, D, H, W]``.
        grid: ``[N, *out, 2]`` or ``[N, *out, 3]`` of the same dtype: points x, y (, z) in [-1, 1].
        mode: ``"bilinear"`` (in three dimensions trilinear), ``"nearest"`` or ``"bicubic"``.
        padding_mode: what lies outside: ``"zeros"``, the ``"border"``, or the ``"reflection"``.
        align_corners: whether -1 and 1 are the centres of the outermost elements, or their borders.

    Returns:
        ``[N, C, *out]``.

    Raises:
        ValueError: there is no such mode.
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> x = devgrad.arange(4.0).reshape(1, 1, 2, 2)
    >>> devgrad.nn.functional.grid_sample(x, devgrad.zeros(1, 1, 1, 2), align_corners=True)
    tensor([[[[1.5000]]]])
    """
    if mode not in _MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(_CHANGED, stacklevel=user_stacklevel())
        align_corners = False
    check_tensor("grid_sampler", input)
    check_tensor("grid_sampler", grid)
    return _grid_sample(input, grid, mode, padding_mode, align_corners)


def _sampler(name: str) -> None:
    def sampler(
        input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int,
        align_corners: bool,
    ) -> Tensor:  # fmt: skip
        return _grid_sample(
            input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners
        )

    sampler.__name__ = sampler.__qualname__ = name
    sampler.__doc__ = """`nn.functional.grid_sample`, with numbers for the modes: 0, 1, 2 in the
    order bilinear, nearest, bicubic, and zeros, border, reflection."""
    composite(sampler, method=False, out=False)


for _name in ("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"):
    _sampler(_name)


def _base(xp: Any, dtype: Any, size: Any, align: bool) -> Array:
    """The points of a grid over ``size``, with a 1 behind: ``[prod(size), dims + 1]``."""
    dims = len(size)
    made = xp.ones((*size, dims + 1), dtype)
    for d, n in enumerate(size):
        line = xp.linspace(-1, 1, n, dtype=dtype) if n > 1 else xp.zeros(1, dtype)
        if not align:
            line = line * xp.asarray((n - 1) / n, dtype)
        made[..., dims - 1 - d] = line.reshape((n,) + (1,) * (dims - 1 - d))
    return made.reshape(prod(size), dims + 1)


@op(node="AffineGridGeneratorBackward0", method=False)
def affine_grid_generator(xp: Any, theta: Array, size: Any, align_corners: bool) -> Array:
    """The grid of `nn.functional.affine_grid`, without its checks."""
    base = _base(xp, theta.dtype, size[2:], align_corners)
    return xp.matmul(base, theta.swapaxes(1, 2)).reshape(theta.shape[0], *size[2:], -1)


@op(node="AffineGridGeneratorBackwardBackward0", function=False, method=False)
def _affine_backward(xp: Any, input: Array, size: Any, align_corners: bool) -> Array:
    base = _base(xp, input.dtype, size[2:], align_corners)
    flat = input.reshape(input.shape[0], base.shape[0], input.shape[-1])
    return xp.matmul(flat.swapaxes(1, 2), base)


affine_grid_generator.vjp(
    theta=lambda g, size, align_corners: _affine_backward(g, size, align_corners)
)
_affine_backward.vjp(
    input=lambda g, size, align_corners: affine_grid_generator(g, size, align_corners)
)


@composite(method=False, out=False, namespaces=("nn.functional",))
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The points that affine maps send a grid to, for `grid_sample`.

    Args:
        theta: the maps: ``[N, 2, 3]`` or ``[N, 3, 4]``.
        size: of the images to be made: ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        align_corners: as for `grid_sample`.

    Returns:
        ``[N, H, W, 2]`` or ``[N, D, H, W, 3]``.

    Raises:
        ValueError, NotImplementedError, RuntimeError: shapes do not fit.

    >>> import devgrad
    >>> theta = devgrad.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> devgrad.nn.functional.affine_grid(theta, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    check_tensor("affine_grid", theta)
    size = tuple([int(n) for n in size])
    if align_corners is None:
        warnings.warn(_CHANGED, stacklevel=user_stacklevel())
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    dims = len(size) - 2
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if align_corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=user_stacklevel(),
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if theta.shape[0] != size[0]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, "
            f"{dims + 1}] but got: [{theta.shape[0]}, {dims + 1}]."
        )
    found: Tensor = affine_grid_generator.function(theta, size, align_corners)
    return found
