"""Resampling of images: nearest, linear, cubic, with and without antialiasing.

Every mode is a sum over a few elements along each dimension in turn. A *table* says which, and with
which weights: ``(places, weights)``, of shape ``[taps, size of the result]``. The gradient is the
same operation with the table turned round.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor
from ..device import CPU, user_stacklevel
from ._along import check_tensor
from ._errors import refuse_dtype
from ._op import FUNCTIONS, Array, composite, op

__all__: list[str] = []

_host: Any = CPU.xp  # where tables are made: they follow from sizes alone
Table = tuple[Any, Any]

# --- tables ---------------------------------------------------------------------------------------


def _ratio(n: int, m: int, align: bool, scale: float | None) -> float:
    """How far apart the results lie, in elements of the input."""
    if align:
        return (n - 1) / (m - 1) if m > 1 else 0.0
    return 1.0 / scale if scale is not None and scale > 0 else n / m


def _positions(
    xp: Any, dtype: Any, n: int, m: int, align: bool, scale: float | None, clipped: bool
) -> Array:
    """Where each element of the result lies among the input's, in the precision of PyTorch."""
    ratio = xp.asarray(_ratio(n, m, align, scale), dtype)
    grid = xp.arange(m).astype(dtype)
    if align:
        return grid * ratio
    half = xp.asarray(0.5, dtype)
    found = ratio * (grid + half) - half
    return xp.maximum(found, xp.asarray(0, dtype)) if clipped else found


def _cubic(xp: Any, x: Array, a: float) -> Array:
    """The cubic kernel with the slope ``a`` at 1."""
    x = xp.absolute(x)
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return xp.where(x < 1, inner, xp.where(x < 2, outer, xp.zeros(x.shape, x.dtype)))


def _triangle(xp: Any, x: Array) -> Array:
    return xp.maximum(1 - xp.absolute(x), xp.zeros(x.shape, x.dtype))


def _lanczos(xp: Any, x: Array) -> Array:
    """Lanczos' kernel with three lobes."""
    inside = xp.absolute(x) < 3
    return xp.where(inside, xp.sinc(x) * xp.sinc(x / 3), xp.zeros(x.shape, x.dtype)).astype(x.dtype)


def _nearest(xp: Any, dtype: Any, n: int, m: int, scale: float | None, exact: bool) -> Table:
    if exact:
        at = _positions(xp, dtype, n, m, False, scale, True) + xp.asarray(0.5, dtype)
    else:
        at = xp.arange(m).astype(dtype) * xp.asarray(_ratio(n, m, False, scale), dtype)
    places = xp.minimum(xp.floor(at).astype("int64"), n - 1)
    return places.reshape(1, m), None


def _linear(xp: Any, dtype: Any, n: int, m: int, align: bool, scale: float | None) -> Table:
    if n == m:
        return xp.arange(m).reshape(1, m), None
    at = _positions(xp, dtype, n, m, align, scale, True)
    low = xp.minimum(at.astype("int64"), n - 1)
    share = xp.clip(at - low.astype(dtype), 0, 1).astype(dtype)
    return xp.stack([low, xp.minimum(low + 1, n - 1)]), xp.stack([1 - share, share])


def _bicubic(xp: Any, dtype: Any, n: int, m: int, align: bool, scale: float | None) -> Table:
    at = _positions(xp, dtype, n, m, align, scale, False)
    low = xp.minimum(xp.floor(at).astype("int64"), n - 1)
    share = xp.clip(at - low.astype(dtype), 0, 1).astype(dtype)
    steps = xp.arange(-1, 3).reshape(4, 1)
    places = xp.clip(low + steps, 0, n - 1)
    return places, _cubic(xp, steps.astype(dtype) - share, -0.75).astype(dtype)


_FILTERS: dict[str, tuple[int, Any]] = {
    "bilinear": (2, _triangle),
    "bicubic": (4, lambda xp, x: _cubic(xp, x, -0.5)),
    "lanczos": (6, _lanczos),
}


