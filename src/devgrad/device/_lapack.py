"""Matrix computations that array libraries do not all have, over batches of matrices.

`Lapack` is a part of each namespace (``xp.lapack``). It is written with what NumPy and CuPy both
have; what CuPy does in its own way is in ``_cupy_lapack.py``. Matrices are the last two dimensions
of arrays of a floating-point or complex dtype; the dimensions in front are the batch.

Nothing here is silent: what can fail returns an ``info`` beside its results, an int32 for each
matrix, 0 where all went well and else LAPACK's number of what went wrong. What cannot say more
than that it failed raises ``xp.linalg.LinAlgError``.

SciPy, where it is installed, lends its LAPACK for single large matrices.
"""

from __future__ import annotations

import functools
import importlib
import math
from contextlib import nullcontext
from typing import Any

import numpy

from ._bunch_kaufman import ldl_factor, ldl_solve

__all__ = ["Lapack", "adjoint"]

BLOCK = 48  # columns that are worked on one by one before the rest is brought up to date at once
LARGE = 96  # from this size on SciPy's LAPACK is asked first


def adjoint(a: Any) -> Any:
    """The conjugate transpose of matrices; a view of real ones."""
    return (a.conj() if a.dtype.kind == "c" else a).swapaxes(-2, -1)


@functools.cache
def _scipy(part: str) -> Any:
    """``scipy.linalg.lapack`` or ``.blas``, if SciPy is installed."""
    try:
        return importlib.import_module(f"scipy.linalg.{part}")
    except ImportError:
        return None


def _pade_coefficients(degree: int) -> list[float]:
    """Of the numerator of the [m/m] Padé approximant of exp, lowest power first."""
    m = degree
    scale = math.factorial(2 * m) // math.factorial(m)
    return [
        float(math.factorial(2 * m - j) * scale)
        / float(math.factorial(2 * m) * math.factorial(m - j) * math.factorial(j))
        for j in range(m + 1)
    ]


# Up to which 1-norm the approximant of a degree is exact to rounding: Higham, "The Scaling and
# Squaring Method for the Matrix Exponential Revisited", SIAM J. Matrix Anal. Appl. 26 (2005).
_PADE_RANGES = {
    4: ((3, 4.258730016922831e-01), (5, 1.880152677804762e00), (7, 3.925724783138660e00)),
    8: (
        (3, 1.495585217958292e-02), (5, 2.539398330063230e-01), (7, 9.504178996162932e-01),
        (9, 2.097847961257068e00), (13, 5.371920351148152e00),
    ),
}  # fmt: skip


def _by_sytrf(lapack: Any, hermitian: bool, a: Any) -> Any:
    """`ldl_factor` by SciPy."""
    n = a.shape[-1]
    flat = a.reshape(-1, n, n)
    name = "hetrf" if hermitian and a.dtype.kind == "c" else "sytrf"
    (trf,) = lapack.get_lapack_funcs((name,), (a,))
    found = [trf(x, lower=1) for x in flat]
    ld = numpy.tril(numpy.stack([ld for ld, _, _ in found])).reshape(a.shape)
    pivots = numpy.stack([p for _, p, _ in found])
    info = numpy.array([i for _, _, i in found], numpy.int32)
    return ld, pivots.astype(numpy.int32).reshape(a.shape[:-1]), info.reshape(a.shape[:-2])


