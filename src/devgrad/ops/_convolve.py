"""How convolutions are computed: three products of arrays, each the derivative of the others.

With ``y = convolve(x, w)``, the form ``sum(g * y)`` is linear in ``g``, ``x`` and ``w``, and its
derivatives by them are `convolve`, `transposed` and `weight_gradient`.

The general way copies the windows into the columns of a matrix (im2col), block by block, so that
a block stays in the cache, and leaves the rest to BLAS. ``bench/NOTES.md`` has the measurements
behind the choices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from ._op import Array
from .windows import blocks, bordered, tap_slice, taps, window_count, windows

__all__ = ["convolve", "transposed", "weight_gradient"]

Ints = Sequence[int]
Borders = Sequence[tuple[int, int]]


def _computable(x: Array) -> Array:
    """BLAS has no float16: sums are in float32, as PyTorch's are."""
    return x.astype("float32") if x.dtype.char == "e" else x


def _is_plain(kernel: Ints, stride: Ints, borders: Borders) -> bool:
    """Whether the columns of the windows are the input itself."""
    return prod(kernel) == 1 and prod(stride) == 1 and not any(a or b for a, b in borders)


def _is_depthwise(channels: int, group: int) -> bool:
    return group == 1 and channels > 1


def _counts(size: Ints, kernel: Ints, stride: Ints, borders: Borders, dilation: Ints) -> list[int]:
    return [
        window_count(n + a + b, k, s, d)
        for n, (a, b), k, s, d in zip(size, borders, kernel, stride, dilation, strict=True)
    ]


