"""Cholesky, QR and LU decompositions, with the products and equations that are made of them.

Derivatives: Cholesky after Murray ("Differentiation of the Cholesky Decomposition", 2016); QR
after Walter and Lehmann ("Walter, Lehmann and Lamour: On Evaluating Higher-Order Derivatives of
the QR Decomposition of Tall Matrices", 2012) and, for wide matrices, Roberts and Roberts ("QR and
LQ Decomposition Matrix Backpropagation Algorithms", 2020); LU after de Hoog, Anderssen and Lukas
("Differentiation of Matrix Functionals Using Triangular Factorization", 2011).
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._matrices import (
    H,
    LinAlgError,
    check_floating,
    check_kernel,
    check_matrices,
    check_same_dtype,
    check_square,
    diagonal_of,
    first_failure,
    identity,
    inner_columns,
    no_derivative,
    with_diagonal,
)
from ._op import Array, composite, op
from .joining import cat
from .linalg_equations import check_right_side, right_triangular, singular, triangular
from .shaping import tril, triu

__all__ = ["qr_of"]


# --- Cholesky -------------------------------------------------------------------------------------


@op(name="linalg_cholesky_ex", outputs=("L", "info"), function=False, method=False)
def _cholesky(xp: Any, A: Array, upper: bool, strict: str | None = None) -> Any:
    check_kernel("cholesky", A)
    factor, info = xp.lapack.cholesky(A, upper)
    if strict is not None and info.any():
        where, k = first_failure(info)
        raise LinAlgError(
            f"{strict}: {where}The factorization could not be completed because the input is not "
            f"positive-definite (the leading minor of order {k} is not positive-definite)."
        )
    return [factor, info]


def _cholesky_rule(g: Any, L: Any, upper: bool) -> Any:
    if upper:
        L, g = H(L), H(g)
    turn = inner_columns(L, g)
    left = triangular(H(L), tril(turn) + H(tril(turn, -1)), upper=True)
    return right_triangular(L, left, upper=False) * 0.5


_cholesky.vjp(A=_cholesky_rule)


@composite(method=False, namespaces=("linalg",))
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """`cholesky`, and for each matrix an int: 0, or the order of the minor where it fails.

    Returns:
        ``(L, info)``.

    Raises:
        LinAlgError: a matrix is not positive definite, and ``check_errors`` is set.

    >>> import devgrad
    >>> devgrad.linalg.cholesky_ex(devgrad.tensor([[1.0, 2.0], [2.0, 1.0]])).info
    tensor(2, dtype=torch.int32)
    """
    check_square("linalg.cholesky", A)
    check_floating("linalg.cholesky", A, half=True)
    return _cholesky.function(A, upper, "linalg.cholesky_ex" if check_errors else None)


@composite(method=False, namespaces=("linalg",))
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L of ``A = L L^H``; with ``upper=True`` the upper U of ``U^H U``.

    Args:
        A: any batch of Hermitian positive-definite n×n; one triangle is looked at.

    Raises:
        LinAlgError: a matrix is not positive definite. RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.cholesky(devgrad.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    check_square("linalg.cholesky", A)
    check_floating("linalg.cholesky", A, half=True)
    result: Tensor = _cholesky.function(A, upper, "linalg.cholesky")[0]
    return result


def _former_cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """PyTorch's former `linalg.cholesky`.

    Args:
        input: any batch of Hermitian positive-definite n×n.

    Raises:
        LinAlgError: a matrix is not positive definite.

    >>> import devgrad
    >>> devgrad.cholesky(devgrad.eye(1) * 9)
    tensor([[3.]])
    """
    check_square("cholesky", input)
    result: Tensor = _cholesky.function(input, upper, "cholesky")[0]
    return result


_former_cholesky.__name__ = "cholesky"
composite(_former_cholesky)


@composite
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X of ``A X = B``, given the Cholesky factor ``L`` of A.

    Args:
        B: any batch of n×k. L: any batch of n×n triangles; ``upper`` says which.

    Raises:
        RuntimeError: shapes do not fit.

    >>> import devgrad
    >>> devgrad.cholesky_solve(devgrad.ones(2, 1), devgrad.eye(2) * 2)
    tensor([[0.2500],
            [0.2500]])
    """
    for name, x in (("b", B), ("u", L)):
        if x._array.ndim < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {x._array.ndim} dimensions "
                "instead"
            )
    m, n = L._array.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"A must be batches of square matrices, but they are {m} by {n} matrices"
        )
    check_right_side("cholesky_solve", L, B)
    check_same_dtype("cholesky_solve", B, L, ("b", "A"))
    check_kernel("cholesky_solve", L._array)
    first, second = (H(L), L) if upper else (L, H(L))
    return triangular(second, triangular(first, B, upper=False), upper=True)