class Lapack:
    """Matrix computations in one array library."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def raising(self) -> Any:
        """A context in which the library's own routines raise where they fail."""
        return nullcontext()

    def infos(self, a: Any) -> Any:
        """A zero for each matrix."""
        return self.xp.zeros(a.shape[:-2], self.xp.int32)

    def on_host(self, function: Any, *arrays: Any) -> list[Any]:
        """Call a function of NumPy arrays that returns several; the results come back."""
        return list(function(*arrays))

    # --- Cholesky ---------------------------------------------------------------------------------

    def cholesky(self, a: Any, upper: bool) -> tuple[Any, Any]:
        """The factor L of ``a = L L^H``, or its adjoint; and infos.

        Only the triangle that is asked for is read. An info is the order of the first leading
        minor that is not positive.
        """
        xp = self.xp
        a = adjoint(a) if upper else a
        info = self.infos(a)
        try:
            with self.raising():
                factor = xp.linalg.cholesky(a) if a.size else xp.zeros(a.shape, a.dtype)
            failed = xp.isnan(xp.diagonal(factor, 0, -2, -1)).any()
        except xp.linalg.LinAlgError:
            failed = True
        if failed:
            factor, info = self._cholesky_by_columns(a)
        return (adjoint(factor) if upper else factor), info

    def _cholesky_by_columns(self, a: Any) -> tuple[Any, Any]:
        # Only to find where it breaks off; what lies behind that place stays as it was given.
        xp = self.xp
        factor, info = xp.tril(a), self.infos(a)
        for j in range(a.shape[-1]):
            row = factor[..., j, :j]
            pivot = factor[..., j, j].real - xp.add.reduce(xp.abs(row) ** 2, axis=-1)
            good = (info == 0) & (pivot > 0)
            breaks = (info == 0) & ~good
            info = xp.where(breaks, j + 1, info)
            root = xp.sqrt(xp.where(good, pivot, 1))
            products = xp.matmul(factor[..., j + 1 :, :j], row.conj()[..., None])[..., 0]
            column = (factor[..., j + 1 :, j] - products) / root[..., None]
            factor[..., j, j] = xp.where(good, root, xp.where(breaks, pivot, factor[..., j, j]))
            factor[..., j + 1 :, j] = xp.where(good[..., None], column, factor[..., j + 1 :, j])
        return factor, info.astype(xp.int32)

    # --- LU ---------------------------------------------------------------------------------------

    def lu(self, a: Any) -> tuple[Any, Any, Any]:
        """L (without its ones) and U in one matrix, pivots, infos.

        ``pivots[i]`` is the row, counted from 1, that row ``i`` was swapped with. An info is the
        number of the first pivot that is exactly zero.
        """
        xp = self.xp
        m, n = a.shape[-2:]
        k, count = min(m, n), math.prod(a.shape[:-2])
        lu = xp.array(a, order="C").reshape(count, m, n)
        pivots = xp.zeros((count, k), xp.int32)
        if count and k:
            self._factor(lu, pivots)
        lu, pivots = lu.reshape(a.shape), pivots.reshape(*a.shape[:-2], k)
        return lu, pivots, self._first_zero(lu)

    def _first_zero(self, lu: Any) -> Any:
        """The number of the first zero on the diagonal, 0 if there is none."""
        xp = self.xp
        zero = xp.diagonal(lu, 0, -2, -1) == 0
        if not zero.shape[-1]:
            return self.infos(lu)
        return xp.where(zero.any(axis=-1), zero.argmax(axis=-1) + 1, 0).astype(xp.int32)

    def _factor(self, lu: Any, pivots: Any) -> None:
        """Factor each matrix of ``lu`` in place, and write down the pivots."""
        count, m, n = lu.shape
        k = min(m, n)
        # One call for each matrix there, k rounds over the whole batch here.
        if k >= LARGE and count <= k and (lapack := _scipy("lapack")) is not None:
            getrf = lapack.get_lapack_funcs("getrf", (lu,))
            for i in range(count):
                lu[i], pivots[i], _ = getrf(lu[i])
            pivots += 1
            return
        for start in range(0, k, BLOCK):
            stop = min(start + BLOCK, k)
            self._factor_columns(lu, pivots, start, stop)
            if stop < n:
                right = lu[:, start:stop, stop:]
                right[...] = self.solve_triangular(
                    lu[:, start:stop, start:stop], right, upper=False, unit=True
                )
                lu[:, stop:, stop:] -= self.xp.matmul(lu[:, stop:, start:stop], right)

    def _factor_columns(self, lu: Any, pivots: Any, start: int, stop: int) -> None:
        """Eliminate in columns ``start`` to ``stop``; rows are swapped throughout."""
        xp = self.xp
        batch = xp.arange(lu.shape[0])
        for j in range(start, stop):
            column = lu[:, j:, j]
            # LAPACK's magnitude of a complex number, so that its pivots are chosen.
            size = xp.abs(column.real)
            if column.dtype.kind == "c":
                size = size + xp.abs(column.imag)
            row = size.argmax(axis=1) + j
            pivots[:, j] = row + 1
            chosen = lu[batch, row]
            lu[batch, row] = lu[:, j]
            lu[:, j] = chosen
            pivot = lu[:, j, j, None]
            below = lu[:, j + 1 :, j]
            below /= xp.where(pivot == 0, 1, pivot)
            lu[:, j + 1 :, j + 1 : stop] -= below[:, :, None] * lu[:, j, None, j + 1 : stop]

    def permutation(self, pivots: Any, size: int) -> Any:
        """What order of rows the swaps of `lu` have made: ``a[order]`` is L U. int64."""
        return self.on_host(lambda p: [self._swapped(p, size)], pivots)[0]

    @staticmethod
    def _swapped(pivots: Any, size: int) -> Any:
        k = pivots.shape[-1]
        flat = pivots.reshape(math.prod(pivots.shape[:-1]), k).astype(numpy.int64) - 1
        order = numpy.empty((len(flat), size), numpy.int64)
        order[:] = numpy.arange(size)
        if len(flat) <= 8:  # few: Python's lists are quicker than arrays
            for i, swaps in enumerate(flat.tolist()):
                rows = list(range(size))
                for j, row in enumerate(swaps):
                    rows[j], rows[row] = rows[row], rows[j]
                order[i] = rows
            return order.reshape(*pivots.shape[:-1], size)
        batch = numpy.arange(len(flat))
        for j in range(k):
            other = order[batch, flat[:, j]]
            order[batch, flat[:, j]] = order[:, j]
            order[:, j] = other
        return order.reshape(*pivots.shape[:-1], size)

    # --- equations --------------------------------------------------------------------------------

    def solve_triangular(self, a: Any, b: Any, upper: bool, unit: bool) -> Any:
        """The x of ``a x = b``; of ``a`` one triangle is read, and its diagonal unless ``unit``.

        The batches broadcast. A zero on the diagonal gives what division by it gives.
        """
        xp = self.xp
        n, k = b.shape[-2:]
        shape = xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        x = xp.empty((*shape, n, k), b.dtype)
        if not x.size:
            return x
        if n >= LARGE and math.prod(shape) <= n and (blas := _scipy("blas")) is not None:
            return self._by_trsm(blas, a, b, x, upper, unit)
        starts = range(0, n, BLOCK)
        for start in reversed(starts) if upper else starts:
            stop = min(start + BLOCK, n)
            right = b[..., start:stop, :]
            known = slice(stop, n) if upper else slice(0, start)
            if known.stop > known.start:
                right = right - xp.matmul(a[..., start:stop, known], x[..., known, :])
            block = a[..., start:stop, start:stop]
            x[..., start:stop, :] = self._solve_block(block, right, upper, unit)
        return x

    def _solve_block(self, a: Any, b: Any, upper: bool, unit: bool) -> Any:
        xp = self.xp
        n = a.shape[-1]
        a = (xp.triu if upper else xp.tril)(a, (1 if upper else -1) if unit else 0)
        if unit:
            a = a + xp.eye(n, dtype=a.dtype)
        if not (xp.diagonal(a, 0, -2, -1) == 0).any():
            return xp.linalg.solve(a, b)
        x = xp.empty((*xp.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)
        for i in reversed(range(n)) if upper else range(n):
            known = slice(i + 1, n) if upper else slice(0, i)
            right = b[..., i, :]
            if known.stop > known.start:
                right = right - xp.matmul(a[..., i, None, known], x[..., known, :])[..., 0, :]
            x[..., i, :] = right / a[..., i, i, None]
        return x

    def _by_trsm(self, blas: Any, a: Any, b: Any, x: Any, upper: bool, unit: bool) -> Any:
        xp = self.xp
        n, k = b.shape[-2:]
        a = xp.broadcast_to(a, (*x.shape[:-2], n, n)).reshape(-1, n, n)
        b = xp.broadcast_to(b, x.shape).reshape(-1, n, k)
        flat = x.reshape(-1, n, k)
        trsm = blas.get_blas_funcs("trsm", (a, b))
        for i in range(len(flat)):
            # In Fortran's eyes a row-major matrix is its transpose: x^T a^T = b^T, from the right.
            flat[i] = trsm(1.0, a[i].T, b[i].T, side=1, lower=upper, diag=unit).T
        return x

    def solve(self, a: Any, b: Any) -> tuple[Any, Any]:
        """The x of ``a x = b``, and infos as of `lu`. The batches have the same shape."""
        xp = self.xp
        if not b.size:
            return xp.empty(b.shape, b.dtype), self.infos(a)
        try:
            with self.raising():
                return xp.linalg.solve(a, b), self.infos(a)
        except xp.linalg.LinAlgError:
            lu, pivots, info = self.lu(a)
            order = self.permutation(pivots, a.shape[-1])
            b = xp.take_along_axis(b, order[..., None], axis=-2)
            return self._lu_solve(lu, b), info

    def _lu_solve(self, lu: Any, b: Any) -> Any:
        x = self.solve_triangular(lu, b, upper=False, unit=True)
        return self.solve_triangular(lu, x, upper=True, unit=False)

    def inv(self, a: Any) -> tuple[Any, Any]:
        """The inverse, and infos as of `lu`."""
        xp = self.xp
        try:
            with self.raising():
                return xp.linalg.inv(a), self.infos(a)
        except xp.linalg.LinAlgError:
            return self.solve(a, xp.broadcast_to(xp.eye(a.shape[-1], dtype=a.dtype), a.shape))

    def det(self, a: Any) -> Any:
        """The determinant."""
        return self.xp.linalg.det(a)

    def slogdet(self, a: Any) -> Any:
        """The determinant's sign and the logarithm of its magnitude."""
        return self.xp.linalg.slogdet(a)

    # --- orthogonal and spectral decompositions ---------------------------------------------------

    def qr(self, a: Any, mode: str) -> Any:
        """Q and R; ``mode`` is ``"reduced"`` or ``"complete"``. For ``"r"``, R alone."""
        with self.raising():
            return self.xp.linalg.qr(a, mode)

    def geqrf(self, a: Any) -> tuple[Any, Any]:
        """R and the Householder vectors in one matrix, and their factors tau."""
        packed, tau = self.xp.linalg.qr(a, "raw")
        return packed.swapaxes(-2, -1), tau

    def svd(self, a: Any, full: bool) -> Any:
        """U, S and V^H. Raises LinAlgError if it does not converge."""
        with self.raising():
            return self.xp.linalg.svd(a, full_matrices=full)

    def svdvals(self, a: Any) -> Any:
        """The singular values, the greatest first."""
        with self.raising():
            return self.xp.linalg.svd(a, compute_uv=False)

    def eigh(self, a: Any, uplo: str) -> Any:
        """Eigenvalues, the least first, and eigenvectors of Hermitian matrices."""
        with self.raising():
            return self.xp.linalg.eigh(a, uplo)

    def eigvalsh(self, a: Any, uplo: str) -> Any:
        """Eigenvalues of Hermitian matrices, the least first."""
        with self.raising():
            return self.xp.linalg.eigvalsh(a, uplo)

    def eig(self, a: Any) -> Any:
        """Eigenvalues and eigenvectors, always complex."""
        kind = (a[..., :0] * 1j).dtype
        values, vectors = self.xp.linalg.eig(a)
        return values.astype(kind, copy=False), vectors.astype(kind, copy=False)

    def eigvals(self, a: Any) -> Any:
        """Eigenvalues, always complex."""
        return self.xp.linalg.eigvals(a).astype((a[..., :0] * 1j).dtype, copy=False)

    # --- LDL: Bunch and Kaufman's, on the host ----------------------------------------------------

    def ldl_factor(self, a: Any, hermitian: bool) -> Any:
        """L and D in one matrix, LAPACK's pivots, infos; the lower triangle is read."""
        n, count = a.shape[-1], math.prod(a.shape[:-2])
        if n >= LARGE and count and (lapack := _scipy("lapack")) is not None:
            return self.on_host(functools.partial(_by_sytrf, lapack, hermitian), a)
        return self.on_host(functools.partial(ldl_factor, hermitian=hermitian), a)

    def ldl_solve(self, ld: Any, pivots: Any, b: Any, hermitian: bool) -> Any:
        """The x of ``a x = b`` where ``ld`` and ``pivots`` are those of a."""
        solved = functools.partial(ldl_solve, hermitian=hermitian)
        return self.on_host(lambda *arrays: [solved(*arrays)], ld, pivots, b)[0]

    # --- exp --------------------------------------------------------------------------------------

    def matrix_exp(self, a: Any) -> Any:
        """The exponential, by a Padé approximant of the scaled matrix, squared (Higham 2005)."""
        xp = self.xp
        if not a.size:
            return a.copy()
        norms = xp.add.reduce(xp.abs(a), axis=-2).max(axis=-1)
        largest = float(norms.max())
        if not math.isfinite(largest):
            return xp.where(xp.isfinite(norms)[..., None, None], a, xp.nan).astype(a.dtype)
        ranges = _PADE_RANGES[8 if a.dtype.char in "dD" else 4]
        degree, limit = next((pair for pair in ranges if largest <= pair[1]), ranges[-1])
        # Each matrix is halved as often as its own norm needs.
        halvings = xp.maximum(xp.ceil(xp.log2(xp.maximum(norms, limit) / limit)), 0)
        a = a * xp.exp2(-halvings)[..., None, None].astype(a.real.dtype)
        result = self._pade(a, degree)
        for i in range(math.ceil(max(math.log2(largest / limit), 0)) if largest else 0):
            again = (halvings > i)[..., None, None]
            result = xp.where(again, xp.matmul(result, result), result)
        return result

    def _pade(self, a: Any, degree: int) -> Any:
        xp = self.xp
        c = _pade_coefficients(degree)
        unit = xp.eye(a.shape[-1], dtype=a.dtype)
        square = xp.matmul(a, a)
        power = xp.broadcast_to(unit, a.shape)
        odd, even = c[1] * power, c[0] * power
        for j in range(2, degree + 1, 2):
            power = xp.matmul(power, square) if j > 2 else square
            even = even + c[j] * power
            if j < degree:
                odd = odd + c[j + 1] * power
        odd = xp.matmul(a, odd)
        return xp.linalg.solve(even - odd, even + odd)