def convolve(
    xp: Any, x: Array, w: Array, stride: Ints, borders: Borders, dilation: Ints, groups: int
) -> Array:
    """``x`` ``[N, C, *size]`` by ``w`` ``[O, C / groups, *kernel]``: ``[N, O, *windows]``."""
    dtype = x.dtype
    x, w = _computable(x), _computable(w)
    n, channels = x.shape[:2]
    outs, group, *kernel = w.shape
    out = _counts(x.shape[2:], kernel, stride, borders, dilation)
    if _is_depthwise(channels, group):
        result = _depthwise(xp, bordered(xp, x, borders), w, stride, dilation, out)
        return result.astype(dtype) if result.dtype != dtype else result
    matrix = w.reshape(groups, outs // groups, group * prod(kernel))
    if _is_plain(kernel, stride, borders):
        columns = xp.ascontiguousarray(x).reshape(n, groups, group, prod(out))
        result = xp.matmul(matrix, columns)
    elif not n * prod(out) * outs * group:
        result = xp.zeros((n, outs, *out), x.dtype)
    else:
        whole = bordered(xp, x, borders)
        in_lines = prod(stride) == 1 and _lines_pay(whole.shape[2:], out, *matrix.shape[1:])
        way = _by_lines if in_lines else _by_windows
        result = way(xp, whole, matrix, kernel, stride, dilation, out)
    result = result.reshape(n, outs, *out)
    return result.astype(dtype) if result.dtype != dtype else result


def _by_windows(
    xp: Any, whole: Array, matrix: Array, kernel: Ints, stride: Ints, dilation: Ints, out: Ints
) -> Array:
    """The products of the windows, as columns, with ``matrix`` ``[groups, rows, taps]``."""
    n, channels = whole.shape[:2]
    groups, rows, height = matrix.shape
    result = xp.empty((n, groups, rows, prod(out)), whole.dtype)
    view = windows(xp, whole, kernel, stride, dilation)
    inner = prod(out[1:])
    buffer = xp.empty(0, whole.dtype)
    each = channels * prod(kernel) * whole.itemsize
    for images, cut in blocks(n, out, each, xp.block_bytes):
        part = view[(images, slice(None), *(slice(None),) * len(kernel), cut)]
        if buffer.size < part.size:
            buffer = xp.empty(part.size, whole.dtype)
        columns = buffer[: part.size].reshape(part.shape)
        columns[...] = part
        xp.matmul(
            matrix,
            columns.reshape(part.shape[0], groups, height, -1),
            out=result[images, :, :, cut.start * inner : cut.stop * inner],
        )
    return result


def _lines_pay(size: Ints, out: Ints, rows: int, height: int) -> bool:
    """Whether columns that run on from line to line are worth their useless elements.

    They are copied three times as fast; but each of those takes part in ``rows`` products, and the
    products have to be copied once more. (The numbers are measured: see bench/NOTES.md.)
    """
    waste = prod(size[1:]) / prod(out[1:]) - 1
    return len(out) > 1 and height > rows * (0.2 * height * waste + 2.6)


def _by_lines(
    xp: Any, whole: Array, matrix: Array, kernel: Ints, stride: Ints, dilation: Ints, out: Ints
) -> Array:
    """`_by_windows` for a stride of 1: then what lies under one tap is one stretch of memory, if
    windows count that begin in one line and end in the next. Their products are left out."""
    n, channels = whole.shape[:2]
    groups, rows, height = matrix.shape
    whole = xp.ascontiguousarray(whole)
    lines = (*whole.shape[3:], 1)
    steps = tuple([prod(lines[i:]) for i in range(len(out))])
    at_taps = tuple([s * d for s, d in zip(steps, dilation, strict=True)])
    plane = prod(whole.shape[2:])
    result = xp.empty((n, groups * rows, *out), whole.dtype)
    each = channels * prod(kernel) * whole.itemsize
    keep = (..., *[slice(0, m) for m in out[1:]])
    buffer: Any = None
    products: Any = None
    for images, cut in blocks(n, (out[0], steps[0]), each, xp.block_bytes):
        count, many = images.stop - images.start, cut.stop - cut.start
        # From the first window to the last one.
        length = (many - 1) * steps[0] + sum(
            (m - 1) * s for m, s in zip(out[1:], steps[1:], strict=True)
        ) + 1  # fmt: skip
        part = xp.windowed(
            whole[images, :, cut.start :],
            (count, channels, *kernel, length),
            (channels * plane, plane, *at_taps, 1),
        )
        if buffer is None or buffer.shape != part.shape:  # the last block may be smaller
            buffer = xp.empty(part.shape, whole.dtype)
            products = xp.empty((count, groups, rows, many * steps[0]), whole.dtype)
        buffer[...] = part
        columns = buffer.reshape(count, groups, height, length)
        xp.matmul(matrix, columns, out=products[..., :length])
        whole_lines = products.reshape(count, groups * rows, many, *whole.shape[3:])
        result[images, :, cut] = whole_lines[keep]
    return result


def transposed(
    xp: Any, g: Array, w: Array, size: Ints, stride: Ints, borders: Borders, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """``g`` ``[N, O, *windows]`` by ``w``, back to ``[N, C, *size]``."""
    n, outs = g.shape[:2]
    group, *kernel = w.shape[1:]
    out = g.shape[2:]
    if g.dtype.char == "e":
        result = _scattered(xp, g, w, size, stride, borders, dilation, groups)
    elif _is_depthwise(group * groups, group) and (prod(stride) > 1 or outs > groups):
        result = _depthwise_back(xp, g, w, size, stride, borders, dilation, groups)
    elif _is_plain(kernel, stride, borders):
        turned = w.reshape(groups, outs // groups, group).swapaxes(1, 2)
        flat = xp.ascontiguousarray(g).reshape(n, groups, outs // groups, prod(out))
        result = xp.matmul(turned, flat).reshape(n, group * groups, *size)
    elif prod(stride) == 1 and outs <= 2 * groups * group:
        # A convolution with the kernel turned round: it gathers, where the other way adds up.
        turned = w.reshape(groups, outs // groups, group, *kernel).swapaxes(1, 2)
        turned = turned[(..., *[slice(None, None, -1)] * len(kernel))]
        turned = turned.reshape(groups * group, outs // groups, *kernel)
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        around = [
            (r - a, n_in - m + a)
            for r, (a, _), n_in, m in zip(reach, borders, size, out, strict=True)
        ]
        result = convolve(xp, g, turned, stride, around, dilation, groups)
    else:
        result = _scattered(xp, g, w, size, stride, borders, dilation, groups)
    return result


def _scattered(
    xp: Any, g: Array, w: Array, size: Ints, stride: Ints, borders: Borders, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """The columns by one product, then added, tap by tap, to where they were taken from.

    Sums of float16 are rounded at every tap, as PyTorch's are.
    """
    dtype = g.dtype
    g, w = _computable(g), _computable(w)
    n, outs = g.shape[:2]
    group, *kernel = w.shape[1:]
    out = g.shape[2:]
    inner = prod(out[1:])
    turned = xp.ascontiguousarray(w.reshape(groups, outs // groups, -1).swapaxes(1, 2))
    flat = xp.ascontiguousarray(g).reshape(n, groups, outs // groups, prod(out))
    whole = _room(size, kernel, stride, borders, dilation, out)
    made = xp.zeros((n, group * groups, *whole), dtype)
    each = group * groups * prod(kernel) * g.itemsize
    for images, rows in blocks(n, out, each, xp.block_bytes) if flat.size else ():
        part = flat[images, :, :, rows.start * inner : rows.stop * inner]
        count = (rows.stop - rows.start, *out[1:])
        columns = xp.matmul(turned, part)
        columns = columns.reshape(part.shape[0], group * groups, *kernel, *count)
        columns = columns.astype(dtype) if columns.dtype != dtype else columns
        target = made[images, :, rows.start * stride[0] :]
        for tap in taps(kernel):
            target[tap_slice(tap, count, stride, dilation)] += columns[
                (slice(None), slice(None), *tap)
            ]
    return _inside(made, size, borders)


def _room(
    size: Ints, kernel: Ints, stride: Ints, borders: Borders, dilation: Ints, out: Ints
) -> list[int]:
    """The sizes that hold both the windows and the input with its borders."""
    return [
        max(n + a + max(b, 0), (m - 1) * s + d * (k - 1) + 1)
        for n, (a, b), k, s, d, m in zip(
            size, borders, kernel, stride, dilation, out, strict=True
        )
    ]  # fmt: skip


def _inside(made: Array, size: Ints, borders: Borders) -> Array:
    """What is left of an array without the borders."""
    place = [slice(a, a + n) for n, (a, _) in zip(size, borders, strict=True)]
    return made[(..., *place)]


def weight_gradient(
    xp: Any, g: Array, x: Array, kernel: Ints, stride: Ints, borders: Borders, dilation: Ints,
    groups: int,
) -> Array:  # fmt: skip
    """``g`` ``[N, O, *windows]`` by ``x`` ``[N, C, *size]``: ``[O, C / groups, *kernel]``."""
    dtype = g.dtype
    g, x = _computable(g), _computable(x)
    n, channels = x.shape[:2]
    outs, out = g.shape[1], g.shape[2:]
    group = channels // groups
    if _is_depthwise(channels, group):
        made = _depthwise_weight(xp, g, bordered(xp, x, borders), kernel, stride, dilation)
        return made.astype(dtype) if made.dtype != dtype else made
    total = xp.zeros((groups, outs // groups, group * prod(kernel)), g.dtype)
    dims = len(kernel)
    if total.size and g.size:
        whole = bordered(xp, x, borders)
        view = windows(xp, whole, kernel, stride, dilation)
        # The images come last, beside the windows, so that one product sums over both.
        view = xp.moveaxis(view, 0, 1 + dims)
        turned = g.swapaxes(0, 1)
        buffer, other = xp.empty(0, g.dtype), xp.empty(0, g.dtype)
        for images, rows in blocks(n, out, channels * prod(kernel) * x.itemsize, xp.block_bytes):
            part = view[(slice(None), *(slice(None),) * dims, images, rows)]
            right = turned[:, images, rows]
            if buffer.size < part.size:
                buffer = xp.empty(part.size, x.dtype)
                other = xp.empty(right.size, g.dtype)
            columns = buffer[: part.size].reshape(part.shape)
            columns[...] = part
            left = other[: right.size].reshape(right.shape)
            left[...] = right
            total += xp.matmul(
                left.reshape(groups, outs // groups, -1),
                columns.reshape(groups, total.shape[2], -1).swapaxes(1, 2),
            )
    total = total.reshape(outs, group, *kernel)
    return total.astype(dtype) if total.dtype != dtype else total


# --- one input channel for each group: nothing for BLAS to do -------------------------------------
#
# The planes (an image's channels) are worked on in blocks small enough for the cache, tap by tap.


def _planes(
    xp: Any, x: Array, w: Array, inner: int
) -> tuple[Array, Array, Iterator[tuple[slice, slice]]]:
    """``x`` as planes ``[N * C, *size]``, their factors ``[N * C, O / C, *kernel]``, the blocks."""
    n, channels = x.shape[:2]
    factors = w.reshape(channels, -1, *w.shape[2:])
    factors = xp.concatenate([factors] * n) if n else factors[:0]
    each = 3 * x.itemsize * max(inner, prod(x.shape[2:])) * factors.shape[1]
    planes = x.reshape(n * channels, *x.shape[2:])
    return planes, factors, blocks(n * channels, (1,), each, xp.block_bytes // 2)


def _depthwise(xp: Any, whole: Array, w: Array, stride: Ints, dilation: Ints, out: Ints) -> Array:
    kernel = w.shape[2:]
    planes, factors, parts = _planes(xp, xp.ascontiguousarray(whole), w, prod(out))
    result = xp.empty((planes.shape[0], factors.shape[1], *out), whole.dtype)
    in_lines = prod(stride) == 1  # what lies under a tap is one stretch of memory: see _by_lines
    steps = [prod(whole.shape[3 + i :]) for i in range(len(out))]
    if in_lines:
        planes = planes.reshape(planes.shape[0], prod(whole.shape[2:]))
    length = sum((m - 1) * s for m, s in zip(out, steps, strict=True)) + 1
    single = (1,) * (1 if in_lines else len(kernel))
    for part, _ in parts:
        x, f = planes[part, None], factors[part]
        total: Any = None
        for tap in taps(kernel):
            start = sum(t * d * s for t, d, s in zip(tap, dilation, steps, strict=True))
            index = (
                (..., slice(start, start + length))
                if in_lines
                else tap_slice(tap, out, stride, dilation)
            )
            product = x[index] * f[(..., *tap)].reshape(*f.shape[:2], *single)
            total = product if total is None else xp.add(total, product, out=total)
        if in_lines:
            lines = xp.empty((*total.shape[:2], out[0] * steps[0]), total.dtype)
            lines[..., :length] = total
            keep = (..., *[slice(0, m) for m in out[1:]])
            total = lines.reshape(*total.shape[:2], out[0], *whole.shape[3:])[keep]
        result[part] = total
    return result.reshape(whole.shape[0], w.shape[0], *out)


def _depthwise_back(
    xp: Any, g: Array, w: Array, size: Ints, stride: Ints, borders: Borders, dilation: Ints,
    channels: int,
) -> Array:  # fmt: skip
    n, kernel, out = g.shape[0], w.shape[2:], g.shape[2:]
    whole = _room(size, kernel, stride, borders, dilation, out)
    apart = g.reshape(n * channels, -1, *out)
    made = xp.zeros((n, channels, *whole), g.dtype)
    planes, factors, parts = _planes(xp, made, w, prod(out))
    single = (1,) * len(kernel)
    for part, _ in parts:
        y, f, target = apart[part], factors[part], planes[part]
        for tap in taps(kernel):
            product = y * f[(..., *tap)].reshape(*f.shape[:2], *single)
            product = product[:, 0] if f.shape[1] == 1 else xp.add.reduce(product, axis=1)
            target[tap_slice(tap, out, stride, dilation)] += product
    return _inside(made, size, borders)


def _depthwise_weight(
    xp: Any, g: Array, whole: Array, kernel: Ints, stride: Ints, dilation: Ints
) -> Array:
    n, channels = whole.shape[:2]
    out = g.shape[2:]
    many = g.shape[1] // channels
    planes = whole.reshape(n * channels, 1, *whole.shape[2:])
    apart = g.reshape(n * channels, many, *out)
    made = xp.empty((n * channels, many, *kernel), g.dtype)
    places = "xyz"[: len(kernel)]
    each = g.itemsize * (prod(whole.shape[2:]) + 2 * many * prod(out))
    for part, _ in blocks(n * channels, (1,), each, xp.block_bytes // 2):
        x, y = planes[part, 0], apart[part]
        for tap in taps(kernel):
            under = x[tap_slice(tap, out, stride, dilation)]
            made[(part, slice(None), *tap)] = xp.einsum(f"p{places},pm{places}->pm", under, y)
    total = xp.add.reduce(made.reshape(n, channels, many, *kernel), axis=0)
    return total.reshape(channels * many, 1, *kernel)
