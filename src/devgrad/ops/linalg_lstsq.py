"""Least squares, pseudo-inverses, ranks; singular values of what is nearly of low rank.

The derivative of the pseudo-inverse is that of Golub and Pereyra ("The Differentiation of
Pseudo-Inverses and Nonlinear Least Squares Problems Whose Variables Separate", 1973). It holds
where the rank does not change.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ._errors import broadcast_mismatch
from ._matrices import (
    H,
    LinAlgError,
    check_matrices,
    first_failure,
    same_batch,
)
from ._op import Array, Arrays, _result_type, composite, op
from .linalg_factors import qr_of
from .linalg_spectra import eigenvalues_of, singular_values_of, svd_of
from .views import unsqueeze

__all__: list[str] = []


# --- pseudo-inverses ------------------------------------------------------------------------------


def _tolerance(A: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """``atol`` and ``rtol`` as floats or arrays; those left out as PyTorch chooses them."""
    lower = atol._array if isinstance(atol, Tensor) else 0.0 if atol is None else float(atol)
    if rtol is not None:
        return lower, rtol._array if isinstance(rtol, Tensor) else float(rtol)
    default = (2.0**-52 if A.dtype.to_real().itemsize == 8 else 2.0**-23) * max(A.shape[-2:])
    if isinstance(atol, Tensor):
        return lower, A._type.xp.where(lower > 0, 0.0, default).astype(A.real.dtype.array_dtype)
    return lower, 0.0 if lower > 0 else default


@op(name="linalg_pinv", function=False, method=False)
def pinv_of(xp: Any, A: Array, atol: Any, rtol: Any, hermitian: bool) -> Array:
    """The pseudo-inverse, without the singular values below the tolerances."""
    if not A.size:
        return xp.zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype)
    if hermitian:
        S, U = xp.lapack.eigh(A, "L")
        size, Vh = xp.abs(S), H(U)
        largest = size.max(axis=-1)
    else:
        U, S, Vh = xp.lapack.svd(A, False)
        size, largest = S, S[..., 0]
    kept = size > xp.maximum(atol, rtol * largest)[..., None]
    inverted = xp.where(kept, 1 / xp.where(kept, S, 1), 0).astype(S.dtype)
    return xp.matmul(H(Vh) * inverted[..., None, :], H(U))


def _pinv_rule(g: Any, A: Any, P: Any) -> Any:
    """Of the gradient of the pseudo-inverse ``P`` of ``A``, that of ``A``."""
    m, n = A.shape[-2:]
    turned, back = H(P), H(g)
    if m <= n:
        K = back @ P
        onto = K @ turned
        return -H(P @ K) + onto - (A @ P) @ onto + (turned @ P) @ (back - K @ A)
    K = P @ back
    onto = turned @ K
    return -H(K @ P) + (back - A @ K) @ P @ turned + onto - (onto @ P) @ A


pinv_of.vjp(A=lambda g, A, out: _pinv_rule(g, A, out))


@composite(method=False, namespaces=("linalg",))
def pinv(
    A: Tensor, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """The pseudo-inverse (Moore and Penrose's).

    Args:
        A: any batch of m×n. atol, rtol: singular values not greater than ``atol``, or ``rtol``
            times the greatest, count as 0; numbers or tensors, one for each matrix. ``rtol`` is
            max(m, n) times the dtype's eps, unless ``atol`` is given.
        rcond: the former name of ``rtol``. hermitian: A is Hermitian; its lower triangle is read.

    Returns:
        n×m.

    Raises:
        RuntimeError: A is no floating-point or complex matrix. LinAlgError: the singular values
            are not found.

    >>> import devgrad
    >>> devgrad.linalg.pinv(devgrad.tensor([[2.0, 0.0]]))
    tensor([[0.5000],
            [0.0000]])
    """
    dtype = A._type.dtype
    if A._array.ndim < 2 or dtype.category < 2 or dtype.itemsize == 2:
        raise RuntimeError(
            f"linalg.pinv({dtype.title}{{{list(A._array.shape)}}}): expected a tensor with 2 or "
            "more dimensions of float, double, cfloat or cdouble types"
        )
    if hermitian:
        _square_for_eigh(A)
    lower, relative = _tolerance(A, atol, rcond if rcond is not None else rtol)
    return pinv_of.function(A, lower, relative, hermitian)


def _square_for_eigh(A: Tensor) -> None:
    m, n = A._array.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"linalg.eigh: A must be batches of square matrices, but they are {m} by {n} matrices"
        )


@composite(out=False)
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse; see `devgrad.linalg.pinv`.

    >>> import devgrad
    >>> devgrad.pinverse(devgrad.tensor([[2.0, 0.0]]))
    tensor([[0.5000],
            [0.0000]])
    """
    return pinv(input, rcond)


@composite(method=False, namespaces=("linalg",))
def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """How many singular values are not 0 but for rounding.

    Args:
        A: any batch of m×n. atol, rtol, hermitian: as in `pinv`. tol: the former name of ``atol``.

    Returns:
        int64, one for each matrix.

    Raises:
        RuntimeError: A is no floating-point or complex matrix.

    >>> import devgrad
    >>> devgrad.linalg.matrix_rank(devgrad.ones(3, 3))
    tensor(1)
    """
    if A._type.dtype.category < 2 or A._type.dtype.itemsize == 2:
        raise RuntimeError("This function doesn't handle types other than float and double")
    check_matrices("torch.linalg.matrix_rank", A, "input")
    if hermitian:
        _square_for_eigh(A)
    if tol is not None:
        atol, rtol = tol, 0.0
    lower, relative = _tolerance(A, atol, rtol)
    A = A.detach()
    if not A._array.size:
        kind = A._type.device.types[A._type.xp.dtype("int64")]
        return wrap(kind.xp.zeros(A._array.shape[:-2], kind.array_dtype), kind)
    S = eigenvalues_of(A).abs() if hermitian else singular_values_of(A)
    xp, values = S._type.xp, S._array
    limit = xp.maximum(lower, relative * values.max(axis=-1))
    kind = S._type.device.types[xp.dtype("int64")]
    ranks = xp.add.reduce(values > limit[..., None], axis=-1, dtype=kind.array_dtype)
    return wrap(kind.asarray(ranks), kind)


# --- least squares --------------------------------------------------------------------------------


@op(name="linalg_lstsq", outputs=("solution", "rank", "singular_values"), function=False,
    method=False)  # fmt: skip
def _least_squares(xp: Any, operands: Arrays, rcond: float) -> Any:
    """The shortest X of those for which ``A X`` is nearest to B."""
    A, B = same_batch(xp, *operands)
    if not A.size:
        x = xp.zeros((*A.shape[:-2], A.shape[-1], B.shape[-1]), A.dtype)
        return [x, xp.zeros(A.shape[:-2], xp.int64), xp.zeros((*A.shape[:-2], 0), A.real.dtype)]
    U, S, Vh = xp.lapack.svd(A, False)
    kept = rcond * S[..., :1] < S
    scale = xp.where(kept, 1 / xp.where(kept, S, 1), 0).astype(S.dtype)
    x = xp.matmul(H(Vh), scale[..., :, None] * xp.matmul(H(U), B))
    return [x, xp.add.reduce(kept, axis=-1, dtype=xp.int64), S]


def _least_squares_rule(g: Any, operands: Any, rcond: float) -> Any:
    A, B = operands
    P = pinv_of(A, 0.0, rcond, False)
    return [_pinv_rule(g @ H(B), A, P), H(P) @ g]


_least_squares.vjp(operands=_least_squares_rule)

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")
_LSTSQ = _result_type("linalg_lstsq", ("solution", "residuals", "rank", "singular_values"))


def _check_lstsq(A: Tensor, B: Tensor, driver: str | None) -> bool:
    """Whether ``B`` is vectors."""
    name = "torch.linalg.lstsq"
    a, b = A._array, B._array
    if a.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if b.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if A._type.dtype is not B._type.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{A._type.dtype.title} and other's dtype {B._type.dtype.title}"
        )
    if driver is not None and driver not in _DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    if A._type.dtype.category < 2 or A._type.dtype.itemsize == 2:
        raise RuntimeError("This function doesn't handle types other than float and double")
    vectors = b.ndim == 1 or (a.ndim - 1 == b.ndim and a.shape[:-1] == b.shape)
    row = -1 if vectors else -2
    if a.shape[-2] != b.shape[row]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size({row})")
    problem = broadcast_mismatch(a.shape[:-2], b.shape[: -1 if vectors else -2])
    if problem:
        raise RuntimeError(f"{problem}. {name} was given batches of shapes {a.shape} and {b.shape}")
    return vectors


