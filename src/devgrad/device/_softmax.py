"""Softmax and log-softmax, and their derivatives, in functions of arrays: see ``_formulas.py``."""

from __future__ import annotations

from typing import Any

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward"]


def _blocks(xp: Any, x: Any, dim: int) -> Any:
    """Slices of ``x`` to be worked through one after the other, so that each stays in cache."""
    return xp.row_blocks(x.shape) if dim else (slice(None),)


def _shifted(xp: Any, x: Any, dim: int, out: Any) -> Any:
    """``x`` shifted along ``dim`` so that its exponentials are harmless; ``x`` if they are."""
    shift = xp.exp_shift(x, dim)
    return x if shift is None else xp.subtract(x, shift, out=out)


def softmax(xp: Any, input: Any, dim: int) -> Any:
    """``exp(input) / sum(exp(input))`` along ``dim``, counted from the front."""
    if not input.ndim:
        return softmax(xp, input.reshape(1), 0).reshape(())
    x = input.astype(xp.float32) if input.dtype.itemsize == 2 else input
    result = xp.empty(x.shape, x.dtype)
    for block in _blocks(xp, x, dim) if x.size else ():
        part = result[block]
        xp.exp(_shifted(xp, x[block], dim, part), out=part)
        part /= xp.sums(part, (dim,))
    return result if result.dtype == input.dtype else result.astype(input.dtype)


def softmax_backward(xp: Any, grad_output: Any, output: Any, dim: int) -> Any:
    """``output * (grad_output - sum(output * grad_output))`` along ``dim``."""
    if not output.ndim:
        return xp.zeros((), output.dtype)
    result = xp.empty(output.shape, output.dtype)
    for block in _blocks(xp, output, dim):
        g, y, part = grad_output[block], output[block], result[block]
        xp.subtract(g, xp.sum_of_products(g, y, (dim,)), out=part)
        part *= y
    return result


def log_softmax(xp: Any, input: Any, dim: int) -> Any:
    """The logarithm of `softmax`."""
    if not input.ndim:
        return log_softmax(xp, input.reshape(1), 0).reshape(())
    x = input.astype(xp.float32) if input.dtype.itemsize == 2 else input
    result = xp.empty(x.shape, x.dtype)
    for block in _blocks(xp, x, dim) if x.size else ():
        part = result[block]
        shifted = _shifted(xp, x[block], dim, part)
        xp.subtract(shifted, xp.log(xp.sums(xp.exp(shifted), (dim,))), out=part)
    return result if result.dtype == input.dtype else result.astype(input.dtype)


def log_softmax_backward(xp: Any, grad_output: Any, output: Any, dim: int) -> Any:
    """``grad_output - exp(output) * sum(grad_output)`` along ``dim``."""
    if not output.ndim:
        return xp.zeros((), output.dtype)
    result = xp.empty(output.shape, output.dtype)
    for block in _blocks(xp, output, dim):
        g, part = grad_output[block], result[block]
        xp.exp(output[block], out=part)
        part *= xp.sums(g, (dim,))
        xp.subtract(g, part, out=part)
    return result
