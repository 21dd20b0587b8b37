"""The factorisation of symmetric and Hermitian matrices that need not be positive definite.

``P a P^T = L D L^H`` (or L^T) with D of blocks of one or two columns, chosen as Bunch and Kaufman
do ("Some Stable Methods for Calculating Inertia and Solving Symmetric Linear Systems", Math. Comp.
31, 1977), stored as LAPACK's ``sytrf`` and ``hetrf`` do for the lower triangle: positive pivots
``p[k] = r`` say that rows k and r were swapped before a block of one; two equal negative ones
``p[k] = p[k+1] = -r``, that k+1 and r were before a block of two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

__all__ = ["ldl_factor", "ldl_solve"]

ALPHA = (1 + math.sqrt(17)) / 8  # keeps the growth of elements least


def _size(x: Any) -> Any:
    """LAPACK's magnitude: of a complex number, the sum of its parts'."""
    return numpy.abs(x.real) + numpy.abs(x.imag) if x.dtype.kind == "c" else numpy.abs(x)


def ldl_factor(a: Any, hermitian: bool) -> tuple[Any, Any, Any]:
    """``(LD, pivots, info)``; infos are numbers of the first block of D that is zero."""
    n = a.shape[-1]
    count = math.prod(a.shape[:-2])
    ld = numpy.tril(a).reshape(count, n, n)
    pivots, info = numpy.zeros((count, n), numpy.int32), numpy.zeros(count, numpy.int32)
    for i in range(count):
        info[i] = _factor(ld[i], pivots[i], hermitian and a.dtype.kind == "c")
    return ld.reshape(a.shape), pivots.reshape(a.shape[:-1]), info.reshape(a.shape[:-2])


def _factor(a: Any, pivots: Any, hermitian: bool) -> int:
    """Factor one matrix in place; the info."""
    n, k, info = len(a), 0, 0
    while k < n:
        width, swap = 1, k
        diagonal = abs(a[k, k].real) if hermitian else _size(a[k, k])
        below = _size(a[k + 1 :, k])
        largest, row = (below.max(), k + 1 + int(below.argmax())) if below.size else (0, k)
        if max(diagonal, largest) == 0 or math.isnan(diagonal):
            info = info or k + 1
            pivots[k] = k + 1
            if hermitian:
                a[k, k] = a[k, k].real
            k += 1
            continue
        if diagonal < ALPHA * largest:
            others = max(_size(a[row, k:row]).max(), _size(a[row + 1 :, row]).max(initial=0))
            its_own = abs(a[row, row].real) if hermitian else _size(a[row, row])
            if diagonal >= ALPHA * largest * (largest / others):
                pass
            elif its_own >= ALPHA * others:
                swap = row
            else:
                width, swap = 2, row
        _swap(a, k, k + width - 1, swap, hermitian)
        if width == 1:
            pivots[k] = swap + 1
            column = a[k + 1 :, k].copy()
            multipliers = column / (a[k, k].real if hermitian else a[k, k])
            update = multipliers[:, None] * (column.conj() if hermitian else column)
        else:
            pivots[k : k + 2] = -(swap + 1)
            columns = a[k + 2 :, k : k + 2].copy()
            block = _block(a, k, hermitian)
            multipliers = numpy.linalg.solve(block.T, columns.T).T
            update = multipliers @ (columns.conj() if hermitian else columns).T
        rest = a[k + width :, k + width :]
        rest -= numpy.tril(update)
        a[k + width :, k : k + width] = multipliers.reshape(n - k - width, width)
        if hermitian:
            a[range(k, n), range(k, n)] = a[range(k, n), range(k, n)].real
        k += width
    return info


def _block(a: Any, k: int, hermitian: bool) -> Any:
    """The two columns of D that begin at ``k``, whole."""
    corner = a[k + 1, k]
    above = corner.conj() if hermitian else corner
    return numpy.array([[a[k, k], above], [corner, a[k + 1, k + 1]]])


def _swap(a: Any, first: int, k: int, other: int, hermitian: bool) -> None:
    """Swap rows and columns ``k`` and ``other > k`` of what is left from column ``first`` on."""
    if other == k:
        return
    a[other + 1 :, [k, other]] = a[other + 1 :, [other, k]]
    between = a[k + 1 : other, k].copy()
    row = a[other, k + 1 : other].copy()
    a[k + 1 : other, k] = row.conj() if hermitian else row
    a[other, k + 1 : other] = between.conj() if hermitian else between
    if hermitian:
        a[other, k] = a[other, k].conj()
    a[k, k], a[other, other] = a[other, other], a[k, k]
    a[[k, other], first:k] = a[[other, k], first:k]


def ldl_solve(ld: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
    """The x of ``a x = b`` where ``ld`` and ``pivots`` came from `ldl_factor` of a.

    The batches broadcast.
    """
    n = ld.shape[-1]
    batch = numpy.broadcast_shapes(ld.shape[:-2], b.shape[:-2])
    x = numpy.broadcast_to(b, (*batch, *b.shape[-2:])).copy()
    if not x.size:
        return x
    ld = numpy.broadcast_to(ld, (*batch, n, n)).reshape(-1, n, n)
    pivots = numpy.broadcast_to(pivots, (*batch, n)).reshape(-1, n)
    for one in zip(ld, pivots, x.reshape(-1, *b.shape[-2:]), strict=True):
        _solve(*one, hermitian and ld.dtype.kind == "c")
    return x


def _solve(ld: Any, pivots: Any, x: Any, hermitian: bool) -> None:
    n, k = len(ld), 0
    starts = []
    while k < n:  # P^T L D, from the front
        width = 1 if pivots[k] > 0 else 2
        starts.append((k, width))
        _swap_rows(x, k + width - 1, abs(int(pivots[k])) - 1)
        x[k + width :] -= ld[k + width :, k : k + width] @ x[k : k + width]
        if width == 1:
            x[k] /= ld[k, k].real if hermitian else ld[k, k]
        else:
            x[k : k + 2] = numpy.linalg.solve(_block(ld, k, hermitian), x[k : k + 2])
        k += width
    for k, width in reversed(starts):  # L^H P, from the back
        below = ld[k + width :, k : k + width]
        x[k : k + width] -= (below.conj() if hermitian else below).T @ x[k + width :]
        _swap_rows(x, k + width - 1, abs(int(pivots[k])) - 1)


def _swap_rows(x: Any, k: int, other: int) -> None:
    if k != other:
        x[[k, other]] = x[[other, k]]
