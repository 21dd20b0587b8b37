"""Linear algebra: CuPy's errors, which are silent unless asked for, and `cupyx.scipy.linalg`."""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from ._array import launched, ndarray, new
from ._memory import wait


class _Errors(threading.local):
    linalg = "ignore"


_errors = _Errors()


@contextlib.contextmanager
def errstate(*, divide: Any = None, over: Any = None, under: Any = None, invalid: Any = None,
             linalg: Any = None, fallback_mode: Any = None) -> Iterator[None]:  # fmt: skip
    before = _errors.linalg
    _errors.linalg = linalg or before
    try:
        yield
    finally:
        _errors.linalg = before


def seterr(*, divide: Any = None, over: Any = None, under: Any = None, invalid: Any = None,
           linalg: Any = None, fallback_mode: Any = None) -> dict[str, Any]:  # fmt: skip
    before = geterr()
    _errors.linalg = linalg or _errors.linalg
    return before


def geterr() -> dict[str, Any]:
    return {"linalg": _errors.linalg}


def checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `cupy.linalg`: no half precision, and failures pass in silence."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if isinstance(x, numpy.ndarray) and x.dtype.char == "e" and name != "norm":
                raise TypeError(f"Unsupported dtype {x.dtype}")
        if _errors.linalg == "raise" and name not in ("norm", "cross", "matmul"):
            wait(f"linalg.{name} looking for errors")
        try:
            return function(*args, **kwargs)
        except numpy.linalg.LinAlgError as error:
            if _errors.linalg == "raise" or name not in ("inv", "solve", "cholesky"):
                raise
            if "square" in str(error) or "dimensional" in str(error):
                raise
            like = args[1] if name == "solve" else args[0]
            return numpy.full(like.shape, numpy.nan, numpy.result_type(like, numpy.float32))

    return call


# --- cupyx.scipy.linalg, which cannot be imported without cuBLAS: it is not in the table ----------


def _matrix(a: Any, name: str) -> Any:
    if not isinstance(a, ndarray):
        raise TypeError(f"Unsupported type {type(a)}")
    if a.dtype.char not in "fdFD":
        raise NotImplementedError(
            f"{name}: Only float32, float64, complex64 and complex128 are supported."
        )
    launched(a)
    return a._array


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    lu = numpy.array(_matrix(a, "lu_factor"), order="F")
    if lu.ndim != 2:
        raise numpy.linalg.LinAlgError(f"{lu.ndim}-dimensional array given. Array must be "
                                       "two-dimensional")  # fmt: skip
    wait("lu_factor looking for errors")
    size = min(lu.shape)
    pivots = numpy.empty(size, numpy.intc)
    with numpy.errstate(all="ignore"):
        for i in range(size):
            pivots[i] = p = i + int(numpy.argmax(numpy.abs(lu[i:, i])))
            lu[[i, p]] = lu[[p, i]]
            if lu[i, i]:
                lu[i + 1 :, i] /= lu[i, i]
                lu[i + 1 :, i + 1 :] -= numpy.outer(lu[i + 1 :, i], lu[i, i + 1 :])
    zero = numpy.flatnonzero(numpy.diagonal(lu) == 0)
    if zero.size:
        warnings.warn(
            f"Diagonal number {zero[0] + 1} is exactly zero. Singular matrix.", RuntimeWarning,
            stacklevel=2,
        )  # fmt: skip
    return new(lu, "F"), new(pivots)


def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, check_finite: bool = False,
) -> ndarray:  # fmt: skip
    matrix, right = _matrix(a, "solve_triangular"), _matrix(b, "solve_triangular")
    if matrix.shape[-1] != matrix.shape[-2] or matrix.shape[:-2] != right.shape[: matrix.ndim - 2]:
        raise ValueError("incompatible dimensions")
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"unknown trans: {trans}")
    wanted = numpy.result_type(matrix, right)
    matrix = (numpy.tril if lower else numpy.triu)(matrix).astype(wanted)
    if unit_diagonal:
        places = numpy.arange(matrix.shape[-1])
        matrix[..., places, places] = 1
    if trans not in (0, "N"):
        matrix = numpy.swapaxes(matrix, -1, -2)
        matrix = matrix.conj() if trans in (2, "C") else matrix
    vector = right.ndim == matrix.ndim - 1
    right = right[..., None] if vector else right
    found = _substituted(matrix, right.astype(wanted), lower ^ (trans not in (0, "N")))
    return new(found[..., 0] if vector else found)


def _substituted(matrix: Any, right: Any, lower: bool) -> Any:
    result = right.copy()
    n = matrix.shape[-1]
    with numpy.errstate(all="ignore"):
        for i in range(n) if lower else reversed(range(n)):
            done = slice(None, i) if lower else slice(i + 1, None)
            known = matrix[..., i : i + 1, done] @ result[..., done, :]
            result[..., i, :] = (right[..., i, :] - known[..., 0, :]) / matrix[..., i, i, None]
    return result


LINALG: dict[str, Any] = {
    "cupyx.scipy.linalg.lu_factor": lu_factor,
    "cupyx.scipy.linalg.solve_triangular": solve_triangular,
    "cupyx.cusolver.check_availability": lambda name: True,
}
