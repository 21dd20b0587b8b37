"""Kernels in the place of formulas, where launching is what costs: ``xp.softmax`` in one launch.

Each takes what the formula of ``_formulas.py`` takes. What a kernel is not made for (half
precision, complex numbers, nothing at all) goes to the formula. ``DEVGRAD_CUDA_KERNELS=0`` in the
environment sends everything there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import cupy
import numpy

from ._cupy_kernels import kernel
from ._formulas import formula

__all__ = ["fused"]

_MOST_BLOCKS = 1 << 15  # what is more is done by the same blocks, one after the other
_THREADS = 256
_NULL = numpy.uint64(0)

# Up to this many samples a loss is reduced by one team: beyond, launches cost little beside it.
_FEW = 1 << 16


def _covered(first: Any, *others: Any) -> bool:
    """Whether the arrays are floats or doubles, of one dtype, and there is something to do."""
    return bool(
        first.size
        and first.dtype.char in "fd"
        and all(x is None or x.dtype == first.dtype for x in others)
    )


def _run(
    source: str, name: str, dtype: Any, work: int, block: tuple[int, int], *arguments: Any
) -> None:
    """Launch a kernel for so many rows (or elements). Arrays are made contiguous, None is null."""
    grid = min(-(-work // block[0]), _MOST_BLOCKS)
    kernel(source, f"{name}_{dtype.name}")((max(grid, 1),), block, tuple(map(_argument, arguments)))


def _argument(value: Any) -> Any:
    if value is None:
        return _NULL
    if value.__class__ is int or value.__class__ is bool:
        return numpy.int64(value)
    return cupy.ascontiguousarray(value) if isinstance(value, cupy.ndarray) else value


def _teams(n: int, across: bool) -> tuple[int, int]:
    """A block for rows of ``n`` numbers: rows and threads for each row; see ``teams.cuh``.

    ``across``: neighbours in memory belong to different rows.
    """
    if across:
        return 32, min(_power_of_two(n), 8)
    return 1, max(32, min(_power_of_two(n), _THREADS))


def _power_of_two(n: int) -> int:
    return 1 << max(n - 1, 0).bit_length()


# --- softmax --------------------------------------------------------------------------------------


def _rows(xp: Any, name: str, *inputs: Any, dim: int) -> Any:
    """A kernel of ``softmax.cu``: of arrays of one shape, along a dimension."""
    shape = inputs[0].shape
    if not shape or not _covered(*inputs):
        return formula(xp, name)(*inputs, dim)
    out = cupy.empty(shape, inputs[0].dtype)
    n, inner = shape[dim], math.prod(shape[dim + 1 :])
    rows = out.size // n
    _run("softmax", name, out.dtype, rows, _teams(n, inner > 1), *inputs, out, rows, n, inner)
    return out


# --- activations ----------------------------------------------------------------------------------


def _each(name: str, *inputs: Any) -> Any:
    """A kernel of ``activations.cu``: of arrays of one shape, element by element."""
    out = cupy.empty(inputs[0].shape, inputs[0].dtype)
    _run("activations", name, out.dtype, out.size, (_THREADS, 1), *inputs, out, out.size)
    return out


def _activation(xp: Any, name: str, *inputs: Any) -> Any:
    return _each(name, *inputs) if _covered(*inputs) else formula(xp, name)(*inputs)


def _gelu(xp: Any, name: str, *arguments: Any) -> Any:
    *inputs, by_tanh = arguments
    if not _covered(*inputs):
        return formula(xp, name)(*arguments)
    return _each(name.replace("gelu", "gelu_by_tanh") if by_tanh else name, *inputs)


# --- cross entropy --------------------------------------------------------------------------------


def _samples(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Rows, classes, and the step from one class to the next, of an input of this shape."""
    n = shape[0 if len(shape) == 1 else 1]
    return math.prod(shape) // n, n, math.prod(shape[2:])


def _cross_entropy(
    xp: Any, input: Any, target: Any, weight: Any, reduction: str, ignore_index: int
) -> Any:
    rows, n, inner = _samples(input.shape) if input.size else (0, 0, 0)
    # (Where indices are to be looked at, the formula does.)
    if not _covered(input, weight) or xp.checks_bounds or rows > _FEW and reduction != "none":
        return formula(xp, "cross_entropy")(input, target, weight, reduction, ignore_index)
    probabilities = cupy.empty(input.shape, input.dtype)
    losses, scales = cupy.empty(rows, input.dtype), cupy.empty(rows, input.dtype)
    _run(
        "cross_entropy", "cross_entropy", input.dtype, rows, _teams(n, inner > 1), input,
        _as_int64(target), weight, probabilities, losses, scales, rows, n, inner, ignore_index,
    )  # fmt: skip
    if reduction == "none":
        return losses.reshape(target.shape), probabilities
    loss = cupy.empty((), input.dtype)
    divisor = scales if reduction == "mean" else None
    _run(
        "cross_entropy", "reduced_loss", input.dtype, 1, _teams(rows, False), losses, divisor,
        loss, rows,
    )  # fmt: skip
    return loss, probabilities


