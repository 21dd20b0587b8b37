"""Vector norms.

Their derivatives are made of two functions that are each other's: ``x |x|^q`` and ``|x|^q``, both
taken as zero where x is, so that a norm's gradient at zero is zero and not NaN.
"""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ..device import DType
from ._along import array_dtype, check_tensor, many_dims
from ._arguments import wrong_argument
from ._formula import cast, conj, zeros_like
from ._op import Array, composite, op
from .comparison import where
from .extremes import even_share
from .reductions import spread
from .rounding import sgn

__all__ = ["magnitude_power", "norm_of", "norm_rule", "signed_power", "vector_norm"]


def _where_not_zero(xp: Any, x: Any, powers: Any, q: float) -> Any:
    if q >= 0:
        return powers
    return xp.where(x == 0, xp.zeros((), powers.dtype), powers)


def _raised(xp: Any, magnitude: Any, q: float) -> Any:
    if q == 0:
        return xp.ones(magnitude.shape, magnitude.dtype)
    if q == 1:
        return magnitude
    if q == 2:
        return xp.multiply(magnitude, magnitude)
    if q == -1:
        return xp.true_divide(xp.ones((), magnitude.dtype), magnitude)
    return xp.power(magnitude, xp.asarray(q, magnitude.dtype))


@op(function=False, method=False)
def signed_power(xp: Any, input: Array, q: float) -> Array:
    """``x |x|^q``; 0 where x is."""
    if q == 0:
        return input.copy()
    return _where_not_zero(xp, input, input * _raised(xp, xp.absolute(input), q), q)


@op(function=False, method=False)
def magnitude_power(xp: Any, input: Array, q: float) -> Array:
    """``|x|^q``; 0 where x is and q is negative. Real."""
    return _where_not_zero(xp, input, _raised(xp, xp.absolute(input), q), q)


def _real(x: Any) -> Any:
    if x.dtype.kind != "c":
        return x
    kind = x._type.dtype.to_real() if isinstance(x, Tensor) else None
    return cast(x, x.real.dtype if kind is None else kind.array_dtype)


def _signed_power_rule(g: Any, input: Any, q: float) -> Any:
    if input.dtype.kind != "c":
        return g * ((q + 1) * magnitude_power(input, q))
    along = _real(conj(input) * g)
    return g * magnitude_power(input, q) + signed_power(input, q - 2) * (q * along)


signed_power.vjp(input=_signed_power_rule)
magnitude_power.vjp(input=lambda g, input, q: g * (q * signed_power(input, q - 2)))


@op(name="linalg.vector_norm", node="LinalgVectorNormBackward0", function=False, method=False)
def norm_of(xp: Any, input: Array, p: float, dims: Any, keepdim: bool) -> Array:
    """The p-norms over dimensions counted from the front."""
    x = input
    if x.dtype.itemsize == 2:
        wide = norm_of.forward(xp, x.astype(xp.float32), p, dims, keepdim)
        return wide.astype(x.dtype)
    if p == 2:
        squares = x.real**2 + x.imag**2 if x.dtype.kind == "c" else xp.multiply(x, x)
        return xp.sqrt(xp.add.reduce(squares, axis=dims, keepdims=keepdim))
    magnitude = xp.absolute(x)
    if p == 0:
        return xp.add.reduce(x != 0, axis=dims, dtype=magnitude.dtype, keepdims=keepdim)
    if p == 1:
        return xp.add.reduce(magnitude, axis=dims, keepdims=keepdim)
    if p in (math.inf, -math.inf):
        if not x.ndim:
            return magnitude
        if not x.size and p > 0:
            return xp.add.reduce(magnitude, axis=dims, keepdims=keepdim)
        return (magnitude.max if p > 0 else magnitude.min)(axis=dims, keepdims=keepdim)
    powers = xp.add.reduce(_raised(xp, magnitude, p), axis=dims, keepdims=keepdim)
    return xp.power(powers, xp.asarray(1 / p, magnitude.dtype))


def norm_rule(
    g: Any, input: Any, out: Any, input_shape: Any, p: float, dims: Any, keepdim: bool
) -> Any:
    """What the gradient ``g`` of `norm_of` is for its input."""
    if p == 0:
        return zeros_like(input)
    if p in (math.inf, -math.inf):
        share = even_share(magnitude_power(input, 1.0), out, dims)
        return spread(g, input_shape, dims, keepdim) * share * signed_power(input, -1.0)
    if p == 1:
        return spread(g, input_shape, dims, keepdim) * signed_power(input, -1.0)
    if isinstance(input, Tensor):
        return _recorded_rule(g, input, out, input_shape, p, dims, keepdim)
    factor = where(out == 0, 0, g * magnitude_power(out, 1.0 - p))  # g may be NaN there
    scale = spread(factor, input_shape, dims, keepdim)
    return scale * (input if p == 2 else signed_power(input, p - 2.0))


