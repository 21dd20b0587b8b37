"""Functions of matrices: determinants, exponential, powers; and small products of vectors."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._formula import conj, expand_to, zeros_like
from ._layout import as_dim
from ._matrices import (
    H,
    check_floating,
    check_kernel,
    check_same_dtype,
    check_square,
    identity,
)
from ._op import FUNCTIONS, Array, composite, op
from .comparison import where
from .elementwise import log
from .joining import cat
from .linalg_equations import inv, inverse
from .linalg_spectra import svd_of
from .pieces import diagonal
from .scans import cumprod, products_of_others
from .shaping import flip
from .views import embedded

__all__: list[str] = []


# --- determinants ---------------------------------------------------------------------------------


@op(name="linalg_det", function=False, method=False)
def _det(xp: Any, A: Array) -> Array:
    check_kernel("lu", A)
    return xp.lapack.det(A)


def _det_rule(g: Any, A: Any, out: Any) -> Any:
    """Jacobi's formula; where a determinant is 0, with the adjugate in terms of singular values
    (Higham, "What Is the Adjugate of a Matrix?", 2020)."""
    factor = (g * conj(out))[..., None, None]
    if not bool((out == 0).any()):
        return factor * H(inverse(A)[0])
    U, S, Vh = svd_of(A)
    phase = _det(U) * _det(Vh)
    others = products_of_others(S, S.ndim - 1) * (g * conj(phase))[..., None]
    singular = (U * others[..., None, :]) @ Vh
    regular = (out != 0)[..., None, None]
    safe = where(regular, A, identity(A))
    return where(regular, factor * H(inverse(safe)[0]), singular)


_det.vjp(A=_det_rule)


@op(name="linalg_slogdet", outputs=("sign", "logabsdet"), differentiable=2, function=False,
    method=False)  # fmt: skip
def _slogdet(xp: Any, A: Array) -> Any:
    return xp.lapack.slogdet(A)


def _slogdet_rule(g: Any, A: Any, sign: Any) -> Any:
    g_sign, g_log = g
    if A.dtype.kind != "c":
        if g_log is None:
            return zeros_like(A)
        return g_log[..., None, None] * H(inverse(A)[0])
    factor = g_log
    if g_sign is not None:
        turn = conj(g_sign) * sign
        turning = (conj(turn) - turn) * 0.5
        factor = turning if factor is None else factor + turning
    return factor[..., None, None] * H(inverse(A)[0])


_slogdet.vjp(A=_slogdet_rule)


@composite(method=False, namespaces=("linalg",))
def det(A: Tensor) -> Tensor:
    """The determinants of square matrices.

    Args:
        A: any batch of n×n.

    Raises:
        RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.det(devgrad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(-2.)
    """
    check_square("linalg.det", A)
    check_floating("linalg.det", A, half=True)
    return _det.function(A)


def _slogdet_of(name: str, A: Any) -> Any:
    check_square(name, A)
    check_floating(name, A)
    return _slogdet.function(A)


@composite(method=False, namespaces=("linalg",))
def slogdet(A: Tensor) -> Any:
    """The signs of the determinants, and the logarithms of their magnitudes.

    Args:
        A: any batch of n×n.

    Returns:
        ``(sign, logabsdet)``: 0 and -inf for a singular matrix; the sign of a complex determinant
        is a complex number of magnitude 1.

    Raises:
        RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.slogdet(devgrad.eye(2) * -1).sign
    tensor(1.)
    """
    return _slogdet_of("linalg.slogdet", A)


def _by_former_name(function: Any, name: str, doc: str) -> None:
    """Give a function of one matrix its place beside those of tensors: there it is ``input``."""

    def former(input: Tensor) -> Any:
        return function(input)

    former.__name__ = former.__qualname__ = name
    former.__doc__ = doc
    composite(former)


_by_former_name(
    det, "det",
    """The determinants of square matrices; see `devgrad.linalg.det`.

    >>> import devgrad
    >>> devgrad.det(devgrad.eye(2) * 3)
    tensor(9.)
    """,
)  # fmt: skip
_by_former_name(
    slogdet, "slogdet",
    """The determinants as signs and logarithms; see `devgrad.linalg.slogdet`.

    >>> import devgrad
    >>> devgrad.slogdet(devgrad.eye(2)).logabsdet
    tensor(0.)
    """,
)  # fmt: skip
_by_former_name(
    inv, "inverse",
    """The inverses of square matrices; see `devgrad.linalg.inv`.

    >>> import devgrad
    >>> devgrad.inverse(devgrad.eye(1) * 4)
    tensor([[0.2500]])
    """,
)  # fmt: skip


@composite(out=False)
def logdet(input: Tensor) -> Tensor:
    """The logarithms of determinants; NaN where one is negative, -inf where it is 0.

    Args:
        input: any batch of n×n.

    Raises:
        RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.logdet(devgrad.eye(2))
    tensor(0.)
    """
    sign, value = _slogdet_of("logdet", input)
    if sign._type.dtype.is_complex:
        return value + log.function(sign)
    return where.function(sign == -1, float("nan"), value)


# --- exponential and powers -----------------------------------------------------------------------


@op(function=False, method=False)
def _blocks(xp: Any, A: Array, other: Array) -> Array:
    """``[[A, other], [0, A]]``."""
    n = A.shape[-1]
    result = xp.zeros((*A.shape[:-2], 2 * n, 2 * n), A.dtype)
    result[..., :n, :n] = result[..., n:, n:] = A
    result[..., :n, n:] = other
    return result


def _sum_of_blocks(g: Any) -> Any:
    n = g.shape[-1] // 2
    return g[..., :n, :n] + g[..., n:, n:]


def _corner(x: Any) -> Any:
    n = x.shape[-1] // 2
    return x[..., :n, n:]


_blocks.vjp(A=_sum_of_blocks, other=_corner)


@op(name="linalg_matrix_exp", function=False, method=False)
def _matrix_exp(xp: Any, A: Array) -> Array:
    if A.dtype.itemsize == 2:
        return xp.lapack.matrix_exp(A.astype(xp.float32)).astype(A.dtype)
    return xp.lapack.matrix_exp(A)


# The derivative of any function of matrices in a direction is a block of the function of a matrix
# twice the size: Mathias, "A Chain Rule for Matrix Functions and Applications" (1996).
_matrix_exp.vjp(A=lambda g, A: _corner(_matrix_exp(_blocks(H(A), g))))


@composite(namespaces=("", "linalg"), out=False)
def matrix_exp(A: Tensor) -> Tensor:
    """The exponential of square matrices, ``I + A + A A / 2 + ...``.

    Args:
        A: any batch of n×n, floating point or complex.

    Raises:
        RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.matrix_exp(devgrad.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_square("linalg.matrix_exp", A)
    check_floating("linalg.matrix_exp", A, half=True)
    return _matrix_exp.function(A)


@composite(method=False, namespaces=("linalg",))
def matrix_power(A: Tensor, n: int) -> Tensor:
    """``A @ A @ ...``, n times; of the inverse, for a negative ``n``.

    Args:
        A: any batch of square matrices.

    Raises:
        LinAlgError: ``n`` is negative and a matrix singular. RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.matrix_power(devgrad.tensor([[1, 1], [0, 1]]), 5)
    tensor([[1, 5],
            [0, 1]])
    """
    check_square("linalg.matrix_power", A)
    if not hasattr(n, "__index__") or isinstance(n, bool):
        raise TypeError(
            f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}"
        )
    if n == 0:
        return identity.function(A)
    square: Any = inv(A) if n < 0 else A
    result: Any = None
    n = abs(n)
    while True:
        if n & 1:
            result = square if result is None else result @ square
        n >>= 1
        if not n:
            return result.clone() if result is A else result
        square = square @ square


def _former_power(input: Tensor, n: int) -> Tensor:
    """Powers of square matrices; see `devgrad.linalg.matrix_power`.

    >>> import devgrad
    >>> devgrad.matrix_power(devgrad.eye(1) * 2, 3)
    tensor([[8.]])
    """
    return matrix_power(input, n)


_former_power.__name__ = "matrix_power"
composite(_former_power)


# --- vectors --------------------------------------------------------------------------------------


@composite(method=False, namespaces=("linalg",))
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of ``conj(x) * y`` along a dimension.

    Args:
        x, y: of one dtype, floating point or complex; they broadcast.

    Raises:
        RuntimeError: dtypes differ or are no such.

    >>> import devgrad
    >>> devgrad.linalg.vecdot(devgrad.tensor([1.0, 2.0]), devgrad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    check_floating("linalg.vecdot", x, half=True)
    check_same_dtype("linalg.vecdot", x, y, ("x", "y"))
    return (conj(x) * y).sum(dim)


def _powers(x: Tensor, n: int) -> Tensor:
    """``1, x, x^2, ...``, n of them, along a new last dimension."""
    column = x[..., None]
    ones = column.new_ones(column.shape)
    if n <= 1:
        return ones[..., :n]
    repeated = column.expand((*x._array.shape, n - 1))
    return cat.function([ones, cumprod(repeated, -1)], -1)


def _vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers of the elements of vectors, from the 0th on: a Vandermonde matrix for each.

    Args:
        x: any batch of n elements. N: how many powers, n if left out; at least 2 if given.

    Raises:
        RuntimeError: ``N`` is less; x is bool.

    >>> import devgrad
    >>> devgrad.linalg.vander(devgrad.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    dtype = x._type.dtype
    if dtype.kind == "b" or dtype.name == "float16":
        raise RuntimeError(
            "linalg.vander supports floating point, complex, and integer tensors, but got "
            f"{dtype.title}"
        )
    shape = x._array.shape or (1,)
    n = shape[-1] if N is None else N
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")
    return _powers(x if x._array.ndim else x[None], n)


_vander.__name__ = "vander"
composite(_vander, method=False, namespaces=("linalg",))


@composite(method=False, out=False)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector's elements, the highest first: a Vandermonde matrix.

    Args:
        x: n elements. N: how many powers, n if left out. increasing: the lowest first.

    Raises:
        RuntimeError: ``x`` has not one dimension; ``N`` is negative.

    >>> import devgrad
    >>> devgrad.vander(devgrad.tensor([1, 2]), 3)
    tensor([[1, 1, 1],
            [4, 2, 1]])
    """
    if x._array.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x._array.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    if x._type.dtype.category < 2:
        x = x.long()
    powers = _powers(x, n)
    return powers if increasing else flip.function(powers, (-1,))


@op(name="linalg_cross", function=False, method=False)
def _cross(xp: Any, input: Array, other: Array, dim: int) -> Array:
    """Cross products; ``dim`` is counted from the back."""
    if input.dtype.kind == "b":
        raise NotImplementedError("\"cross\" not implemented for 'Bool'")
    front = (slice(None),) * (input.ndim + dim)
    a, b = [[x[(*front, i)] for i in range(3)] for x in (input, other)]
    parts = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return xp.stack(parts, axis=dim)


_cross.vjp(
    input=lambda g, other, dim: _cross(conj(other), g, dim),
    other=lambda g, input, dim: _cross(g, conj(input), dim),
)


def _linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Cross products of vectors of three elements.

    Args:
        input, other: of one dtype and as many dimensions, which broadcast. dim: that of the three.

    Raises:
        RuntimeError: ``dim`` has not size 3 in both; dtypes differ.

    >>> import devgrad
    >>> devgrad.linalg.cross(devgrad.tensor([1, 0, 0]), devgrad.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    n, m = input._array.ndim, other._array.ndim
    if n != m:
        raise RuntimeError(
            "linalg.cross: inputs must have the same number of dimensions. They have shapes "
            f"{list(input._array.shape)} and {list(other._array.shape)}"
        )
    place = as_dim(dim, n)
    a, b = input._array.shape[place], other._array.shape[place]
    if a != 3 or b != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {a} and {b}"
        )
    if input._type.dtype is not other._type.dtype:
        raise RuntimeError(
            f"expected scalar type {input._type.dtype.title} but found {other._type.dtype.title}. "
            "linalg.cross takes two tensors of one dtype"
        )
    return _cross.function(input, other, place - n)


_linalg_cross.__name__ = "cross"
_linalg_cross = composite(_linalg_cross, method=False, namespaces=("linalg",))


@composite
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Cross products of vectors of three elements.

    Args:
        dim: that of the three elements; if left out, the first of size 3.

    Raises:
        RuntimeError: there is no such dimension; see `devgrad.linalg.cross`.

    >>> import devgrad
    >>> devgrad.cross(devgrad.tensor([1, 0, 0]), devgrad.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    if dim is None:
        shape = input._array.shape
        if 3 not in shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = shape.index(3)
    return _linalg_cross(input, other, dim=dim)


def _linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of matrices; see `devgrad.diagonal`.

    >>> import devgrad
    >>> devgrad.linalg.diagonal(devgrad.eye(2))
    tensor([1., 1.])
    """
    return diagonal.function(A, offset, dim1, dim2)


FUNCTIONS["linalg"]["diagonal"] = _linalg_diagonal
_linalg_diagonal.__name__ = "diagonal"


@op(name="trace", function=False, method=False)
def _trace(xp: Any, input: Array) -> Array:
    kind = input.dtype.kind
    return xp.trace(input, dtype=xp.int64 if kind in "iu" else input.dtype)


def _trace_rule(g: Any, input_shape: Any) -> Any:
    return embedded(expand_to(g, (min(input_shape),)), input_shape, diagonal, (0, 0, 1))


_trace.vjp(input=_trace_rule)


@composite(out=False)
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal.

    Raises:
        RuntimeError: it is no matrix.

    >>> import devgrad
    >>> devgrad.trace(devgrad.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    if input._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    if input._type.dtype.kind == "b":
        raise NotImplementedError("\"trace\" not implemented for 'Bool'")
    return _trace.function(input)