def _cross_entropy_backward(
    xp: Any, grad_output: Any, input: Any, probabilities: Any, target: Any, weight: Any,
    reduction: str, ignore_index: int,
) -> Any:  # fmt: skip
    rows, n, inner = _samples(input.shape) if input.size else (0, 0, 0)
    if (
        not _covered(probabilities, grad_output, weight)
        or xp.checks_bounds
        or rows > _FEW and reduction == "mean"
    ):  # fmt: skip
        return formula(xp, "cross_entropy_backward")(
            grad_output, input, probabilities, target, weight, reduction, ignore_index
        )
    dtype, target, divisor = probabilities.dtype, _as_int64(target), None
    if reduction == "mean":
        divisor = cupy.empty((), dtype)
        _run(
            "cross_entropy", "weight_of_targets", dtype, 1, _teams(rows, False), target, weight,
            divisor, rows, n, ignore_index,
        )  # fmt: skip
    out = cupy.empty(input.shape, dtype)
    _run(
        "cross_entropy", "cross_entropy_backward", dtype, rows, _teams(n, inner > 1), grad_output,
        probabilities, target, weight, divisor, out, reduction == "none", rows, n, inner,
        ignore_index,
    )  # fmt: skip
    return out


def _as_int64(array: Any) -> Any:
    return array.astype(numpy.int64, copy=False)


# --- normalisation --------------------------------------------------------------------------------


def _layout(layout: Any) -> tuple[int, ...] | None:
    """The numbers of ``struct Layout`` in ``standardize.cu``; None if it has no room for them."""
    view, dims, place = layout.view, layout.dims, layout.place
    place = (1,) * (len(view) - len(place)) + tuple(place)
    first = len(view) - len(dims)
    n = math.prod([view[d] for d in dims])
    if tuple(dims) == tuple(range(first, len(view))):
        kept, reduced, run = view[:first], view[first:], n
        lead, trail = place[:first], place[first:]
    elif tuple(dims) == (0, *range(2, len(view))):
        kept, reduced, run = view[1:2], (view[0], *view[2:]), math.prod(view[2:])
        lead, trail = place[1:2], (place[0], *place[2:])
    else:
        return None
    # Scale and shift: the same for what comes first in both, and then one for each.
    shared = _leading_ones(lead)
    if lead[shared:] != kept[shared:]:
        return None
    each = len(trail) - _leading_ones(trail[::-1])
    if trail[:each] != reduced[:each]:
        return None
    each_row = math.prod(trail[:each])
    step = math.prod(view[1:]) if kept is not view[:first] and 0 in dims else n
    return (
        math.prod(kept), n // run, run, step, math.prod(lead[shared:]), each_row, n // each_row,
    )  # fmt: skip


def _leading_ones(sizes: Sequence[int]) -> int:
    return next((i for i, n in enumerate(sizes) if n != 1), len(sizes))


def _block_of(layout: tuple[int, ...]) -> tuple[int, int]:
    rows, parts, run = layout[:3]
    return _teams(parts * run, parts > 1 and run < 32 and rows > 1)


def _standardize(xp: Any, input: Any, weight: Any, bias: Any, layout: Any) -> Any:
    numbers = _layout(layout) if _covered(input, weight, bias) else None
    if numbers is None:
        return formula(xp, "standardize")(input, weight, bias, layout)
    dtype = input.dtype
    out = cupy.empty(input.shape, dtype)
    kept = [1 if i in layout.dims else n for i, n in enumerate(layout.view)]
    mean, r, var = (cupy.empty(kept, dtype) for _ in range(3))
    _run(
        "standardize", "standardize", dtype, numbers[0], _block_of(numbers), input, weight, bias,
        out, mean, r, var, dtype.type(layout.eps), layout.centred, *numbers,
    )  # fmt: skip
    return out, mean, r, var


