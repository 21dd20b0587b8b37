"""The ground floor of the CPU: NumPy's functions, and what NumPy does in its own way.

A *namespace* (``xp`` wherever an operation receives it) has every name of NumPy, and these more,
which every kind of array has to offer:

===================  ===============================================================================
``array_type``       the class of its arrays
``asarray(x)``       an array of what an operation gave (a NumPy scalar becomes a 0-d array)
``from_host(x, i)``  the NumPy array ``x`` on this kind's device number ``i``
``to_host(x)``       a NumPy array with the elements of ``x``
``strided(...)``     an array over the storage of another, by shape, strides and offset in elements
``windowed(...)``    an array that begins where another does, by shape and strides in elements
``expanded(x, s)``   a view of ``x`` broadcast to the shape ``s``; as writable as ``x``
``storage(x)``       ``(offset of x in its storage, size of the storage)``, in elements
``on_device(i)``     a context manager: arrays made inside are on device number ``i``
``masked(x, mask)``  ``x`` where ``mask`` is true, zero elsewhere
``erf(x)``, ``erfc(x)``  the error function, and what it lacks to one
``normal_tail(x, e)``     the normal probability of more than x ≥ 0; e is exp(-x² / 2)
``special(name, x, …)``   SciPy's function of this name
``in_blocks(f, x, …)``   ``f(x, …)``, made of functions of each element
``row_blocks(shape)``    slices of the first dimension to work through one after the other
``sums(x, axes)``, ``sum_of_products(x, y, axes)``  sums over ``axes``, kept with size 1
``exp_shift(x, axis)``   what to take from ``x`` before sums of exponentials; or None
``lapack``           decompositions and solvers of matrices: a `Lapack`
``gathered``         ``x[index]`` for positions in every dimension, none of them negative
``scatter_add``      ``x[index] += values`` where an index may repeat
``scatter_at``       the same with ``multiply``, ``maximum``, ``minimum``, by its name first
``block_bytes``      how large the pieces are in which large arrays are worked on
``checks_bounds``    whether looking at indices is cheap (on a GPU it would wait for the GPU)
``wraps``            whether positions out of bounds wrap around, where NumPy raises an error
``accumulate``       ``(name, x, axis)``: the running maximum, minimum or logaddexp
``fused_step``       one step of an optimizer for many parameters at once; None: by its rule
``philox_fill``      fills an array with CUDA's random numbers: see ``_philox.fill``
``dlpack_versions``  whether its arrays' ``__dlpack__`` takes ``max_version``
``device_count()``, ``synchronize(i)``, ``device_name(i)``, ``memory_allocated(i)``
===================  ===============================================================================

and the formulas of ``_formulas.py``: ``softmax`` and the like. A kind of device other than the CPU
has besides what ``_cupy_runtime.RUNTIME`` lists: copies between devices, pinned memory, streams,
the words for its errors.
"""

from __future__ import annotations

import functools
import importlib
import math
import platform
import sys
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy

from . import _blocks, _erf
from ._formulas import formulas
from ._special import special

__all__ = ["quiet", "xp"]


def quiet() -> None:
    """Keep NumPy from warning of division by zero, overflow and NaN in this thread.

    PyTorch has no such warnings: infinity and NaN are results. Saying so once for each thread
    costs nothing; saying so around each operation would double the price of a small one.
    """
    numpy.seterr(all="ignore")


def _owner(array: Any) -> Any:
    while True:
        base = array.base
        if not isinstance(base, numpy.ndarray):
            base = getattr(base, "base", None)  # `as_strided` puts a helper in between
            if not isinstance(base, numpy.ndarray):
                return array
        array = base


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def storage(array: Any) -> tuple[int, int]:
    """Where ``array`` begins in the storage that it is a view of, and that storage's size.

    Both are counted in elements of ``array``'s dtype.
    """
    owner = _owner(array)
    low, high = numpy.lib.array_utils.byte_bounds(owner) if owner.size else (_address(owner),) * 2
    return (_address(array) - low) // array.itemsize, (high - low) // array.itemsize


