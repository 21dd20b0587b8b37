"""LU and LDL decompositions, and the equations solved by them.

The derivative of LU is that of de Hoog, Anderssen and Lukas ("Differentiation of Matrix
Functionals Using Triangular Factorization", 2011).
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ._matrices import (
    H,
    check_batched,
    check_floating,
    check_kernel,
    check_matrices,
    check_same_dtype,
    check_solvable,
    check_square,
    first_failure,
    inner_columns,
    no_derivative,
    plus_identity,
)
from ._op import Array, _result_type, composite, op
from .joining import cat
from .linalg_equations import check_right_side, right_triangular, triangular
from .shaping import tril, triu

__all__: list[str] = []


# --- orders of rows -------------------------------------------------------------------------------


@op(function=False, method=False)
def _row_order(xp: Any, pivots: Array, size: int) -> Array:
    """What order of rows the pivots stand for."""
    return xp.lapack.permutation(pivots, size)


@op(function=False, method=False)
def _in_order(xp: Any, input: Array, order: Array, back: bool) -> Array:
    """The rows of ``input`` in an order; ``back`` undoes that."""
    batch = xp.broadcast_shapes(input.shape[:-2], order.shape[:-1])
    input = xp.broadcast_to(input, (*batch, *input.shape[-2:]))
    order = xp.broadcast_to(order, (*batch, order.shape[-1]))
    if back:
        order = xp.argsort(order, axis=-1)
    return xp.take_along_axis(input, order[..., None], axis=-2)


_in_order.vjp(input=lambda g, order, back: _in_order(g, order, not back))


# --- LU -------------------------------------------------------------------------------------------


@op(name="linalg_lu_factor_ex", outputs=("LU", "pivots", "info"), function=False, method=False)
def _lu(xp: Any, A: Array, strict: str | None = None) -> Any:
    check_kernel("lu", A)
    LU, pivots, info = xp.lapack.lu(A)
    if strict is not None and info.any():
        where, k = first_failure(info)
        raise RuntimeError(
            f"torch.{strict}: {where}U[{k},{k}] is zero and using it on lu_solve would result in "
            "a division by zero. If you still want to perform the factorization, consider calling "
            "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
    return [LU, pivots, info]


def _lu_rule(g: Any, LU: Any, pivots: Any) -> Any:
    m, n = LU.shape[-2:]
    k = min(m, n)
    square = LU[..., :k, :k]
    g_l, g_u = tril(g[..., :, :k], -1), triu(g[..., :k, :])
    L, U = tril(LU[..., :, :k], -1), triu(LU[..., :k, :])
    # L's ones on the diagonal matter for what is below it alone.
    below = inner_columns(plus_identity(L[..., :k, :]), g_l[..., :k, :])
    above = g_u[..., :k] @ H(U[..., :k])
    if m < n:
        below = below - g_u[..., k:] @ H(U[..., k:])
    if m > n:
        above = above - inner_columns(L[..., k:, :], g_l[..., k:, :])
    middle = tril(below, -1) + triu(above)
    if m <= n:
        middle = right_triangular(H(square), middle, upper=False)
        if m < n:
            middle = cat([middle, g_u[..., k:]], -1)
        middle = triangular(H(square), middle, upper=True, unit=True)
    else:
        middle = triangular(H(square), middle, upper=True, unit=True)
        middle = cat([middle, g_l[..., k:, :]], -2)
        middle = right_triangular(H(square), middle, upper=False)
    return _in_order(middle, _row_order(pivots, m), True)


_lu.vjp(A=_lu_rule)


def _check_pivot(A: Tensor, pivot: bool) -> None:
    if not pivot:
        raise RuntimeError(
            "linalg.lu_factor: LU without pivoting is not implemented on the CPU (and here on no "
            "device)"
        )


@composite(method=False, namespaces=("linalg",))
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """The LU decomposition with rows swapped, in one matrix.

    Args:
        A: any batch of m×n; k is the lesser of m and n.

    Returns:
        ``(LU, pivots)``: U on and above the diagonal, L below (its diagonal is ones); and k
        int32: row ``i`` was swapped with row ``pivots[i]``, counted from 1. `lu_solve` and
        `devgrad.lu_unpack` make use of them.

    Raises:
        RuntimeError: U has a zero on the diagonal; ``pivot`` is off.

    >>> import devgrad
    >>> devgrad.linalg.lu_factor(devgrad.tensor([[1.0, 1.0], [2.0, 4.0]]))
    torch.return_types.linalg_lu_factor(
    LU=tensor([[ 2.0000,  4.0000],
            [ 0.5000, -1.0000]]),
    pivots=tensor([2, 2], dtype=torch.int32))
    """
    check_batched("torch.lu_factor", A)
    _check_pivot(A, pivot)
    return _FACTOR(*_lu.function(A, "linalg.lu_factor")[:2])


_FACTOR = _result_type("linalg_lu_factor", ("LU", "pivots"))


@composite(method=False, namespaces=("linalg",))
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """`lu_factor`, and for each matrix an int: 0, or the number of the first zero pivot.

    Returns:
        ``(LU, pivots, info)``.

    Raises:
        RuntimeError: there is such a zero, and ``check_errors`` is set.

    >>> import devgrad
    >>> devgrad.linalg.lu_factor_ex(devgrad.ones(2, 2)).info
    tensor(2, dtype=torch.int32)
    """
    check_batched("torch.lu_factor", A)
    _check_pivot(A, pivot)
    return _lu.function(A, "linalg.lu_factor_ex" if check_errors else None)


def _triangles(LU: Tensor) -> tuple[Tensor, Tensor]:
    m, n = LU._array.shape[-2:]
    k = min(m, n)
    lower = tril.function(LU[..., :, :k], -1)
    ones = _like_identity(lower)
    return lower + ones, triu.function(LU[..., :k, :])


def _like_identity(x: Tensor) -> Tensor:
    xp, (m, n) = x._type.xp, x._array.shape[-2:]
    return wrap(xp.eye(m, n, dtype=x._array.dtype), x._type)


def _permutation(LU: Tensor, pivots: Tensor) -> Tensor:
    m = LU._array.shape[-2]
    xp = LU._type.xp
    rows = wrap(xp.eye(m, dtype=LU._array.dtype), LU._type)
    order = _row_order.function(pivots.detach(), m)
    return _in_order.function(rows, order, True)


@composite(method=False, namespaces=("linalg",))
def lu(A: Tensor, *, pivot: bool = True) -> Any:
    """A permutation P, a lower triangular L and an upper triangular U with ``A = P L U``.

    Args:
        A: any batch of m×n; k is the lesser of m and n.

    Returns:
        ``(P, L, U)``: m×m, m×k with ones on the diagonal, and k×n.

    Raises:
        RuntimeError: ``pivot`` is off.

    >>> import devgrad
    >>> devgrad.linalg.lu(devgrad.tensor([[1.0, 1.0], [2.0, 4.0]])).P
    tensor([[0., 1.],
            [1., 0.]])
    """
    check_batched("linalg.lu", A)
    _check_pivot(A, pivot)
    LU, pivots, _ = _lu.function(A)
    return _LU(_permutation(LU, pivots), *_triangles(LU))


_LU = _result_type("linalg_lu", ("P", "L", "U"))


def _former_lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> Any:
    """PyTorch's former `linalg.lu_factor`, which lets zero pivots pass.

    Returns:
        ``(LU, pivots)``, with ``get_infos`` ``(LU, pivots, info)``.

    >>> import devgrad
    >>> devgrad.lu(devgrad.ones(2, 2))[1]
    tensor([1, 2], dtype=torch.int32)
    """
    check_batched("torch.lu_factor", A)
    _check_pivot(A, pivot)
    found = _lu.function(A)
    return _INFO(*found) if get_infos else tuple(found[:2])


_INFO = _result_type("_lu_with_info", ("LU", "pivots", "info"))
_former_lu.__name__ = "lu"
composite(_former_lu)


_UNPACKED = _result_type("lu_unpack", ("P", "L", "U"))


@composite(method=False)
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """P, L and U from what `linalg.lu_factor` gives.

    Args:
        unpack_data, unpack_pivots: whether L and U, and P, are wanted; else they are empty.

    Raises:
        RuntimeError: the pivots are not int32, or out of range.

    >>> import devgrad
    >>> devgrad.lu_unpack(*devgrad.linalg.lu_factor(devgrad.eye(1) * 3)).U
    tensor([[3.]])
    """
    if unpack_pivots and LU_pivots._type.dtype.name != "int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\nNote: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )
    kind = LU_data._type
    empty = wrap(kind.xp.empty((0,), kind.array_dtype), kind)
    P = L = U = empty
    if unpack_data:
        L, U = _triangles(LU_data)
    if unpack_pivots:
        array = LU_pivots._array
        if array.size and not (array.min() >= 1 and array.max() <= LU_data._array.shape[-2]):
            raise RuntimeError(
                "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."
                "Did you properly pass the result of lu_factor?"
            )
        P = _permutation(LU_data, LU_pivots)
    return _UNPACKED(P, L, U)


@composite(method=False, namespaces=("linalg",))
def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """The X of ``A X = B``, given what `lu_factor` made of A.

    Args:
        LU, pivots: any batch, of n×n. B: any batch of n×k, or with ``left=False`` k×n.
        left: else solve ``X A = B``. adjoint: take the adjoint of A.

    Raises:
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> A, B = devgrad.tensor([[2.0, 0.0], [0.0, 4.0]]), devgrad.ones(2, 1)
    >>> devgrad.linalg.lu_solve(*devgrad.linalg.lu_factor(A), B)
    tensor([[0.5000],
            [0.2500]])
    """
    name = "linalg.lu_solve"
    check_floating(name, LU, half=True)
    check_same_dtype(name, LU, B, ("LU", "B"))
    if pivots._type.dtype.name != "int32":
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_square(name, LU)
    check_matrices(name, B, "B")
    check_solvable(name, LU, B, left)
    n = LU._array.shape[-1]
    if pivots._array.shape[-1:] != (n,):
        raise RuntimeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix"
        )
    if LU._array.shape[:-1] != pivots._array.shape:
        raise RuntimeError(f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but "
                           f"got pivots with shape {list(pivots.shape)} instead")  # fmt: skip
    order = _row_order.function(pivots.detach(), n)
    x = B if left else H(B)
    if left != adjoint:  # A = P L U
        x = triangular(LU, _in_order.function(x, order, False), upper=False, unit=True)
        x = triangular(LU, x, upper=True)
    else:
        x = triangular(H(LU), x, upper=False)
        x = _in_order.function(triangular(H(LU), x, upper=True, unit=True), order, True)
    return x if left else H(x)


def _former_lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """PyTorch's former `linalg.lu_solve`.

    >>> import devgrad
    >>> devgrad.lu_solve(devgrad.ones(1, 1), *devgrad.lu(devgrad.eye(1) * 2))
    tensor([[0.5000]])
    """
    return lu_solve(LU_data, LU_pivots, b)


_former_lu_solve.__name__ = "lu_solve"
composite(_former_lu_solve)


# --- LDL ------------------------------------------------------------------------------------------


@op(name="linalg_ldl_factor_ex", outputs=("LD", "pivots", "info"), differentiable=1,
    function=False, method=False)  # fmt: skip
def _ldl(xp: Any, A: Array, hermitian: bool, strict: str | None = None) -> Any:
    check_kernel("ldl_factor_kernel", A)
    LD, pivots, info = xp.lapack.ldl_factor(A, hermitian)
    if strict is not None and info.any():
        where, k = first_failure(info)
        raise RuntimeError(
            f"torch.{strict}: {where}The factorization has been completed, but block {k} of D is "
            "exactly zero, so that it cannot be used to solve equations. The matrix is singular"
        )
    return [LD, pivots, info]


_ldl.vjp(A=no_derivative("linalg_ldl_factor_ex"))


_LDL = _result_type("linalg_ldl_factor", ("LD", "pivots"))


def _ldl_of(A: Tensor, hermitian: bool, strict: str | None) -> Any:
    name = "torch.linalg.ldl_factor_ex"
    check_square(name, A)
    check_floating(name, A, half=True)
    return _ldl.function(A, hermitian, strict)


@composite(method=False, namespaces=("linalg",))
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """``L D L^T`` of symmetric matrices (``hermitian``: ``L D L^H`` of Hermitian ones), which
    need not be positive definite.

    Args:
        A: any batch of n×n; the lower triangle is looked at.

    Returns:
        ``(LD, pivots)``, as LAPACK packs them, for `ldl_solve`. They have no derivative.

    Raises:
        RuntimeError: a matrix is singular, or not square.

    >>> import devgrad
    >>> devgrad.linalg.ldl_factor(devgrad.tensor([[1.0, 2.0], [2.0, 1.0]])).pivots
    tensor([-2, -2], dtype=torch.int32)
    """
    return _LDL(*_ldl_of(A, hermitian, "linalg.ldl_factor")[:2])


@composite(method=False, namespaces=("linalg",))
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """`ldl_factor`, and for each matrix an int: 0, or the number of a zero block of D.

    Returns:
        ``(LD, pivots, info)``.

    Raises:
        RuntimeError: there is such a block, and ``check_errors`` is set.

    >>> import devgrad
    >>> devgrad.linalg.ldl_factor_ex(devgrad.zeros(2, 2)).info
    tensor(1, dtype=torch.int32)
    """
    return _ldl_of(A, hermitian, "linalg.ldl_factor_ex" if check_errors else None)


@op(name="linalg_ldl_solve", function=False, method=False)
def _ldl_solve(xp: Any, LD: Array, pivots: Array, B: Array, hermitian: bool) -> Array:
    check_kernel("ldl_solve_kernel", LD)
    return xp.lapack.ldl_solve(LD, pivots, B, hermitian)


_ldl_solve.vjp(LD=no_derivative("linalg_ldl_solve"), B=no_derivative("linalg_ldl_solve"))


@composite(method=False, namespaces=("linalg",))
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """The X of ``A X = B``, given what `ldl_factor` made of A. It has no derivative.

    Args:
        B: any batch of n×k.

    Raises:
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> A = devgrad.tensor([[1.0, 2.0], [2.0, 1.0]])
    >>> devgrad.linalg.ldl_solve(*devgrad.linalg.ldl_factor(A), devgrad.tensor([[3.0], [3.0]]))
    tensor([[1.],
            [1.]])
    """
    name = "torch.linalg.ldl_solve"
    check_square(name, LD)
    check_matrices(name, B, "B")
    check_right_side(name, LD, B)
    if B._type.dtype is not LD._type.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {B._type.dtype.title} "
            f"and A of type {LD._type.dtype.title} instead."
        )
    if pivots._type.dtype.category != 1 or LD._array.shape[:-1] != pivots._array.shape:
        raise RuntimeError(
            f"{name}: Expected pivots to be integers of shape {list(LD._array.shape[:-1])}, but "
            f"got {pivots._type.dtype.title} of shape {list(pivots._array.shape)}"
        )
    return _ldl_solve.function(LD, pivots, B, hermitian)
