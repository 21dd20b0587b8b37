"""Functions known at points: gradients, integrals by trapezoids, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor
from ._along import one_dim
from ._errors import refuse_dtype
from ._op import FUNCTIONS, Array, Ints, Number, _result_type, composite, op

__all__: list[str] = []


@op(inplace=True, promotes=True, numbers=False)
def nextafter(xp: Any, input: Array, other: Array) -> Array:
    """The next floating-point number after ``input`` in the direction of ``other``.

    >>> import devgrad
    >>> x = devgrad.nextafter(devgrad.tensor(1.0), devgrad.tensor(2.0))
    >>> (x - 1).item() == devgrad.finfo(devgrad.float32).eps
    True
    """
    refuse_dtype(input, "biuc", "nextafter")
    return xp.nextafter(input, other)


nextafter.vjp(input=lambda g: g, other=None)


# --- differences ----------------------------------------------------------------------------------


def _along(x: Tensor, dim: int, start: int | None, stop: int | None) -> Tensor:
    return x[(slice(None),) * dim + (slice(start, stop),)]


def _slopes(x: Tensor, dim: int, spacing: Any, edge_order: int) -> Tensor:
    """The derivative along ``dim``: central differences inside, one-sided ones at the ends."""
    if isinstance(spacing, Tensor) and spacing.ndim:
        shape = [-1 if d == dim else 1 for d in range(x.ndim)]
        gaps = (spacing[1:] - spacing[:-1]).reshape(shape)
        before, after = _along(gaps, dim, None, -1), _along(gaps, dim, 1, None)
        low, middle, high = _along(x, dim, None, -2), _along(x, dim, 1, -1), _along(x, dim, 2, None)
        inner = (
            low * (-after / (before * (before + after)))
            + middle * ((after - before) / (before * after))
            + high * (before / (after * (before + after)))
        )
        first, second = _along(gaps, dim, 0, 1), _along(gaps, dim, 1, 2)
        last, but_one = _along(gaps, dim, -1, None), _along(gaps, dim, -2, -1)
    else:
        inner = (_along(x, dim, 2, None) - _along(x, dim, None, -2)) / (spacing * 2)
        first = second = last = but_one = spacing
    n = x.shape[dim]
    starts = [_along(x, dim, k, k + 1) for k in range(min(n, 3))]
    ends = [_along(x, dim, n - 1 - k, n - k) for k in range(min(n, 3))]
    if edge_order == 1:
        left = (starts[1] - starts[0]) / first
        right = (ends[0] - ends[1]) / last
    else:
        left = _one_sided(starts, first, second)
        right = -_one_sided(ends, last, but_one)
    found: Tensor = FUNCTIONS[""]["cat"]([left, inner, right], dim)
    return found


def _one_sided(x: Sequence[Tensor], h: Any, k: Any) -> Tensor:
    """The derivative at the first of three points, which are ``h`` and then ``k`` apart."""
    return (
        x[0] * (-(2 * h + k) / (h * (h + k)))
        + x[1] * ((h + k) / (h * k))
        - x[2] * (h / (k * (h + k)))
    )


@composite(method=False, out=False)
def gradient(
    input: Tensor, *, spacing: Any = 1, dim: int | Ints | None = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """The derivative of a function known at points, in each dimension.

    Central differences inside, one-sided ones at the ends.

    Args:
        spacing: how far points are apart: a number, one for each dimension, or for each dimension
            a tensor of coordinates.
        dim: in which dimensions; default all.
        edge_order: 1 or 2: of which order the differences at the ends are.

    Raises:
        RuntimeError: ``spacing`` does not fit, or there are too few points.

    >>> import devgrad
    >>> devgrad.gradient(devgrad.tensor([0.0, 1.0, 4.0, 9.0]))
    (tensor([1., 2., 4., 5.]),)
    """
    rank = input.ndim
    several = isinstance(spacing, (tuple, list))
    if dim is None:
        dims = list(range(rank))
    else:
        dims = [d % rank for d in ([dim] if isinstance(dim, int) else dim)]
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if several and len(spacing) != len(dims):
        raise RuntimeError(
            f"torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"{len(dims)}, but got a list of length {len(spacing)}"
        )
    if len(set(dims)) < len(dims):
        raise RuntimeError("dim appears multiple times in the list of dims")
    for d in dims:
        if input.shape[d] < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
    spacing = 1 if spacing is None else spacing
    steps = spacing if several else [spacing] * len(dims)
    if input._type.dtype.category < 2:
        input = input.to(FUNCTIONS[""]["true_divide"](input, 1).dtype)
    return tuple([_slopes(input, d, h, edge_order) for d, h in zip(dims, steps, strict=True)])


# --- integrals ------------------------------------------------------------------------------------


def _trapezoids(name: str, y: Tensor, x: Tensor | None, dx: Any, dim: int) -> tuple[Tensor, int]:
    """The area between each point and the next along ``dim``."""
    dim = one_dim(name, y, dim)
    if x is not None and dx is not None:
        raise TypeError(f"{name}() takes x or dx, not both")
    if y.shape[dim] == 0:
        return y, dim
    sums = _along(y, dim, None, -1) + _along(y, dim, 1, None)
    if x is None:
        return sums * ((1 if dx is None else dx) / 2), dim
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        gaps = (x[1:] - x[:-1]).reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    else:
        wide = x.reshape((1,) * (y.ndim - x.ndim) + tuple(x.shape)) if x.ndim < y.ndim else x
        along = dim + wide.ndim - y.ndim
        gaps = _along(wide, along, 1, None) - _along(wide, along, None, -1)
    return sums * gaps / 2, dim - y.ndim


@composite(method=False, out=False, aliases=("trapz",))
def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1
) -> Tensor:
    """The integral along ``dim`` of a function known at points, by trapezoids.

    Args:
        x: where the points are; of one dimension, or a shape that broadcasts to that of ``y``.
        dx: how far they are apart otherwise; default 1.

    >>> import devgrad
    >>> devgrad.trapezoid(devgrad.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    areas, dim = _trapezoids("trapezoid", y, x, dx, dim)
    return areas.sum(dim)


@composite(method=False, out=False)
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1
) -> Tensor:
    """The running integral along ``dim``; see `trapezoid`. One element shorter than ``y``.

    >>> import devgrad
    >>> devgrad.cumulative_trapezoid(devgrad.tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    areas, dim = _trapezoids("cumulative_trapezoid", y, x, dx, dim)
    return areas.cumsum(dim)


# --- histograms -----------------------------------------------------------------------------------


@op(name="histogram_counts", function=False, method=False)
def _counts(xp: Any, input: Array, weight: Array | None, bounds: Any, density: bool) -> Array:
    """How many points (rows of ``input``), or what weight, fall into each box."""
    sizes = tuple([e.size - 1 for e in bounds])
    place = xp.zeros(len(input), "int64")
    inside = xp.ones(len(input), bool)
    for k, edge in enumerate(bounds):
        x = xp.ascontiguousarray(input[:, k])
        bin_ = xp.searchsorted(edge, x, side="right") - 1
        bin_ = xp.where(x == edge[-1], edge.size - 2, bin_)  # the last has both its edges
        inside = inside & (x >= edge[0]) & (x <= edge[-1])
        place = place * (edge.size - 1) + bin_
    weight = xp.ones(len(input), input.dtype) if weight is None else weight
    total = 1
    for n in sizes:
        total *= n
    found = xp.zeros(total, input.dtype)
    xp.scatter_add(found, xp.where(inside, place, 0), xp.where(inside, weight, 0))
    found = found.reshape(sizes)
    if density:
        found = found / found.sum()
        for k, edge in enumerate(bounds):
            widths = edge[1:] - edge[:-1]
            found = found / widths.reshape([-1 if d == k else 1 for d in range(len(sizes))])
    return found


def _edges(name: str, points: Tensor, count: int, low: Any, high: Any) -> Tensor:
    """``count`` boxes of one width from ``low`` to ``high``, or over all of the points."""
    if low is None:
        low, high = 0.0, 1.0
        if points.numel():
            low, high = points.min().item(), points.max().item()
        if low == high:
            low, high = low - 0.5, high + 0.5
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise RuntimeError(f"{name}(): range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}(): min should not exceed max, but got min {low} max {high}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    # From the nearer end, so that the last is exact, and the values are PyTorch's.
    steps = FUNCTIONS[""]["cumsum"](points.new_ones(count + 1), 0) - 1
    step = (high - low) / count
    edges: Tensor = FUNCTIONS[""]["where"](
        steps < (count + 1) // 2, low + steps * step, high - (count - steps) * step
    )
    return edges


def _checked_points(name: str, input: Tensor) -> None:
    if not input._type.dtype.is_floating_point:
        raise NotImplementedError(
            f"\"{name}_cpu\" not implemented for '{input._type.dtype.title}'. Convert the tensor "
            "first, for example with x.float()"
        )


_Histogram = _result_type("histogram", ("hist", "bin_edges"))
_Histogramdd = _result_type("histogramdd", ("hist", "bin_edges"))


@composite
def histogram(
    input: Tensor, bins: int | Tensor, *, range: Sequence[Any] | None = None,
    weight: Tensor | None = None, density: bool = False,
) -> Any:  # fmt: skip
    """How many elements fall into each of some boxes, and the boxes' edges: ``(hist, bin_edges)``.

    Args:
        bins: how many boxes of one width; or all of their edges, in ascending order.
        range: from where to where; default from the least element to the greatest.
        weight: of the shape of ``input``: how much each element counts.
        density: divide by the sum of all and by the widths.

    >>> import devgrad
    >>> devgrad.histogram(devgrad.tensor([1.0, 2.0, 1.0]), 4, range=(0.0, 3.0)).hist
    tensor([0., 2., 1., 0.])
    """
    _checked_points("histogram", input)
    flat = input.detach().reshape(-1)
    if isinstance(bins, Tensor):
        edges = bins.detach()
    else:
        low, high = (None, None) if range is None else range
        edges = _edges("histogram", flat, bins, low, high)
    if weight is not None:
        weight = weight.detach().reshape(-1)
    counts = _counts.function(flat.reshape(-1, 1), weight, [edges._array], density)
    return _Histogram(counts, edges)


@composite(method=False, out=False)
def histogramdd(
    input: Tensor, bins: Any, range: Sequence[Any] | None = None, weight: Tensor | None = None,
    density: bool = False,
) -> Any:  # fmt: skip
    """How many points fall into each of some boxes, and the boxes' edges in each dimension.

    Args:
        input: points, by rows.
        bins: how many boxes there are in each dimension; one number for all; or a sequence of
            tensors, the edges.
        range: from where to where, for each dimension: twice as many numbers.

    The others are those of `histogram`.

    >>> import devgrad
    >>> devgrad.histogramdd(devgrad.tensor([[0.0, 1.0], [1.0, 0.0]]), bins=[2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    _checked_points("histogramdd", input)
    if input.ndim < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    size = input.shape[-1]
    points = input.detach().reshape(-1, size)
    bins = [bins] * size if isinstance(bins, int) else list(bins)
    if len(bins) != size:
        raise RuntimeError(
            f"torch.histogramdd: expected {size} bin counts or edges, one for each dimension, but "
            f"got {len(bins)}"
        )
    edges = []
    for k, count in enumerate(bins):
        if isinstance(count, Tensor):
            edges.append(count.detach())
            continue
        low, high = (None, None) if range is None else range[2 * k : 2 * k + 2]
        edges.append(_edges("histogramdd", points[:, k], count, low, high))
    if weight is not None:
        weight = weight.detach().reshape(-1)
    counts = _counts.function(points, weight, [e._array for e in edges], density)
    return _Histogramdd(counts, tuple(edges))
