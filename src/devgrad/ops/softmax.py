"""Softmax, log-softmax and log-sum-exp: exponentials and their sums, without overflow.

The backward passes of the first two are operations of their own, with a derivative: fused, they
need the output alone.
"""

from __future__ import annotations

import warnings
from typing import Any

from .._tensor import Tensor
from ..device import DType, get_default_dtype, user_stacklevel
from ._along import many_dims, one_dim
from ._formula import cast, conj
from ._op import Array, composite, op
from .reductions import spread, sum_dim
from .scans import exp_of_difference

__all__ = ["log_softmax_along", "log_softmax_backward", "softmax_along", "softmax_backward"]


@op(name="softmax", function=False, method=False)
def softmax_along(xp: Any, input: Array, dim: int) -> Array:
    """`softmax` along a dimension counted from the front."""
    return xp.softmax(input, dim)


@op(node="SoftmaxBackwardDataBackward0", function=False, method=False)
def softmax_backward(xp: Any, grad_output: Array, output: Array, dim: int) -> Array:
    """``output * (grad_output - sum(output * grad_output))`` along ``dim``."""
    return xp.softmax_backward(grad_output, output, dim)


def _dims(x: Any, dim: int) -> tuple[int, ...]:
    return (dim,) if x.ndim else ()


softmax_backward.vjp(
    grad_output=lambda g, output, dim: softmax_backward(g, output, dim),
    output=lambda g, grad_output, output, dim: (
        g * (grad_output - sum_dim(output * grad_output, _dims(output, dim), True))
        - grad_output * sum_dim(g * output, _dims(output, dim), True)
    ),
)
softmax_along.vjp(input=lambda g, out, dim: softmax_backward(g, out, dim))


@op(name="log_softmax", function=False, method=False)
def log_softmax_along(xp: Any, input: Array, dim: int) -> Array:
    """`log_softmax` along a dimension counted from the front."""
    return xp.log_softmax(input, dim)


@op(node="LogSoftmaxBackwardDataBackward0", function=False, method=False)
def log_softmax_backward(xp: Any, grad_output: Array, output: Array, dim: int) -> Array:
    """``grad_output - exp(output) * sum(grad_output)`` along ``dim``."""
    return xp.log_softmax_backward(grad_output, output, dim)


@op(node="ExpBackward0", function=False, method=False)
def _exp(xp: Any, input: Array) -> Array:
    return xp.exp(input)


_exp.vjp(input=lambda g, out: g * out)
log_softmax_backward.vjp(
    grad_output=lambda g, output, dim: g - sum_dim(g * _exp(output), _dims(output, dim), True),
    output=lambda g, grad_output, output, dim: (
        -g * _exp(output) * sum_dim(grad_output, _dims(output, dim), True)
    ),
)
log_softmax_along.vjp(input=lambda g, out, dim: log_softmax_backward(g, out, dim))


def _along(name: str, operation: Any, input: Any, dim: Any, dtype: DType | None) -> Tensor:
    dim = one_dim(name, input, dim)
    if dtype is not None and dtype is not input._type.dtype:
        input = cast.function(input, dtype.array_dtype)
    kind = input._type.dtype
    if kind.category != 2:
        last = "lastdim_" if dim == input._array.ndim - 1 else ""
        raise NotImplementedError(
            f"\"{name}_{last}kernel_impl\" not implemented for '{kind.title}'. Give dtype=, or "
            "convert first: x.float()"
        )
    return operation.function(input, dim)


