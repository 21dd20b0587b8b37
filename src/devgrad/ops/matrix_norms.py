"""Norms of matrices, and condition numbers."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor, wrap
from ..device import DType
from ._along import array_dtype
from ._formula import cast
from ._layout import as_dim
from ._matrices import check_floating, check_matrices, check_square
from ._op import composite
from .comparison import where
from .linalg_equations import inverse
from .linalg_spectra import singular_values_of
from .norms import vector_norm
from .transposing import permute

__all__ = ["matrix_norm"]

_NAME = "linalg.matrix_norm"


def _unsupported(ord: Any) -> RuntimeError:
    return RuntimeError(
        f"{_NAME}: Order {ord} not supported. There are 'fro', 'nuc', inf, -inf, 1, -1, 2 and -2"
    )


def _two_dims(A: Tensor, dim: Any) -> tuple[int, int]:
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(
            f"{_NAME}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}. linalg.vector_norm "
            "takes any number of dimensions"
        )
    first, second = [as_dim(d, A._array.ndim) for d in dims]
    if first == second:
        raise RuntimeError(f"{_NAME}: dims must be different. Got ({dims[0]}, {dims[1]})")
    return first, second


def _extreme(x: Tensor, dim: int, keepdim: bool, greatest: bool) -> Tensor:
    """The greatest or least of what is not negative: the greatest of nothing is 0."""
    if not greatest:
        return x.amin(dim, keepdim)
    if not x._array.shape[dim]:
        return x.sum(dim, keepdim)
    return x.amax(dim, keepdim)


def _spectral(A: Tensor, dims: tuple[int, int], ord: Any, keepdim: bool) -> Tensor:
    """Norms that are made of the singular values."""
    check_floating(_NAME, A)
    n = A._array.ndim
    rest = [d for d in range(n) if d not in dims]
    S = singular_values_of(permute.function(A, (*rest, *dims)))
    norm = S.sum(-1) if ord == "nuc" else _extreme(S, -1, False, ord > 0)
    if keepdim:
        for d in sorted(dims):
            norm = norm.unsqueeze(d)
    return norm


@composite(method=False, namespaces=("linalg",))
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *,
    dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """The norms of matrices.

    Args:
        A: at least two dimensions, floating point or complex. The result is real.
        ord: ``"fro"``: as of one vector; ``"nuc"``: the sum of the singular values; 2 and -2: the
            greatest and the least of them; 1 and -1, ``inf`` and ``-inf``: the greatest and the
            least sum of magnitudes of a column, and of a row.
        dim: the two dimensions of the matrices. keepdim: keep them, with size 1.
        dtype: what to convert to first.

    Raises:
        RuntimeError: there is no such norm; ``dim`` is not two dimensions.

    >>> import devgrad
    >>> devgrad.linalg.matrix_norm(devgrad.tensor([[3.0, 0.0], [0.0, 2.0]]), "nuc")
    tensor(5.)
    """
    check_matrices(_NAME, A)
    check_floating(_NAME, A, half=True)
    dims = _two_dims(A, dim)
    if isinstance(ord, str):
        if ord not in ("fro", "nuc"):
            raise _unsupported(ord)
    elif abs(ord) not in (1, 2, math.inf):
        raise _unsupported(ord)
    if ord == "fro":
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dtype is not None and dtype is not A._type.dtype:
        A = cast.function(A, array_dtype(dtype))
    if ord == "nuc" or abs(ord) == 2:
        return _spectral(A, dims, ord, keepdim)
    # Sums down the columns, or along the rows; then the extreme of them.
    summed, other = dims if abs(ord) == 1 else dims[::-1]
    if not keepdim and other > summed:
        other -= 1
    sums = vector_norm(A, 1, summed, keepdim)
    return _extreme(sums, other, keepdim, ord > 0)


@composite(method=False, namespaces=("linalg",))
def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition numbers of matrices: the norm times that of the inverse.

    Args:
        A: any batch of m×n; square, unless ``p`` is None, 2 or -2.
        p: the norm, as in `matrix_norm`; None means 2.

    Returns:
        Real; infinite for singular matrices.

    Raises:
        RuntimeError: there is no such norm; the matrices are not square.

    >>> import devgrad
    >>> devgrad.linalg.cond(devgrad.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if A._array.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    known = p in ("fro", "nuc") if isinstance(p, str) else p is None or abs(p) in (1, 2, math.inf)
    if not known:
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not A._array.size:
        kind = A._type.with_dtype(A._type.dtype.to_real())
        return wrap(kind.xp.zeros(A._array.shape[:-2], kind.array_dtype), kind)
    if p is None or (not isinstance(p, str) and abs(p) == 2):
        check_floating("linalg.svd", A, half=True)
        S = singular_values_of(A)
        greatest, least = S[..., 0], S[..., -1]
        return least / greatest if p == -2 else greatest / least
    check_square(f"linalg.cond(ord={p:g})" if not isinstance(p, str) else f"linalg.cond({p})", A)
    check_floating("linalg.cond", A)
    inverted, info = inverse.function(A)
    invertible = info == 0
    inverted = where.function(invertible[..., None, None], inverted, 0.0)
    product = matrix_norm(A, p) * matrix_norm(inverted, p)
    return where.function(invertible, product, math.inf)