def _antialiased(
    xp: Any, dtype: Any, mode: str, n: int, m: int, align: bool, scale: float | None
) -> Table:
    """The filter is as wide as the results lie apart, if that is more than one element."""
    taps, kernel = _FILTERS[mode]
    ratio = _ratio(n, m, align, scale)
    support = taps * 0.5 * max(ratio, 1.0)
    center = xp.asarray(ratio, dtype) * (xp.arange(m).astype(dtype) + xp.asarray(0.5, dtype))
    half, wide = xp.asarray(0.5, dtype), xp.asarray(support, dtype)
    first = xp.maximum((center - wide + half).astype("int64"), 0)
    end = xp.minimum((center + wide + half).astype("int64"), n)
    steps = xp.arange(min(2 * (int(support) + 1) + 1, n)).reshape(-1, 1)
    places = first + steps
    inverse = xp.asarray(1 / max(ratio, 1.0), dtype)
    weights = kernel(xp, (places.astype(dtype) - center + half) * inverse)
    weights = xp.where(places < end, weights, xp.zeros((), dtype))
    weights = weights / xp.add.reduce(weights, axis=0, keepdims=True)
    return xp.minimum(places, n - 1), weights.astype(dtype)


def _table(
    xp: Any, dtype: Any, mode: str, n: int, m: int, align: bool, scale: float | None
) -> Table:
    if mode in ("nearest", "nearest-exact"):
        return _nearest(xp, dtype, n, m, scale, mode == "nearest-exact")
    if mode.endswith(" aa"):
        return _antialiased(xp, dtype, mode.removesuffix(" aa"), n, m, align, scale)
    if mode == "bicubic":
        return _bicubic(xp, dtype, n, m, align, scale)
    return _linear(xp, dtype, n, m, align, scale)


def _turned(xp: Any, table: Table, n: int, dtype: Any) -> Table:
    """The table of the adjoint: for each of ``n`` elements, the results that it is in."""
    places, weights = table
    m = places.shape[1]
    flat = places.reshape(-1)
    if weights is None:
        weights = xp.ones(places.shape, dtype)
    order = xp.argsort(flat, kind="stable")
    where = flat[order]
    count = xp.bincount(flat, minlength=n)
    rank = xp.arange(flat.size) - (xp.cumsum(count) - count)[where]
    rows = int(count.max())
    turned = xp.zeros((rows, n), "int64")
    factors = xp.zeros((rows, n), weights.dtype)
    turned[rank, where] = order % m
    factors[rank, where] = weights.reshape(-1)[order]
    return turned, factors


# --- applying them --------------------------------------------------------------------------------


def _applied(xp: Any, x: Array, axis: int, table: Table) -> Array:
    """The weighted sums along one axis."""
    places, weights = table
    places = xp.asarray(places)
    if weights is None:
        return xp.take(x, places[0], axis=axis)
    weights = xp.asarray(weights)
    shape = (-1,) + (1,) * (x.ndim - 1 - axis)
    total = xp.take(x, places[0], axis=axis) * weights[0].reshape(shape)
    for tap in range(1, len(places)):
        total += xp.take(x, places[tap], axis=axis) * weights[tap].reshape(shape)
    return total


