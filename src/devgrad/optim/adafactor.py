"""Adafactor: second moments in the memory of a row and a column."""

from __future__ import annotations

from typing import Any

from .._creation import tensor
from .._tensor import wrap
from ..device import get_default_dtype
from ._one_by_one import OneByOne
from .optimizer import check_learning_rate, number, require

__all__ = ["Adafactor"]


class Adafactor(OneByOne):
    """Adafactor (Shazeer and Stern).

    Of a matrix's squared gradients it keeps the means of rows and columns alone, whose product
    stands for the whole. Steps are relative to the parameter's size.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the largest step, relative to the parameter's root mean square.
        beta2_decay: at step t, the new squares' share is ``t ** beta2_decay``.
        eps: what mean squares (default: the dtype's own) and the parameter's root mean square are
            at least.
        d: how large the root mean square of an update may be.
        weight_decay: times ``lr``, taken from the parameter.
        maximize: ascend.
        foreach: taken for compatibility.

    Raises:
        ValueError: an option is out of its range. RuntimeError: a parameter is complex.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0,
        *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        require(beta2_decay <= 0.0, f"beta2_decay should be <= 0 but is: {beta2_decay}")
        require(eps[0] is None or eps[0] >= 0.0, f"epsilon1 should be >= 0 but is: {eps[0]}")
        require(eps[1] >= 0.0, f"epsilon2 should be >= 0 but is: {eps[1]}")
        require(d >= 1.0, f"Clipping threshold d should be >= 1 but is: {d}")
        require(weight_decay >= 0.0, f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, dict(
            lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay,
            foreach=foreach, maximize=maximize,
        ))  # fmt: skip

    def _update(self, param: Any, group: dict[str, Any]) -> None:
        kind = param._type
        xp, p, g = kind.xp, param._array, param._grad._array
        lr, (eps1, eps2) = number(group["lr"]), group["eps"]
        if eps1 is None:
            eps1 = float(xp.finfo(p.dtype).eps)
        state = self.state[param]
        if not state:
            _begin(state, kind, g.shape)
        counter = state["step"]._array
        counter += 1
        step = counter.item()
        share = step ** group["beta2_decay"]
        size = max(eps2, _rms(xp, p)) * min(lr, 1 / step**0.5)
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        squares = g * g
        if g.ndim > 1:
            rows, columns = state["row_var"]._array, state["col_var"]._array
            rows += (squares.mean(-1, keepdims=True) - rows) * share
            columns += (squares.mean(-2, keepdims=True) - columns) * share
            variance = rows @ columns
            variance /= xp.maximum(rows.mean(-2, keepdims=True), eps1)
        else:
            mean = state["variance"]._array
            mean += (squares - mean) * share
            variance = mean.copy()
        update = xp.sqrt(xp.maximum(variance, eps1 * eps1, out=variance), variance)
        xp.divide(g, update, update)
        scale = size / max(1.0, _rms(xp, update) / group["d"])
        update *= -scale if group["maximize"] else scale
        p -= update


def _rms(xp: Any, array: Any) -> float:
    """The root mean square of all elements."""
    flat = array.reshape(-1)
    return float(xp.vdot(flat, flat).item() ** 0.5 / max(flat.size, 1) ** 0.5)


def _begin(state: dict[str, Any], kind: Any, shape: tuple[int, ...]) -> None:
    state["step"] = tensor(0.0, dtype=get_default_dtype(), device="cpu")
    if len(shape) > 1:
        shapes = {"row_var": (*shape[:-1], 1), "col_var": (*shape[:-2], 1, shape[-1])}
    else:
        shapes = {"variance": shape}
    for name, size in shapes.items():
        state[name] = wrap(kind.xp.zeros(size, kind.array_dtype), kind)