def strided(array: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """The array of this shape over ``array``'s storage; strides and offset are in elements."""
    item = array.itemsize
    steps = tuple([s * item for s in strides])
    owner = _owner(array)
    for whole in (owner, owner.T):
        if whole.flags.c_contiguous:
            return numpy.ndarray(shape, array.dtype, whole, offset * item, steps)
    # Memory with gaps: the array at its lowest address reaches all of it.
    low, high = numpy.lib.array_utils.byte_bounds(owner)
    first = owner[tuple([slice(0, 1) if s >= 0 else slice(-1, None) for s in owner.strides])]
    whole = numpy.lib.stride_tricks.as_strided(
        first.reshape(-1), ((high - low) // owner.itemsize,), (owner.itemsize,)
    ).view(array.dtype)
    return numpy.lib.stride_tricks.as_strided(whole[offset:], shape, steps)


def windowed(array: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """The array of this shape from the first element of ``array`` on; strides are in elements."""
    steps = tuple([s * array.itemsize for s in strides])
    if array.flags.c_contiguous:
        return numpy.ndarray(shape, array.dtype, array, 0, steps)
    return numpy.lib.stride_tricks.as_strided(array, shape, steps)


def expanded(array: Any, shape: tuple[int, ...]) -> Any:
    """A view of ``array`` broadcast to ``shape``. (`numpy.broadcast_to` is slow, and read-only.)"""
    if not array.ndim and array.__class__ is numpy.ndarray:
        return numpy.ndarray(shape, array.dtype, array, 0, (0,) * len(shape))
    extra = len(shape) - array.ndim
    strides = (0,) * extra + tuple(
        [s if n == m else 0 for n, m, s in zip(array.shape, shape[extra:], array.strides)]
    )
    if array.flags.c_contiguous and array.size:
        return numpy.ndarray(shape, array.dtype, array, 0, strides)
    made = numpy.broadcast_to(array, shape)
    if array.flags.writeable:
        made.flags.writeable = True
    return made


def repeated(array: Any, shape: tuple[int, ...]) -> Any:
    """``array`` broadcast to ``shape``, only to be read.

    What is small is written out: NumPy computes three times as fast with arrays without gaps.
    """
    if math.prod(shape) > 4096:
        return expanded(array, shape)
    made = numpy.empty(shape, array.dtype)
    made[...] = array
    return made


def summed(array: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The sum over ``axes``, as an array of ``shape``, in which they have size 1 or are left out.

    NumPy takes long over leading axes: where there is little to add, a product with ones takes a
    third of the time. (For more, OpenBLAS uses several threads, which would change the rounding.)
    """
    if (
        0 < array.size <= 8192 and array.ndim and array.shape[-1] > 1 and axes
        and axes[-1] == len(axes) - 1 < array.ndim - 1
        and array.dtype.char in "fd" and array.flags.c_contiguous
    ):  # fmt: skip
        rows = math.prod(array.shape[: len(axes)])
        return _ones(rows, array.dtype.char).dot(array.reshape(rows, -1)).reshape(shape)
    # By position, since names take NumPy longer: no dtype, no out, keepdims.
    total = _add_reduce(array, axes, None, None, True)
    return total if array.ndim == len(shape) else total.reshape(shape)


_add_reduce: Any = numpy.add.reduce


@functools.lru_cache(maxsize=256)
def _ones(n: int, dtype: str) -> Any:
    return numpy.ones(n, dtype)


def _scatter_add(target: Any, index: Any, values: Any) -> None:
    """``target[index] += values``, where positions may repeat.

    `numpy.add.at` is quick on one dimension only, so whole rows are added element by element there,
    or, several times as quick again, as the product of a sparse matrix and ``values``.
    """
    if index.__class__ is not tuple:
        index = (index,)
    if not target.flags.c_contiguous or any(
        i.__class__ is not slice and i.dtype.kind == "b" for i in index
    ):
        numpy.add.at(target, index, values)
        return
    first, rest = index[0], target.shape[len(index) :]
    if len(index) > 1 and all(i.__class__ is not slice for i in index):
        # Positions in all the leading dimensions: they are positions in one, of rows.
        sizes = target.shape[: len(index)]
        first = _flat(_wrapped(index, sizes), sizes)
        target = target.reshape(math.prod(sizes), *rest)
    elif len(index) > 1:
        numpy.add.at(target, index, values)
        return
    else:
        (first,) = _wrapped(index, target.shape[:1])
    n, width = target.shape[0], math.prod(rest)
    values = numpy.broadcast_to(values, first.shape + rest)
    rows = first.reshape(-1)
    if values.dtype != target.dtype:
        values = values.astype(target.dtype)
    if width == 1:
        numpy.add.at(target.reshape(-1), rows, values.reshape(-1))
        return
    count = rows.size * width
    if target.dtype.kind != "b" and count >= 4096 and 2 * count >= target.size:
        sparse = sys.modules.get("scipy.sparse") or (_scipy_sparse() if count >= 1 << 20 else None)
        if sparse is not None and target.dtype.char in "fdFDli":
            ones = numpy.ones(rows.size, target.dtype)
            places = sparse.csc_matrix((ones, rows, numpy.arange(rows.size + 1)), (n, rows.size))
            target += (places @ values.reshape(rows.size, width)).reshape(target.shape)
            return
    flat = rows[:, None] * width + numpy.arange(width)
    numpy.add.at(target.reshape(-1), flat.reshape(-1), values.reshape(-1))


def _flat(index: Any, sizes: Any) -> Any:
    """Positions in the leading dimensions, of these sizes, as positions in one.

    Most have one array of all shapes and small ones that broadcast to it, which are added first:
    a third of the time of `numpy.ravel_multi_index`.
    """
    parts, step = [], 1
    for positions, n in zip(index[::-1], sizes[::-1], strict=True):
        wide = positions.astype(numpy.intp, copy=False)
        parts.append(wide if step == 1 else wide * step)
        step *= n
    parts.sort(key=lambda part: part.size)
    return functools.reduce(numpy.add, parts)


def gathered(array: Any, index: Any) -> Any:
    """``array[index]``, of positions in every dimension, none of them negative."""
    if array.flags.c_contiguous and max(i.size for i in index) > 1024:
        return array.reshape(-1).take(_flat(index, array.shape))
    return array[index]


def _wrapped(index: Any, sizes: Any) -> Any:
    """Positions counted from the front.

    Raises:
        IndexError: one is out of bounds.
    """
    result = []
    for positions, n in zip(index, sizes, strict=True):
        if positions.size:
            low, high = positions.min(), positions.max()
            if low < -n or high >= n:
                raise IndexError(
                    f"index {low if low < -n else high} is out of bounds for dimension 0 with "
                    f"size {n}"
                )
            if low < 0:
                positions = numpy.where(positions < 0, positions + n, positions)
        result.append(positions)
    return tuple(result)


@functools.cache
def _scipy_sparse() -> Any:
    """SciPy's sparse matrices, if it is installed; importing it pays where much is to be added."""
    try:
        return importlib.import_module("scipy.sparse")
    except ImportError:
        return None


def _scatter_at(name: str, target: Any, index: Any, values: Any) -> None:
    getattr(numpy, name).at(target, index, values)


def _philox_fill(name: str, out: Any, seed: int, offset: int, *parameters: Any) -> None:
    from . import _philox  # for generators of CUDA alone

    _philox.fill(name, out, seed, offset, *parameters)


def masked(array: Any, mask: Any) -> Any:
    """``array`` where ``mask`` is true, zero elsewhere.

    In large arrays zero bits are "and"-ed in: `numpy.where` branches at each element, and takes
    about five times as long where the processor cannot guess the mask. (A product with the mask
    would make NaN of what is infinite and masked out.)
    """
    size = array.dtype.itemsize
    if (
        array.size < 4096 or size not in (4, 8) or array.dtype.kind == "c"
        or array.shape != mask.shape
    ):  # fmt: skip
        return numpy.where(mask, array, 0)
    integer = numpy.int32 if size == 4 else numpy.int64
    bits = numpy.negative(mask.view(numpy.int8), dtype=integer)  # all ones, or all zeros
    bits &= array.view(integer)
    return bits.view(array.dtype)


class _Fourier:
    """NumPy's ``fft``, which NumPy itself imports when it is first asked for."""

    def __getattr__(self, name: str) -> Any:
        xp.fft = importlib.import_module("numpy.fft")
        return getattr(xp.fft, name)


class _Lapack:
    """NumPy's `Lapack`, imported when it is first asked for something."""

    def __getattr__(self, name: str) -> Any:
        xp.lapack = importlib.import_module("devgrad.device._lapack").Lapack(numpy)
        return getattr(xp.lapack, name)


xp: Any = SimpleNamespace(
    **{name: value for name, value in vars(numpy).items() if not name.startswith("_")}
)
vars(xp).update(
    array_type=numpy.ndarray,
    scalar_types=(numpy.generic,),
    from_host=lambda array, index: array,
    to_host=lambda array: array,
    on_device=lambda index: nullcontext(),
    storage=storage,
    strided=strided,
    windowed=windowed,
    expanded=expanded,
    repeated=repeated,
    summed=summed,
    gathered=gathered,
    scatter_add=_scatter_add,
    scatter_at=_scatter_at,
    block_bytes=1 << 19,  # they stay in the second-level cache
    checks_bounds=True,
    wraps=False,
    accumulate=lambda name, x, axis: getattr(numpy, name).accumulate(x, axis=axis),
    masked=masked,
    erf=_erf.erf,
    erfc=_erf.erfc,
    normal_tail=_erf.normal_tail,
    special=special,
    lapack=_Lapack(),
    fft=_Fourier(),
    in_blocks=_blocks.in_blocks,
    row_blocks=_blocks.row_blocks,
    sums=_blocks.sums,
    sum_of_products=_blocks.sum_of_products,
    exp_shift=_blocks.exp_shift,
    philox_fill=_philox_fill,
    fused_step=None,
    dlpack_versions=numpy.lib.NumpyVersion(numpy.__version__) >= "2.1.0",
    device_count=lambda: 1,
    synchronize=lambda index: None,
    device_name=lambda index: platform.processor() or platform.machine(),
    memory_allocated=lambda index: 0,
    **formulas(xp),
)