def _in_bytes(xp: Any, x: Array, axis: int, table: Table) -> Array:
    """`_applied` on uint8, in PyTorch's (and Pillow's) arithmetic of 16-bit weights."""
    places, weights = table
    if weights is None:
        return xp.take(x, xp.asarray(places[0]), axis=axis)
    weights = weights.copy()
    for tap in range(len(places) - 1, 0, -1):  # what was clipped to one place is one weight
        same = places[tap] == places[tap - 1]
        weights[tap - 1] += weights[tap] * same
        weights[tap] *= ~same
    largest = float(weights.max())
    bits = 0
    while bits < 22 and int(0.5 + largest * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    scaled = weights * (1 << bits)
    fixed = (scaled + _host.where(scaled < 0, -0.5, 0.5)).astype("int32")
    total = _applied(xp, x.astype("int32"), axis, (places, fixed)) + (1 << (bits - 1))
    return xp.clip(total >> bits, 0, 255).astype("uint8")


def _resampled(xp: Any, input: Array, filter: str, size: Any, align: bool, scales: Any) -> Array:
    dims = len(size)
    narrow = input.dtype.char == "e"
    x = input.astype("float32") if narrow and filter[:7] != "nearest" else input
    whole = input.dtype.kind == "u"
    dtype = xp.dtype("float32") if narrow or whole and filter[:7] == "nearest" else x.dtype
    dtype = xp.dtype("float64") if whole and filter[:7] != "nearest" else dtype
    lead = x.ndim - dims
    # Shrink first, outer dimensions first; grow last, inner dimensions first: fewest elements.
    axes = [lead + d for d in range(dims) if size[d] < x.shape[lead + d]]
    axes += [lead + d for d in reversed(range(dims)) if size[d] >= x.shape[lead + d]]
    for axis in sorted(axes, reverse=True) if whole else axes:
        n, m = x.shape[axis], size[axis - lead]
        table = _table(_host, dtype, filter, n, m, align, scales[axis - lead])
        x = (_in_bytes if whole else _applied)(xp, x, axis, table)
    return x.astype(input.dtype) if x.dtype != input.dtype else x


def _resampled_back(
    xp: Any, input: Array, filter: str, size: Any, align: bool, scales: Any
) -> Array:
    dims = len(size)
    narrow = input.dtype.char == "e"
    g = input.astype("float32") if narrow else input
    lead = g.ndim - dims
    for d in range(dims):
        axis = lead + d
        m, n = g.shape[axis], size[d]
        table = _table(_host, g.dtype, filter, n, m, align, scales[d])
        if table[1] is None and n == m:
            back = xp.asarray(_host.argsort(table[0][0]))
            g = xp.take(g, back, axis=axis) if m > 1 else g
            continue
        g = _applied(xp, g, axis, _turned(_host, table, n, g.dtype))
    return g.astype(input.dtype) if narrow else g


def _upsample_op(title: str) -> Any:
    name = re.sub("(?<!^)(?=[A-Z][a-z])", "_", title).lower()
    made = op(_resampled, name=f"_{name}", node=f"{title}Backward0", function=False, method=False)
    back = op(_resampled_back, name=f"_{name}_backward", node=f"{title}BackwardBackward0",
              function=False, method=False)  # fmt: skip
    made.vjp(
        input=lambda g, input_shape, filter, size, align, scales: back(
            g, filter, input_shape[-len(size) :], align, scales
        )
    )
    back.vjp(
        input=lambda g, input_shape, filter, size, align, scales: made(
            g, filter, input_shape[-len(size) :], align, scales
        )
    )
    return made


_TITLES = {
    **{("nearest", dims): f"UpsampleNearest{dims}D" for dims in (1, 2, 3)},
    **{("nearest-exact", dims): f"UpsampleNearestExact{dims}D" for dims in (1, 2, 3)},
    ("linear", 1): "UpsampleLinear1D", ("bilinear", 2): "UpsampleBilinear2D",
    ("trilinear", 3): "UpsampleTrilinear3D", ("bicubic", 2): "UpsampleBicubic2D",
    ("bilinear aa", 2): "UpsampleBilinear2DAa", ("bicubic aa", 2): "UpsampleBicubic2DAa",
    ("lanczos aa", 2): "UpsampleLanczos2DAa",
}  # fmt: skip
_UPSAMPLE = {key: _upsample_op(title) for key, title in _TITLES.items()}

# --- the public functions -------------------------------------------------------------------------

_DIMS = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}


def _sizes(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """The size of the result, and the scale of each dimension where the tables shall use it."""
    given = list(input.shape[2:])
    dims = len(given)
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        if not isinstance(size, (tuple, list)):
            size = [size] * dims
        if len(size) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {given} and output size of {size}. Please provide "
                "input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, "
                "...,oK) format."
            )
        if not all(hasattr(n, "__index__") for n in size):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, "
                f"int, int], but got size with types {[type(n) for n in size]}"
            )
        return [n.__index__() for n in size], [None] * dims
    scales = (
        list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * dims
    )
    if len(scales) != dims:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input "
            f"with spatial dimensions of {given} and scale_factor of shape {scale_factor}. Please "
            "provide input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, "
            "...,sK) format."
        )
    wanted = [int(n * float(s)) for n, s in zip(given, scales, strict=True)]
    return wanted, [None] * dims if recompute else [float(s) for s in scales]