@composite(namespaces=("", "special"))
def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """``exp(input) / sum(exp(input))`` along ``dim``: positive numbers that add up to one.

    Args:
        input: floating point.
        dim: along which dimension.
        dtype: what to convert ``input`` to first.

    Raises:
        IndexError: there is no such dimension.
        NotImplementedError: the dtype is not floating point.

    >>> import devgrad
    >>> devgrad.softmax(devgrad.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _along("softmax", softmax_along, input, dim, dtype)


@composite(namespaces=("", "special"))
def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """``log(softmax(input))`` along ``dim``, exact where softmax would round to zero.

    >>> import devgrad
    >>> devgrad.log_softmax(devgrad.tensor([0.0, 0.0]), dim=0)
    tensor([-0.6931, -0.6931])
    """
    return _along("log_softmax", log_softmax_along, input, dim, dtype)


# --- as devgrad.nn.functional has them ------------------------------------------------------------
# (`_stacklevel` is in PyTorch's signature; here warnings find the user's line themselves.)


def _implicit_dim(name: str, input: Tensor, dim: int | None) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=user_stacklevel(),
    )
    return 0 if input.ndim in (0, 1, 3) else 1


@composite(method=False, out=False, namespaces=("nn.functional",))
def softmax_(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Softmax along ``dim``; see `devgrad.softmax`.

    >>> import devgrad
    >>> devgrad.softmax(devgrad.tensor([[0.0, 0.0]]), dim=1)
    tensor([[0.5000, 0.5000]])
    """
    dim = _implicit_dim("softmax", input, dim)
    return _along("softmax", softmax_along, input, dim, dtype)


@composite(method=False, out=False, namespaces=("nn.functional",))
def log_softmax_(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Log-softmax along ``dim``; see `devgrad.log_softmax`.

    >>> import devgrad
    >>> devgrad.log_softmax(devgrad.tensor([[0.0, 0.0]]), dim=1)
    tensor([[-0.6931, -0.6931]])
    """
    dim = _implicit_dim("log_softmax", input, dim)
    return _along("log_softmax", log_softmax_along, input, dim, dtype)


@composite(method=False, out=False, namespaces=("nn.functional",))
def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """Softmax of ``-input`` along ``dim``: the least element has the greatest share.

    >>> import devgrad
    >>> devgrad.nn.functional.softmin(devgrad.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    dim = _implicit_dim("softmin", input, dim)
    return _along("softmax", softmax_along, -input, dim, dtype)


# --- log-sum-exp ----------------------------------------------------------------------------------


@op(name="logsumexp", function=False, method=False)
def _logsumexp(xp: Any, input: Array, dims: Any, keepdim: bool) -> Array:
    real = input.real if input.dtype.kind == "c" else input
    if not input.size:
        return xp.log(xp.add.reduce(xp.exp(input), axis=dims, keepdims=keepdim))
    if not input.ndim:
        # (The logarithm of a complex number's exponential has another imaginary part.)
        return xp.log(xp.exp(input - real)) + real if input.dtype.kind == "c" else input.copy()
    result = xp.empty([1 if i in dims else n for i, n in enumerate(input.shape)], input.dtype)
    for block in (slice(None),) if 0 in dims else xp.row_blocks(input.shape):
        most = real[block].max(axis=dims, keepdims=True)
        most = xp.where(xp.isfinite(most), most, xp.zeros((), most.dtype))
        shares = input[block] - most
        result[block] = xp.log(xp.sums(xp.exp(shares, out=shares), dims)) + most
    if keepdim:
        return result
    return result.reshape([n for i, n in enumerate(input.shape) if i not in dims])


_logsumexp.vjp(
    input=lambda g, input, out, input_shape, dims, keepdim: (
        spread(g, input_shape, dims, keepdim)
        * conj(exp_of_difference(input, spread(out, input_shape, dims, keepdim)))
    )
)


@composite(namespaces=("", "special"))
def logsumexp(input: Tensor, dim: int | tuple[int, ...], keepdim: bool = False) -> Tensor:
    """``log(sum(exp(input)))`` over one or several dimensions, without overflow.

    Integers are converted to the default dtype.

    >>> import devgrad
    >>> devgrad.logsumexp(devgrad.tensor([0.0, 0.0]), dim=0)
    tensor(0.6931)
    """
    dims = many_dims("logsumexp", input, dim, keepdim)
    if input._type.dtype.category < 2:
        input = cast.function(input, get_default_dtype().array_dtype)
    return _logsumexp.function(input, dims, keepdim)