@composite(method=False, namespaces=("linalg",))
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """The X that brings ``A X`` nearest to ``B``, for each column; of several, the shortest.

    Args:
        A: any batch of m×n. B: m×k, or vectors of m; of the same dtype.
        rcond: singular values not greater than ``rcond`` times the greatest count as 0; max(m, n)
            times the dtype's eps if left out.
        driver: ``"gelsy"`` (the default), ``"gelsd"``, ``"gelss"``: here one method, by singular
            values; the results have the fields that PyTorch's have. ``"gels"`` takes A to have
            full rank.

    Returns:
        ``(solution, residuals, rank, singular_values)``: n×k; the squares of the distances, where
        m > n and A has full rank (not with gelsy); the ranks (not with gels); the singular values
        (with gelsd and gelss). What there is not is empty.

    Raises:
        RuntimeError: shapes or dtypes do not fit; there is no such driver.
        LinAlgError: the driver is gels and a matrix has not full rank.

    >>> import devgrad
    >>> A = devgrad.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> devgrad.linalg.lstsq(A, devgrad.tensor([[1.0], [3.0], [5.0]])).solution.round(decimals=4)
    tensor([[1.],
            [2.]])
    """
    vectors = _check_lstsq(A, B, driver)
    driver = driver or "gelsy"
    m, n = A._array.shape[-2:]
    limit = _tolerance(A, None, None)[1] if rcond is None else float(rcond)
    right = unsqueeze.function(B, -1) if vectors else B
    x, rank, S = _least_squares.function((A, right), limit)
    missing = rank._array < min(m, n)
    full = not bool(missing.any())
    if driver == "gels" and not full:
        where, k = first_failure(missing * (rank._array + 1))
        raise LinAlgError(
            f"torch.linalg.lstsq: {where}The least squares solution could not be computed because "
            f"the input matrix does not have full rank (error code: {k}). The other drivers do "
            "not need it"
        )
    residuals = (x.real if x.is_complex() else x).reshape(-1)[:0]
    if m > n and full and driver != "gelsy":
        away = A @ x - right
        residuals = ((away * away.conj()).real if away.is_complex() else away * away).sum(-2)
    return _LSTSQ(
        x[..., 0] if vectors else x,
        residuals,
        _empty(rank) if driver == "gels" else rank,
        S if driver in ("gelsd", "gelss") else _empty(S),
    )