def _check_sizes(input: Tensor, size: Sequence[int]) -> None:
    given = input._array.shape
    if 0 in given[2:] or min(size) <= 0:
        names = "DHW"[-len(size) :]
        texts = [
            ", ".join(f"{c}: {n}" for c, n in zip(names, sizes, strict=True))
            for sizes in (given[2:], size)
        ]
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({texts[0]}) output "
            f"({texts[1]})"
        )
    if given[1] == 0:
        raise RuntimeError(
            f"Non-empty {len(given)}D data tensor expected but got a tensor with sizes "
            f"{list(given)}"
        )


def _check_mode(input: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    if antialias and not (mode in _FILTERS and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if mode == "lanczos" and input.ndim == 4:
        if align_corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        if not antialias:
            raise ValueError("Lanczos mode requires antialias=True")
    needed = _DIMS.get(mode)
    if input.ndim in (3, 4, 5):
        if needed == input.ndim - 2 or mode in ("nearest", "nearest-exact", "area"):
            return
        if mode in ("linear", "bilinear", "trilinear"):
            raise NotImplementedError(
                f"Got {input.ndim}D input, but {mode} mode needs {_DIMS[mode] + 2}D input"
            )
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the "
        "modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact "
        f"(got {mode})"
    )


@composite(method=False, out=False, namespaces=("nn.functional",))
def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """``input`` at another resolution.

    Args:
        input: ``[N, C, L]``, ``[N, C, H, W]`` or ``[N, C, D, H, W]``; floating point (or uint8,
            for two dimensions and ``"nearest"``).
        size, scale_factor: the size of the result, or what to multiply the input's with: a number,
            or one for each dimension.
        mode: ``"nearest"`` (as in other libraries, half a pixel off), ``"nearest-exact"``,
            ``"linear"``, ``"bilinear"``, ``"trilinear"``, ``"bicubic"``, ``"area"`` (means), or
            ``"lanczos"`` (with ``antialias``).
        align_corners: whether the centres of the first and last elements stay where they are; else
            their outer borders do.
        recompute_scale_factor: work out the scale again from the rounded sizes.
        antialias: with ``"bilinear"`` and ``"bicubic"``: widen the filter where it shrinks.

    Raises:
        ValueError, NotImplementedError: the arguments do not fit together, or not the input.

    >>> import devgrad
    >>> devgrad.nn.functional.interpolate(devgrad.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    check_tensor("interpolate", input)
    wanted, scales = _sizes(input, size, scale_factor, recompute_scale_factor or mode == "area"
                            and size is None)  # fmt: skip
    _check_mode(input, mode, align_corners, antialias)
    dims = input.ndim - 2
    if mode == "area":
        pool = FUNCTIONS["nn.functional"][f"adaptive_avg_pool{dims}d"]
        pooled: Tensor = pool(input, wanted)
        return pooled
    _check_sizes(input, wanted)
    allowed = mode[:7] == "nearest" or dims == 2
    if input.dtype.name != "uint8" or not allowed:
        name = mode.removesuffix("-exact").removeprefix("bi").removeprefix("tri")
        refuse_dtype(input._array, "iubc", f"upsample_{name}{dims}d")
    key = (f"{mode} aa" if antialias else mode, dims)
    found: Tensor = _UPSAMPLE[key].function(
        input, key[0], tuple(wanted), bool(align_corners), tuple(scales)
    )
    return found


def _deprecated(name: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=user_stacklevel(),
    )


@composite(method=False, out=False, namespaces=("nn.functional",))
def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """The old name of `interpolate`."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composite(method=False, out=False, namespaces=("nn.functional",))
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with ``mode="nearest"``."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor)


@composite(method=False, out=False, namespaces=("nn.functional",))
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` with ``mode="bilinear"`` and ``align_corners=True``."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