def _recorded_rule(
    g: Any, input: Any, out: Any, input_shape: Any, p: float, dims: Any, keepdim: bool
) -> Any:
    """The same, to be derived again: a gradient that is 0 at 0 by convention has no derivative
    there. Written as PyTorch writes it, that is NaN or infinite, as it is there."""

    def whole(x: Any) -> Any:
        return spread(x, input_shape, dims, keepdim)

    if p == 2:
        length = whole(out)
        return whole(g) * where(length == 0, 0, input / length)
    magnitude = abs(input)
    if p < 1:
        powers = where(input == 0, 0, magnitude ** (p - 1))
        return sgn(input) * powers * whole(g * out ** (1 - p))
    scale = whole(where(out == 0, 0, g / out ** (p - 1)))
    return scale * (sgn(input) * magnitude ** (p - 1) if p < 2 else input * magnitude ** (p - 2))


norm_of.vjp(input=norm_rule)


def _check_not_empty(input: Tensor, p: float, dims: tuple[int, ...], whole: bool) -> None:
    shape = input._array.shape
    if 0 not in shape or (p >= 0 and p != math.inf):
        return
    if whole:
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {p:g} norm on an empty tensor because the "
            "operation does not have an identity"
        )
    for d in dims:
        if shape[d] == 0:
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {p:g} norm on the dimension {d} because "
                "this dimension is empty and the operation does not have an identity"
            )


@composite(method=False, namespaces=("linalg",))
def vector_norm(
    x: Tensor,
    ord: Any = 2,
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The ``ord``-norm of ``x`` as one vector, or of the vectors along ``dim``.

    Args:
        x: floating point or complex. The result is real.
        ord: ``sum(|x|^ord)^(1/ord)``; ``inf`` and ``-inf`` give the greatest and the least
            magnitude, 0 the number of elements that are not zero.
        dim: one or several dimensions; None means all.
        keepdim: keep them, with size 1.
        dtype: what to convert to first.

    Raises:
        RuntimeError: the dtype is neither; the norm of nothing is not defined.

    >>> import devgrad
    >>> devgrad.linalg.vector_norm(devgrad.tensor([3.0, 4.0]))
    tensor(5.)
    """
    dims = many_dims("linalg_vector_norm", x, dim, keepdim)
    if isinstance(ord, (str, Tensor)) or not hasattr(ord, "__float__"):
        raise wrong_argument("linalg_vector_norm", "ord", 2, "Number", ord)
    if dtype is not None and dtype is not x._type.dtype:
        x = cast.function(x, array_dtype(dtype))
    if x._type.dtype.category < 2:
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{x._type.dtype.title}. Convert it first: x.float()"
        )
    p = float(ord)
    _check_not_empty(x, p, dims, dim is None or dim in ((), []))
    return norm_of.function(x, p, dims, keepdim)


def _matrix_norm(*args: Any, **kwargs: Any) -> Tensor:
    from .matrix_norms import matrix_norm  # which is made of this file's norms

    found: Tensor = matrix_norm(*args, **kwargs)
    return found


@composite
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Tensor:
    """The ``p``-norm of all elements, or over dimensions; see `devgrad.linalg.vector_norm`.

    ``p`` is a number, ``"fro"`` or None (both as 2), or ``"nuc"``, the sum of singular values.

    >>> import devgrad
    >>> devgrad.norm(devgrad.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p == "nuc":
        dims = (-2, -1) if dim is None else dim
        return _matrix_norm(input, "nuc", dims, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"only valid p values are p = 'fro' or p = 'nuc', got {p}")
    order = 2.0 if p is None or p == "fro" else p
    return vector_norm(input, order, dim, keepdim, dtype=dtype)


@composite(method=False, namespaces=("linalg",))
def norm_(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of vectors (one ``dim``) or matrices (two); without ``ord``, the 2-norm of all.

    >>> import devgrad
    >>> devgrad.linalg.norm(devgrad.tensor([3.0, 4.0]), 1)
    tensor(7.)
    """
    check_tensor("linalg_norm", A)
    if isinstance(dim, int):
        dim = (dim,)
    if dim is not None and len(dim) not in (1, 2) and ord is not None:
        raise RuntimeError(
            f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dim)}"
        )
    if ord is None:
        return vector_norm(A, 2.0, dim, keepdim, dtype=dtype)
    if dim is None and A.ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.ndim}D."
        )
    matrices = A.ndim == 2 if dim is None else len(dim) == 2
    if matrices or isinstance(ord, str):
        return _matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)
