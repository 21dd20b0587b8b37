"""Gradients kept from growing too large."""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterable
from typing import Any

from ..._creation import tensor as _tensor
from ..._tensor import Tensor, wrap
from ...autograd._provenance import user_line
from ...device import user_stacklevel, when_several

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _gradients(parameters: Any) -> list[Any]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not given and isinstance(parameters, types.GeneratorType):
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.",
            stacklevel=user_stacklevel(),
        )
    return [p._grad for p in given if p._grad is not None]


def _norm(xp: Any, array: Any, order: float) -> Any:
    """The norm of all elements, as a 0-dim array."""
    if order == 2.0:
        flat = array.reshape(-1)
        return xp.sqrt(xp.vdot(flat, flat).real)
    size = xp.abs(array)
    if math.isinf(order):
        return size.max() if order > 0 else size.min()
    if order == 0.0:
        return (size != 0).sum().astype(size.dtype)
    return (size**order).sum() ** (1.0 / order)


def get_total_norm(
    tensors: Iterable[Tensor] | Tensor, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """The norm of all elements of these tensors, as if they were one vector.

    Args:
        tensors: of any shapes, mostly gradients.
        norm_type: the order of the norm; may be ``inf``.
        error_if_nonfinite: refuse a norm that is infinite or NaN.
        foreach: taken for compatibility.

    Returns:
        A 0-dim tensor on the first tensor's device.

    Raises:
        RuntimeError: see ``error_if_nonfinite``.

    >>> import devgrad as torch
    >>> torch.nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])])
    tensor(5.)
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order = float(norm_type)
    if not given:
        return _tensor(0.0)
    kind = given[0]._type.with_dtype(given[0]._type.dtype.to_real())
    xp = kind.xp
    norms = []
    for t in given:
        norm = t._type.xp.asarray(_norm(t._type.xp, t._array, order))
        if t._type.device is not kind.device:
            norm = xp.from_host(t._type.xp.to_host(norm), kind.device.index)
        norms.append(norm.astype(kind.array_dtype).reshape(1))
    total = wrap(kind.asarray(_norm(xp, xp.concatenate(norms), order)), kind)
    if error_if_nonfinite and not math.isfinite(total._array.item()):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: Tensor,
    foreach: bool | None = None,
) -> None:  # fmt: skip
    """Scale the gradients of ``parameters`` so that ``total_norm`` becomes ``max_norm`` at most.

    Args:
        parameters: whose gradients are changed in place.
        max_norm: a number.
        total_norm: as `get_total_norm` gives it.
        foreach: taken for compatibility.
    """
    _scale(_gradients(parameters), float(max_norm), total_norm)


def _scale(gradients: list[Any], max_norm: float, total_norm: Tensor) -> None:
    xp = total_norm._type.xp
    factor = xp.minimum(max_norm / (total_norm._array + 1e-6), 1.0)
    line = user_line()
    for g in gradients:
        here = factor
        if g._type.device is not total_norm._type.device:
            here = g._type.xp.from_host(xp.to_host(factor), g._type.device.index)
        g._array *= here.astype(g._array.dtype)
        _count_change(g, line)


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0,
    error_if_nonfinite: bool = False, foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale the gradients so that their norm, as one vector's, is ``max_norm`` at most.

    Args:
        parameters: whose gradients are changed in place.
        max_norm: a number.
        norm_type: the order of the norm; may be ``inf``.
        error_if_nonfinite: refuse a norm that is infinite or NaN.
        foreach: taken for compatibility.

    Returns:
        The norm before.

    Raises:
        RuntimeError: see ``error_if_nonfinite``.

    >>> import devgrad as torch
    >>> w = torch.ones(2, requires_grad=True)
    >>> (w * torch.tensor([3.0, 4.0])).sum().backward()
    >>> torch.nn.utils.clip_grad_norm_([w], max_norm=1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite, foreach)
    _scale(gradients, float(max_norm), total)
    return total


def clip_grad_value_(
    parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None
) -> None:
    """Bring each element of the gradients between ``-clip_value`` and ``clip_value``.

    Args:
        parameters: whose gradients are changed in place.
        clip_value: a number.
        foreach: taken for compatibility.
    """
    bound = float(clip_value)
    line = user_line()
    for g in _gradients(parameters):
        g._type.xp.clip(g._array, -bound, bound, out=g._array)
        _count_change(g, line)


def _count_change(tensor: Tensor, line: Any) -> None:
    changes = tensor._changes
    if changes is not None:
        changes[0] += 1
        changes[1] = line


@when_several
def _guard() -> None:
    from ...ops._several import guard_functions

    guard_functions(get_total_norm, _scale, clip_grad_value_)
