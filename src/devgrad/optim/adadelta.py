"""Adadelta: steps in the units of the parameter."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["Adadelta"]


class Adadelta(Elementwise):
    """Adadelta (Zeiler): ``p -= lr * g * rms(recent steps) / rms(recent gradients)``.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: a factor of the steps.
        rho: how much of the running means of squares is kept.
        eps: added to the mean squares.
        weight_decay: this times the parameter is added to its gradient.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6,
        weight_decay: float = 0, foreach: bool | None = None, *, capturable: bool = False,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        require(0.0 <= rho <= 1.0, f"Invalid rho value: {rho}")
        require(eps >= 0.0, f"Invalid epsilon value: {eps}")
        require(weight_decay >= 0.0, f"Invalid weight_decay value: {weight_decay}")
        super().__init__(params, dict(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize,
            capturable=capturable, foreach=foreach, differentiable=differentiable,
        ))  # fmt: skip

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, rho, eps = number(group["lr"]), group["rho"], group["eps"]
        decay, maximize = group["weight_decay"], group["maximize"]

        def update(
            xp: Any, p: Any, g: Any, a: Any, b: Any, square_avg: Any, acc_delta: Any
        ) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            square_avg *= rho
            square_avg += xp.multiply(xp.multiply(g, g, a), 1 - rho, a)
            xp.sqrt(xp.add(square_avg, eps, a), a)
            g = xp.divide(g, a, b)
            xp.sqrt(xp.add(acc_delta, eps, a), a)
            step = xp.multiply(g, a, b)
            acc_delta *= rho
            acc_delta += xp.multiply(xp.multiply(step, step, a), 1 - rho, a)
            step *= lr
            p -= step

        return update
