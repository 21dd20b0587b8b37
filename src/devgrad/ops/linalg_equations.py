"""Linear equations and inverses.

The derivatives are Giles's ("Collected Matrix Derivative Results for Forward and Reverse Mode
Algorithmic Differentiation", 2008): where ``X`` solves ``A X = B``, the gradient of B is the
solution for ``A^H`` and the gradient of X, and that of A is minus its product with ``X^H``. Both
come from one rule, so that the equation is solved once; that is why these operations take their
operands as a pair.
"""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ._errors import broadcast_mismatch
from ._matrices import (
    H,
    LinAlgError,
    check_floating,
    check_kernel,
    check_matrices,
    check_same_dtype,
    check_solvable,
    check_square,
    first_failure,
    same_batch,
)
from ._op import Array, Arrays, _result_type, composite, op
from .shaping import tril, triu
from .transposing import movedim
from .views import reshape

__all__ = ["check_right_side", "inv", "inverse", "right_triangular", "singular", "solution",
           "solve", "triangular"]  # fmt: skip


# --- inverses -------------------------------------------------------------------------------------


def singular(name: str, info: Any) -> LinAlgError:
    """The error for a matrix that was to be inverted."""
    where, k = first_failure(info)
    return LinAlgError(
        f"{name}: {where}The diagonal element {k} is zero, the inversion could not be completed "
        "because the input matrix is singular. (The element is that of U in its LU decomposition; "
        "linalg.pinv has an answer for singular matrices)"
    )


@op(name="linalg_inv_ex", outputs=("inverse", "info"), function=False, method=False)
def inverse(xp: Any, A: Array, strict: str | None = None) -> Any:
    """The inverse and infos; with ``strict``, a name to complain by, singular matrices raise."""
    result, info = xp.lapack.inv(A)
    if strict is not None and info.any():
        raise singular(strict, info)
    return [result, info]


def _inverse_rule(g: Any, inverse: Any) -> Any:
    turned = H(inverse)
    return -(turned @ (g @ turned))


inverse.vjp(A=_inverse_rule)


def _inverted(name: str, A: Any, strict: str | None) -> Any:
    check_square(name, A)
    check_floating(name, A)
    return inverse.function(A, strict)


@composite(method=False, namespaces=("linalg",))
def inv(A: Tensor) -> Tensor:
    """The inverses of square matrices.

    Args:
        A: any batch of n×n, floating point or complex.

    Raises:
        LinAlgError: a matrix is singular. RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.inv(devgrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return _inverted("linalg.inv", A, "linalg.inv")[0]


@composite(method=False, namespaces=("linalg",))
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """The inverses, and for each an int that is 0 where there is one.

    Returns:
        ``(inverse, info)``; what the inverse of a singular matrix is, is not said.

    Raises:
        LinAlgError: a matrix is singular, and ``check_errors`` is set.

    >>> import devgrad
    >>> devgrad.linalg.inv_ex(devgrad.zeros(2, 2)).info
    tensor(1, dtype=torch.int32)
    """
    return _inverted("linalg.inv", A, "linalg.inv_ex" if check_errors else None)


@composite(method=False, namespaces=("linalg",))
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of `tensordot` with ``A`` over its last dimensions.

    Args:
        A: its first ``ind`` dimensions hold as many elements as the others.

    Raises:
        RuntimeError: they do not. LinAlgError: there is no inverse.

    >>> import devgrad
    >>> devgrad.linalg.tensorinv(devgrad.eye(6).reshape(2, 3, 6), ind=2).shape
    torch.Size([6, 2, 3])
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    first, last = A._array.shape[:ind], A._array.shape[ind:]
    rows, columns = math.prod(first), math.prod(last)
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    found = _inverted("inv", reshape(A, (columns, rows)), "inv")[0]
    return reshape(found, (*last, *first))


# --- equations ------------------------------------------------------------------------------------


@op(name="linalg_solve_ex", outputs=("result", "info"), function=False, method=False)
def solution(xp: Any, operands: Arrays, strict: str | None = None) -> Any:
    """The X of ``A X = B`` for the operands A and B, whose batches broadcast; and infos."""
    A, B = operands
    check_kernel("lu", A)
    x, info = xp.lapack.solve(*same_batch(xp, A, B))
    if strict is not None and info.any():
        raise LinAlgError(
            f"torch.{strict}: {first_failure(info)[0]}The solver failed because the input matrix "
            "is singular. linalg.lstsq has an answer for singular matrices"
        )
    return [x, info]


def _solution_rule(g: Any, operands: Any, result: Any) -> Any:
    B = solution((H(operands[0]), g))[0]
    return [-(B @ H(result)), B]


solution.vjp(operands=_solution_rule)


def _solved(name: str, A: Any, B: Any, left: bool, strict: str | None) -> tuple[Tensor, Tensor]:
    check_square("linalg.solve", A)
    check_floating("linalg.solve", A, half=True)
    check_same_dtype("linalg.solve", A, B)
    a, b = A._array.shape, B._array.shape
    # PyTorch's rule for when B is vectors.
    vectors = len(b) == 1 or (len(a) - 1 == len(b) and a[:-1] == b)
    right = B[..., None] if vectors else B
    check_solvable("linalg.solve", A, right, left)
    problem = broadcast_mismatch(right._array.shape[:-2], a[:-2])
    if problem:
        raise RuntimeError(f"{problem}. {name} was given batches of shapes {a[:-2]} and {b[:-2]}")
    if left:
        x, info = solution.function((A, right), strict)
    else:
        x, info = solution.function((A.mT, right.mT), strict)
        x = x.mT
    return (x[..., 0] if vectors else x), info


@composite(method=False, namespaces=("linalg",))
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X of ``A X = B``; with ``left=False``, of ``X A = B``.

    Args:
        A: any batch of n×n. B: n×k, or with ``left=False`` k×n, or vectors of n; of the same
            dtype. The batches broadcast.

    Raises:
        LinAlgError: a matrix is singular. RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> A, b = devgrad.tensor([[3.0, 1.0], [1.0, 2.0]]), devgrad.tensor([9.0, 8.0])
    >>> devgrad.linalg.solve(A, b)
    tensor([2., 3.])
    """
    return _solved("linalg.solve", A, B, left, "linalg.solve")[0]