@composite
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of A, given its Cholesky factor ``L``.

    Args:
        L: any batch of n×n triangles; ``upper`` says which.

    Raises:
        LinAlgError: there is a zero on a diagonal. RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.cholesky_inverse(devgrad.eye(1) * 2)
    tensor([[0.2500]])
    """
    check_square("cholesky_inverse", L)
    check_kernel("cholesky_inverse_out", L._array)
    info = L._type.xp.lapack._first_zero(L._array)
    if info.any():
        raise singular("cholesky_inverse", info)
    return cholesky_solve(identity.function(L), L, upper)


# --- QR -------------------------------------------------------------------------------------------


@op(name="linalg_qr", outputs=("Q", "R"), differentiable=2, function=False, method=False)
def qr_of(xp: Any, A: Array, form: str) -> Any:
    """Q and R; without Q (an empty one) for ``"r"``."""
    check_kernel("geqrf", A)
    if form == "r":
        return [xp.empty((0,), A.dtype), xp.lapack.qr(A, "r")]
    return xp.lapack.qr(A, form)


def _qr_rule(g: Any, Q: Any, R: Any, form: str) -> Any:
    if form == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
            "Please use linalg.qr(A, mode='reduced') if you are going to differentiate through "
            "linalg.qr."
        )
    m, n = Q.shape[-2], R.shape[-1]
    if form == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    g_q, g_r = g
    # What the two say about a rotation of Q's columns, which R undoes.
    turn = None if g_r is None else g_r @ H(R)
    if g_q is not None:
        by_q = inner_columns(Q, g_q)
        turn = -by_q if turn is None else turn - by_q
    if m >= n:
        upper = triu(turn)
        inner = upper + H(upper) - with_diagonal(diagonal_of(upper).real)
        g_a = Q @ inner
        return right_triangular(H(R), g_a if g_q is None else g_a + g_q, upper=False)
    # Wide: the square part in front decides Q, the rest follows it.
    skew = tril(H(turn) - turn)
    skew = skew - with_diagonal(diagonal_of(skew) * 0.5)
    front = Q @ right_triangular(H(R[..., :m]), skew, upper=False)
    padded = cat([front, _nothing(front, n - m)], -1)
    return padded if g_r is None else padded + Q @ g_r


qr_of.vjp(A=_qr_rule)


@op(function=False, method=False)
def _nothing(xp: Any, input: Array, columns: int) -> Array:
    """Zeros: as many rows as ``input`` has, and so many columns."""
    return xp.zeros((*input.shape[:-1], columns), input.dtype)


_nothing.vjp(input=None)


@composite(method=False, namespaces=("linalg",))
def qr(A: Tensor, mode: str = "reduced") -> Any:
    """An orthonormal Q and an upper triangular R with ``A = Q R``.

    Args:
        A: any batch of m×n; k is the lesser of m and n.
        mode: ``"reduced"``: Q is m×k, R k×n; ``"complete"``: m×m and m×n; ``"r"``: an empty Q.

    Returns:
        ``(Q, R)``.

    Raises:
        RuntimeError: there is no such mode; and in a backward pass where Q is missing, or not
            determined (``"complete"`` and m > n).

    >>> import devgrad
    >>> Q, R = devgrad.linalg.qr(devgrad.tensor([[3.0], [4.0]]))
    >>> R.abs()
    tensor([[5.]])
    """
    check_matrices("linalg.qr", A)
    check_floating("linalg.qr", A, half=True)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    return qr_of.function(A, mode)


def _former_qr(input: Tensor, some: bool = True) -> Any:
    """PyTorch's former `linalg.qr`; ``some=False`` is its mode ``"complete"``.

    >>> import devgrad
    >>> devgrad.qr(devgrad.ones(3, 2)).Q.shape
    torch.Size([3, 2])
    """
    return qr(input, "reduced" if some else "complete")


_former_qr.__name__ = "qr"
composite(_former_qr)


@op(outputs=("a", "tau"), differentiable=2)
def geqrf(xp: Any, input: Array) -> Any:
    """The QR decomposition as LAPACK leaves it: R, and below it the Householder vectors.

    Args:
        input: any batch of m×n.

    Returns:
        ``(a, tau)``: m×n, and the vectors' factors, min(m, n) of them; see
        `linalg.householder_product`. They have no derivative: a backward pass raises.

    Raises:
        RuntimeError: there are fewer than two dimensions.

    >>> import devgrad
    >>> devgrad.geqrf(devgrad.ones(3, 2)).tau.shape
    torch.Size([2])
    """
    if input.ndim < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    check_kernel("geqrf", input)
    return xp.lapack.geqrf(input)


geqrf.vjp(input=no_derivative("geqrf"))


# --- products of Householder reflections ----------------------------------------------------------


@op(function=False, method=False)
def _identity_columns(xp: Any, input: Array) -> Array:
    """The first columns of the identity, in the shape of ``input``."""
    m, n = input.shape[-2:]
    return xp.broadcast_to(xp.eye(m, n, dtype=input.dtype), input.shape)


_identity_columns.vjp(input=None)


def _reflectors(input: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """V and T with ``(I - tau_1 v_1 v_1^H) ... (I - tau_k v_k v_k^H) = I - V T V^H``.

    T is ``(I + diag(tau) striu(V^H V))^-1 diag(tau)`` (Puglisi, "Modification of the Householder
    Method Based on the Compact WY Representation", 1992), so that all reflections are made in two
    products, and every derivative follows.
    """
    k = tau._array.shape[-1]
    below = tril.function(input[..., :k], -1)
    V = below + _identity_columns(below)
    scale = tau[..., :, None]
    inner = scale * triu.function(inner_columns(V, V), 1)
    return V, triangular(inner, with_diagonal(tau), upper=True, unit=True)


@composite(method=False, namespaces=("linalg",))
def householder_product(A: Tensor, tau: Tensor) -> Tensor:
    """The first columns of a product of Householder reflections.

    Args:
        A: any batch of m×n, n ≤ m: below the diagonal of each column, a vector (whose diagonal
            element is 1). tau: the vectors' factors, at most n.

    Returns:
        m×n: the first columns of the product of ``I - tau_i v_i v_i^H``.

    Raises:
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> devgrad.linalg.householder_product(*devgrad.geqrf(devgrad.eye(2))).abs()
    tensor([[1., 0.],
            [0., 1.]])
    """
    name = "torch.linalg.householder_product"
    a, t = A._array, tau._array
    if a.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    m, n = a.shape[-2:]
    if m < n:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    _check_tau(name, A, tau)
    if n < t.shape[-1]:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    check_kernel("orgqr", a)
    V, T = _reflectors(A, tau)
    product = V @ (T @ H(V[..., :n, :]))
    return _identity_columns(product) - product


def _orgqr(input: Tensor, tau: Tensor) -> Tensor:
    """LAPACK's name for `linalg.householder_product`.

    >>> import devgrad
    >>> devgrad.orgqr(devgrad.eye(2), devgrad.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    return householder_product(input, tau)


_orgqr.__name__ = "orgqr"
composite(_orgqr)


def _check_tau(name: str, input: Tensor, tau: Tensor) -> None:
    a, t = input._array, tau._array
    if t.ndim != a.ndim - 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal "
            f"to {t.ndim} and input.ndim is equal to {a.ndim}"
        )
    if t.shape[:-1] != a.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(t.shape[:-1])}"
        )
    if a.dtype != t.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau._type.dtype.title} does not match input dtype "
            f"{input._type.dtype.title}"
        )


