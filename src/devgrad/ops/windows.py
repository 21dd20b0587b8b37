"""Windows that slide over the last dimensions of arrays: what convolution, pooling, `unfold` and
`fold` share.

A window has ``kernel`` *taps* along a dimension, ``dilation`` apart; the next window begins
``stride`` further on. Windows are looked at in two ways, both without a copy: all at once, as a
strided view with a dimension for each tap (`windows`), or tap by tap, as slices that hold one
element of every window (`tap_slice`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from ._arguments import as_int, as_ints, wrong_argument
from ._layout import strides_of
from ._op import Array

__all__ = ["bordered", "per_dim", "pooled_size", "spread_sum", "tap_slice", "taps", "window_count",
           "window_sum", "windows"]  # fmt: skip

Ints = Sequence[int]


def per_dim(name: str, argument: str, value: Any, dims: int) -> tuple[int, ...]:
    """An argument that is one number, or one for each dimension.

    Raises:
        RuntimeError: it is neither.
        TypeError: what it holds are no integers.
    """
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            value = list(value) * dims
        if len(value) != dims:
            raise RuntimeError(
                f"{name}: {argument} must either be a single int, or a tuple of "
                f"{('one', 'two', 'three')[dims - 1]} ints, not {tuple(value)}"
            )
        return as_ints(argument, value, name)
    if not hasattr(value, "__index__"):
        raise wrong_argument(name, argument, None, "tuple of ints", value)
    return (as_int(argument, value, name),) * dims


def window_count(size: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows fit into a dimension of this size."""
    return (size - dilation * (kernel - 1) - 1) // stride + 1


def pooled_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """How many windows pooling has. With ``ceil_mode`` the last may reach out of the border, but
    begins inside the input or its left border."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return count


def bordered(xp: Any, x: Array, borders: Sequence[tuple[int, int]], value: Any = 0) -> Array:
    """``x`` with borders around its last dimensions; negative ones take away."""
    if not any(a or b for a, b in borders):
        return x
    lead = x.ndim - len(borders)
    sizes = [n + a + b for n, (a, b) in zip(x.shape[lead:], borders, strict=True)]
    every = (slice(None),) * lead
    inside = tuple([
        slice(max(-a, 0), n + min(b, 0)) for n, (a, b) in zip(x.shape[lead:], borders, strict=True)
    ])  # fmt: skip
    if all(a <= 0 and b <= 0 for a, b in borders):
        return x[(*every, *inside)]
    shape = (*x.shape[:lead], *sizes)
    made = xp.full(shape, value, x.dtype)  # (used memory, filled, is quicker than fresh zeros)
    place = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(sizes, borders, strict=True)]
    made[(*every, *place)] = x[(*every, *inside)]
    return made


def windows(xp: Any, x: Array, kernel: Ints, stride: Ints, dilation: Ints) -> Array:
    """The view ``[..., *taps, *windows]`` of the windows over the last dimensions of ``x``."""
    dims = len(kernel)
    lead = x.shape[: x.ndim - dims]
    count = [
        window_count(*each)
        for each in zip(x.shape[len(lead) :], kernel, stride, dilation, strict=True)
    ]
    shape = (*lead, *kernel, *count)
    if not x.size:
        return xp.empty(shape, x.dtype)
    strides = strides_of(x)
    inner = strides[len(lead) :]
    along_taps = [s * d for s, d in zip(inner, dilation, strict=True)]
    along_windows = [s * n for s, n in zip(inner, stride, strict=True)]
    steps = (*strides[: len(lead)], *along_taps, *along_windows)
    return xp.windowed(x, shape, steps)


def taps(kernel: Ints) -> Iterator[tuple[int, ...]]:
    """The taps of a window, in order."""
    return itertools.product(*map(range, kernel))


def tap_slice(tap: Ints, count: Ints, stride: Ints, dilation: Ints) -> tuple[Any, ...]:
    """The index of the elements under one tap, in all the windows over the last dimensions."""
    return (
        ...,
        *[
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, n, s, d in zip(tap, count, stride, dilation, strict=True)
        ],
    )


def _along(dim: int, dims: int, part: slice) -> tuple[Any, ...]:
    """The index of a part along one of the last dimensions."""
    return (..., part, *(slice(None),) * (dims - 1 - dim))


def window_sum(xp: Any, x: Array, kernel: Ints, stride: Ints, count: Ints) -> Array:
    """The sum over each window, one dimension after the other."""
    dims = len(kernel)
    for dim in reversed(range(dims)):
        k, s, n = kernel[dim], stride[dim], count[dim]
        axis = x.ndim - dims + dim
        if n == 1:
            x = xp.add.reduce(x[_along(dim, dims, slice(0, k))], axis=axis, keepdims=True)
            continue
        parts = [_along(dim, dims, slice(t, t + (n - 1) * s + 1, s)) for t in range(k)]
        total = x[parts[0]] + x[parts[1]] if k > 1 else x[parts[0]]
        for part in parts[2:]:
            total += x[part]
        x = total
    return x


def spread_sum(xp: Any, g: Array, kernel: Ints, stride: Ints, size: Ints) -> Array:
    """The adjoint of `window_sum`: at each element, the sum over the windows that it lies in."""
    dims = len(kernel)
    for dim in range(dims):
        k, s, wide = kernel[dim], stride[dim], size[dim]
        axis = g.ndim - dims + dim
        n = g.shape[axis]
        shape = (*g.shape[:axis], wide, *g.shape[axis + 1 :])
        separate = k <= s or n == 1
        filled = separate and (k == s or n == 1) and n * k == wide
        spread = xp.empty(shape, g.dtype) if filled else xp.zeros(shape, g.dtype)
        for t in range(k):
            part = _along(dim, dims, slice(t, t + (n - 1) * s + 1, s))
            if separate:
                spread[part] = g
            else:
                spread[part] += g
        g = spread
    return g


def blocks(n: int, out: Ints, bytes_each: int, budget: int) -> Iterator[tuple[slice, slice]]:
    """Cut ``n`` images with ``out`` windows each into blocks: slices of the images, and of the
    windows along the first dimension, so that ``bytes_each`` window fit into a budget."""
    rows = out[0]
    inner = max(1, prod(out[1:]) * bytes_each)
    images = budget // max(1, inner * rows)
    if images:
        for i in range(0, n, images):
            yield slice(i, min(i + images, n)), slice(0, rows)
        return
    step = max(1, -(-64 // max(1, prod(out[1:]))), budget // inner)
    for i in range(n):
        for r in range(0, rows, step):
            yield slice(i, i + 1), slice(r, min(r + step, rows))