def _empty(like: Tensor) -> Tensor:
    return wrap(like._type.xp.empty((0,), like._type.array_dtype), like._type)


# --- low rank -------------------------------------------------------------------------------------


def _basis(A: Tensor, q: int, niter: int) -> Tensor:
    """About the space of the greatest q singular values: Halko, Martinsson and Tropp, "Finding
    Structure with Randomness" (2009), algorithm 5.1."""
    start = A.new_empty((A._array.shape[-1], q)).normal_()
    Q = qr_of.function(A @ start, "reduced")[0]
    for _ in range(niter):
        Q = qr_of.function(A.mH @ Q, "reduced")[0]
        Q = qr_of.function(A @ Q, "reduced")[0]
    return Q


@composite(method=False, out=False)
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The greatest singular values of ``A``, with their vectors, by a random method.

    Args:
        A: any batch of m×n, nearly of a rank below ``q``. niter: rounds that sharpen the result.
        M: to be taken from A first.

    Returns:
        ``(U, S, V)``: m×q, q and n×q. They depend on `devgrad.manual_seed`.

    >>> import devgrad
    >>> A = devgrad.outer(devgrad.arange(1.0, 9.0), devgrad.ones(7))
    >>> U, S, V = devgrad.svd_lowrank(A, q=2)
    >>> devgrad.allclose(U @ devgrad.diag(S) @ V.mT, A, atol=1e-4)
    True
    """
    if M is not None:
        A = A - M.broadcast_to(A.shape)
    wide = A._array.shape[-2] < A._array.shape[-1]
    if wide:
        A = A.mH
    Q = _basis(A, 6 if q is None else q, 2 if niter is None else niter)
    U, S, Vh = svd_of.function(Q.mH @ A, False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


@composite(method=False, out=False)
def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """The principal components of m samples of n features, by `svd_lowrank`.

    Args:
        A: any batch of m×n. q: how many; the least of 6, m and n if left out.
        center: take each feature's mean from it first.

    Returns:
        ``(U, S, V)``: the principal directions are the columns of V, n×q.

    Raises:
        ValueError: ``q`` or ``niter`` is out of range.

    >>> import devgrad
    >>> U, S, V = devgrad.pca_lowrank(devgrad.arange(12.0).reshape(4, 3), q=1)
    >>> V.abs()
    tensor([[0.5774],
            [0.5774],
            [0.5774]])
    """
    m, n = A._array.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