@composite
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """A matrix times the square Q of Householder reflections, without making Q.

    Args:
        input, tau: as `geqrf` gives them. other: a matrix; same batch.
        left: ``Q other``, else ``other Q``. transpose: take the adjoint of Q.

    Raises:
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> devgrad.ormqr(*devgrad.geqrf(devgrad.eye(2)), devgrad.ones(2, 1)).abs()
    tensor([[1.],
            [1.]])
    """
    name = "torch.ormqr"
    for what, x in (("input", input), ("other", other)):
        if x._array.ndim < 2:
            raise RuntimeError(f"{name}: {what} must have at least 2 dimensions.")
    side = -2 if left else -1
    size, (m, n), t = other._array.shape[side], input._array.shape[-2:], tau._array.shape
    _check_tau(name, input, tau)
    if size != m:
        raise RuntimeError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    if t[-1] != min(size, n):
        raise RuntimeError(
            f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])"
        )
    if other._array.shape[:-2] != input._array.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
            f"{list(other._array.shape[:-2])}"
        )
    check_same_dtype(name, input, other, ("input", "other"))
    check_kernel("ormqr", input._array)
    V, T = _reflectors(input, tau)
    T = T.mH if transpose else T
    if left:
        return other - V @ (T @ inner_columns(V, other))
    return other - H(V @ (H(T) @ inner_columns(V, H(other))))