@composite(method=False, namespaces=("linalg",))
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """`solve`, and for each matrix an int that is 0 if it is not singular.

    Returns:
        ``(result, info)``.

    Raises:
        LinAlgError: a matrix is singular, and ``check_errors`` is set.

    >>> import devgrad
    >>> devgrad.linalg.solve_ex(devgrad.eye(2), devgrad.ones(2)).result
    tensor([1., 1.])
    """
    strict = "linalg.solve_ex" if check_errors else None
    return solution.result_type(*_solved("linalg.solve_ex", A, B, left, strict))


@composite(method=False, namespaces=("linalg",))
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None) -> Tensor:
    """The X whose `tensordot` with ``A`` over X's dimensions is ``B``.

    Args:
        A: the shape of B, and then that of X; as many elements in both.
        dims: dimensions of A to be moved to its end first.

    Raises:
        RuntimeError: shapes do not fit. LinAlgError: there is no single solution.

    >>> import devgrad
    >>> devgrad.linalg.tensorsolve(devgrad.eye(6).reshape(2, 3, 6), devgrad.ones(2, 3)).shape
    torch.Size([6])
    """
    if dims is not None:
        A = movedim(A, tuple(dims), tuple(range(A._array.ndim - len(dims), A._array.ndim)))
    shape = A._array.shape[B._array.ndim :]
    rows = math.prod(B._array.shape)
    x = solve(reshape(A, (rows, rows)), reshape(B, (rows,)))
    return reshape(x, shape)


# --- triangles ------------------------------------------------------------------------------------


@op(name="linalg_solve_triangular", function=False, method=False)
def _triangular(xp: Any, operands: Arrays, upper: bool, unit: bool) -> Array:
    A, B = operands
    check_kernel("triangular_solve", A)
    return xp.lapack.solve_triangular(A, B, upper, unit)


def triangular(A: Any, B: Any, upper: bool, unit: bool = False) -> Any:
    """The X of ``A X = B``, of the triangle ``upper`` of A (``unit``: with ones for diagonal)."""
    return _triangular((A, B), upper, unit)


def right_triangular(A: Any, B: Any, upper: bool, unit: bool = False) -> Any:
    """The X of ``X A = B``; see `triangular`."""
    turned = _triangular((A.swapaxes(-2, -1), B.swapaxes(-2, -1)), not upper, unit)
    return turned.swapaxes(-2, -1)


def _triangular_rule(g: Any, operands: Any, out: Any, upper: bool, unit: bool) -> Any:
    B = triangular(H(operands[0]), g, not upper, unit)
    A = -(B @ H(out))
    return [triu(A, int(unit)) if upper else tril(A, -int(unit)), B]


_triangular.vjp(operands=_triangular_rule)


@composite(method=False, namespaces=("linalg",))
def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """`solve` for a triangular ``A``; the other triangle is not looked at.

    Args:
        A: any batch of n×n. B: any batch of n×k, or with ``left=False`` k×n.
        upper: which triangle A is.
        unitriangular: take A's diagonal for ones, and do not look at it either.

    Raises:
        RuntimeError: shapes do not fit. A zero on the diagonal raises nothing: the result is then
            infinite, or NaN.

    >>> import devgrad
    >>> A, B = devgrad.tensor([[2.0, 1.0], [0.0, 4.0]]), devgrad.tensor([[4.0], [8.0]])
    >>> devgrad.linalg.solve_triangular(A, B, upper=True)
    tensor([[1.],
            [2.]])
    """
    name = "linalg.solve_triangular"
    check_square(name, A)
    check_matrices(name, B, "B")
    check_solvable(name, A, B, left)
    check_same_dtype(name, A, B)
    return (triangular if left else right_triangular)(A, B, upper, unitriangular)


_SOLVED = _result_type("triangular_solve", ("solution", "cloned_coefficient"))


@composite
def triangular_solve(
    b: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """PyTorch's former `linalg.solve_triangular`.

    Args:
        b: any batch of n×k. A: any batch of n×n.
        transpose: solve for the conjugate transpose of A.

    Returns:
        ``(solution, cloned_coefficient)``, the second a copy of A.

    Raises:
        RuntimeError: shapes do not fit.

    >>> import devgrad
    >>> devgrad.triangular_solve(devgrad.ones(2, 1), devgrad.eye(2)).solution
    tensor([[1.],
            [1.]])
    """
    for name, x in (("b", b), ("A", A)):
        if x._array.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it "
                f"has {x._array.ndim} dimensions instead"
            )
    check_square("triangular_solve", A)
    check_right_side("triangular_solve", A, b)
    turned = H(A) if transpose else A
    solved = triangular(turned, b, upper != transpose, unitriangular)
    batch = solved._array.shape[:-2]
    return _SOLVED(solved, A.expand((*batch, *A._array.shape[-2:])).clone())


def check_right_side(name: str, A: Tensor, b: Tensor) -> None:
    """Refuse ``b`` if it has not as many rows as ``A``.

    Raises:
        RuntimeError: so it is.
    """
    n, (m, k) = A._array.shape[-1], b._array.shape[-2:]
    if n != m:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {n} by {n} but each b matrix "
            f"is {m} by {k}"
        )
