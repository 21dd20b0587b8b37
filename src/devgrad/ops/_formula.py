"""What rules are written with, besides operators and ops: helpers that take arrays and tensors."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ..autograd import _api
from ..autograd._fit import axes_summed
from ..device import array_namespace
from ._op import Array, op

__all__ = ["cast", "conj", "expand_to", "sum_to", "zeros_like"]


def conj(x: Any) -> Any:
    """The complex conjugate; ``x`` itself, at once, if it is real.

    PyTorch's gradient of a real function of a complex variable is the conjugate of the
    derivative, so rules conjugate what they multiply the gradient with.
    """
    return x.conj() if x.dtype.kind == "c" else x


def zeros_like(x: Any) -> Any:
    """Zeros of the shape and dtype of ``x``."""
    if isinstance(x, Tensor):
        return wrap(x._type.xp.zeros(x._array.shape, x._array.dtype), x._type)
    return array_namespace(x).zeros(x.shape, x.dtype)


@op(node="SumBackward1", function=False, method=False)
def sum_to(xp: Any, input: Array, shape: Any) -> Array:
    """``input`` summed down to a shape that broadcasts to its own."""
    return xp.summed(input, axes_summed(input.shape, tuple(shape)), tuple(shape))


@op(node="ExpandBackward0", function=False, method=False)
def expand_to(xp: Any, input: Array, shape: Any) -> Array:
    """``input`` broadcast to a shape, without a copy where that is faster; only to be read."""
    return xp.repeated(input, tuple(shape))


sum_to.vjp(input=lambda g, input_shape: expand_to(g, input_shape))
expand_to.vjp(input=lambda g, input_shape: sum_to(g, input_shape))


@op(node="ToCopyBackward0", function=False, method=False)
def cast(xp: Any, input: Array, array_dtype: Any) -> Array:
    """``input`` in another dtype; the real part where that is real and ``input`` is not."""
    if input.dtype.kind == "c" and array_dtype.kind not in "cb":
        input = input.real
    return input.astype(array_dtype)


cast.vjp(input=lambda g: g)  # the engine casts it back


def _fit_tensor(g: Tensor, edge: Any) -> Tensor:
    """What `fit_array` does, on tensors and recorded."""
    if g._array.shape != edge.shape:
        g = sum_to.function(g, edge.shape)
    if g._type.dtype is not edge.tensor_type.dtype:
        g = cast.function(g, edge.tensor_type.array_dtype)
    return g


_api.install(lambda array, kind: wrap(kind.asarray(array), kind), _fit_tensor)
Tensor._backward = staticmethod(_api.backward)