def _standardize_backward(
    xp: Any, grad_output: Any, input: Any, weight: Any, mean: Any, r: Any, layout: Any
) -> Any:
    numbers = _layout(layout) if _covered(input, grad_output, weight, mean, r) else None
    if numbers is None:
        return formula(xp, "standardize_backward")(grad_output, input, weight, mean, r, layout)
    out = cupy.empty(input.shape, input.dtype)
    _run(
        "standardize", "standardize_backward", input.dtype, numbers[0], _block_of(numbers),
        grad_output, input, weight, mean, r, out, layout.centred, *numbers,
    )  # fmt: skip
    return out


def _standardize_weight_backward(
    xp: Any, grad_output: Any, input: Any, mean: Any, r: Any, layout: Any, shape: Any
) -> Any:
    numbers = _layout(layout) if _covered(input, grad_output, mean, r) else None
    if numbers is None:
        return formula(xp, "standardize_weight_backward")(
            grad_output, input, mean, r, layout, shape
        )
    rows, _, run, _, period, each_row, span = numbers
    scales = period * each_row
    block = _teams(rows // period * span, scales > 1 and min(span, run) < 32)
    out = cupy.empty(scales, input.dtype)
    _run(
        "standardize", "standardize_weight_backward", input.dtype, scales, block, grad_output,
        input, mean, r, out, layout.centred, *numbers,
    )  # fmt: skip
    return out.reshape(shape)


def _normalize_by(
    xp: Any, input: Any, weight: Any, bias: Any, mean: Any, var: Any, place: Any, eps: float
) -> Any:
    if input.ndim < 2 or not _covered(input, weight, bias, mean, var):
        return formula(xp, "normalize_by")(input, weight, bias, mean, var, place, eps)
    out, dtype = cupy.empty(input.shape, input.dtype), input.dtype
    _run(
        "standardize", "normalize_by", dtype, out.size, (_THREADS, 1), input, weight, bias, mean,
        var, out, dtype.type(eps), out.size, input.shape[1], math.prod(input.shape[2:]),
    )  # fmt: skip
    return out


# --- optimizers -----------------------------------------------------------------------------------


def fused_step(
    name: str, flags: int, numbers: Sequence[float], params: Sequence[Any], grads: Sequence[Any],
    state: Sequence[Any], kept: dict[str, Any],
) -> bool:  # fmt: skip
    """One step of ``optimizers.cu`` for all parameters; False if they are not made for it.

    Args:
        name: the kernel.
        flags, numbers: what it takes.
        params, grads: arrays of real numbers.
        state: flat arrays of all parameters' state; None where the kernel can do without.
        kept: the table of addresses is kept here from step to step: as long as gradients come to
            lie where they lay, nothing has to be copied to the GPU.
    """
    dtype = params[0].dtype
    arrays = (*params, *grads)
    if dtype.char not in "fd" or any(
        x.dtype != dtype or not x.flags.c_contiguous for x in arrays
    ):  # fmt: skip
        return False
    rows, start = [], 0
    for p, g in zip(params, grads, strict=True):
        rows.append((p.data.ptr, g.data.ptr, start, p.size))
        start += p.size
    if not start:
        return True
    if kept.get("rows") != rows:
        kept["rows"], kept["table"] = rows, cupy.asarray(numpy.array(rows, numpy.int64))
    largest = max(p.size for p in params)
    grid = min(-(-largest // _THREADS), _MOST_BLOCKS), min(len(rows), _MOST_BLOCKS)
    kernel("optimizers", f"{name}_{dtype.name}")(
        grid, (_THREADS,),
        (kept["table"], numpy.int64(len(rows)), *map(_argument, state), numpy.int64(flags),
         *map(dtype.type, numbers)),
    )  # fmt: skip
    return True


def fused(xp: Any) -> dict[str, Callable[..., Any]]:
    """What a namespace of CuPy has in the place of formulas."""

    def bound(function: Any, *names: str) -> Callable[..., Any]:
        return lambda *arguments: function(xp, *names, *arguments)

    def along(name: str) -> Callable[..., Any]:
        return lambda *arguments: _rows(xp, name, *arguments[:-1], dim=arguments[-1])

    found: dict[str, Callable[..., Any]] = {
        name: along(name)
        for name in ("softmax", "softmax_backward", "log_softmax", "log_softmax_backward")
    }
    found.update({name: bound(_activation, name) for name in ("silu", "silu_backward")})
    found.update({name: bound(_gelu, name) for name in ("gelu", "gelu_backward")})
    return found | {
        "cross_entropy": bound(_cross_entropy),
        "cross_entropy_backward": bound(_cross_entropy_backward),
        "normalize_by": bound(_normalize_by),
        "standardize": bound(_standardize),
        "standardize_backward": bound(_standardize_backward),
        "standardize_weight_backward": bound(_standardize_weight_backward),
        "fused_step": fused_step,
    }
