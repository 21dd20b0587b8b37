"""Matrix computations on CUDA: what CuPy has of cuSOLVER and cuBLAS, and the host for the rest."""

from __future__ import annotations

import math
import warnings
from typing import Any

import cupy

from ._lapack import Lapack, adjoint

__all__ = ["CudaLapack"]


class CudaLapack(Lapack):
    """`Lapack` with CuPy's arrays.

    CuPy does not tell of failures unless asked to: `raising` asks.
    """

    def raising(self) -> Any:
        import cupyx

        return cupyx.errstate(linalg="raise")

    def on_host(self, function: Any, *arrays: Any) -> list[Any]:
        return [cupy.asarray(x) for x in function(*[cupy.asnumpy(x) for x in arrays])]

    def _factor(self, lu: Any, pivots: Any) -> None:
        count, m, n = lu.shape
        if count > max(m, n):  # many small matrices: better all of them column by column
            super()._factor(lu, pivots)
            return
        from cupyx.scipy.linalg import lu_factor

        with warnings.catch_warnings():
            # Of singular matrices; our caller looks for them itself.
            warnings.simplefilter("ignore", RuntimeWarning)
            for i in range(count):
                lu[i], pivots[i] = lu_factor(lu[i], check_finite=False)
        pivots += 1

    def solve_triangular(self, a: Any, b: Any, upper: bool, unit: bool) -> Any:
        from cupyx.scipy.linalg import solve_triangular

        batch = cupy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if not b.size or not math.prod(batch):
            return cupy.empty((*batch, *b.shape[-2:]), b.dtype)
        a = cupy.broadcast_to(a, (*batch, *a.shape[-2:]))
        b = cupy.broadcast_to(b, (*batch, *b.shape[-2:]))
        return solve_triangular(a, b, trans="N", lower=not upper, unit_diagonal=unit)

    def eigh(self, a: Any, uplo: str) -> Any:
        with self.raising():
            return cupy.linalg.eigh(_mirrored(a, uplo), "L")

    def eigvalsh(self, a: Any, uplo: str) -> Any:
        with self.raising():
            return cupy.linalg.eigvalsh(_mirrored(a, uplo), "L")

    def eig(self, a: Any) -> Any:
        if not _has_geev():
            return tuple(self.on_host(_host().eig, a))
        with self.raising():
            return super().eig(a)

    def eigvals(self, a: Any) -> Any:
        if not _has_geev():
            return self.on_host(lambda x: [_host().eigvals(x)], a)[0]
        with self.raising():
            return super().eigvals(a)


def _mirrored(a: Any, uplo: str) -> Any:
    """The lower triangle on both sides: batches and single matrices are read alike then."""
    lower = cupy.tril(adjoint(a) if uplo == "U" else a)
    return lower + adjoint(cupy.tril(lower, -1))


def _has_geev() -> bool:
    """Whether cuSOLVER has eigenvalues of general matrices: from CUDA 12.6 on."""
    from cupyx.cusolver import check_availability

    return bool(check_availability("geev"))


def _host() -> Lapack:
    from ._numpy import xp

    found: Lapack = xp.lapack
    return found
