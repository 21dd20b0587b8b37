"""RMSprop: gradients divided by their recent size."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["RMSprop"]


class RMSprop(Elementwise):
    """RMSprop (Hinton): ``p -= lr * g / (sqrt(mean of g²) + eps)``.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate.
        alpha: how much of the running mean of squares is kept.
        eps: added to the denominator.
        weight_decay: this times the parameter is added to its gradient.
        momentum: how much of the last step is kept.
        centered: divide by the standard deviation, not the root mean square.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False,
        capturable: bool = False, foreach: bool | None = None, maximize: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        require(eps >= 0.0, f"Invalid epsilon value: {eps}")
        require(momentum >= 0.0, f"Invalid momentum value: {momentum}")
        require(weight_decay >= 0.0, f"Invalid weight_decay value: {weight_decay}")
        require(alpha >= 0.0, f"Invalid alpha value: {alpha}")
        super().__init__(params, dict(
            lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered,
            weight_decay=weight_decay, capturable=capturable, foreach=foreach, maximize=maximize,
            differentiable=differentiable,
        ))  # fmt: skip

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        names = ["square_avg"]
        names += ["momentum_buffer"] * bool(group["momentum"]) + ["grad_avg"] * group["centered"]
        return dict.fromkeys(names, 0.0)

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, alpha, eps = number(group["lr"]), group["alpha"], group["eps"]
        decay, maximize = group["weight_decay"], group["maximize"]
        momentum, centered = group["momentum"], group["centered"]

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, square_avg: Any, *more: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            square_avg *= alpha
            square_avg += xp.multiply(xp.multiply(g, g, a), 1 - alpha, a)
            if centered:
                grad_avg = more[-1]
                grad_avg += xp.multiply(xp.subtract(g, grad_avg, a), 1 - alpha, a)
                xp.subtract(square_avg, xp.multiply(grad_avg, grad_avg, a), a)
                xp.sqrt(a, a)
            else:
                xp.sqrt(square_avg, a)
            a += eps
            step = xp.divide(g, a, a)
            if momentum:
                buffer = more[0]
                buffer *= momentum
                buffer += step
                step = buffer
            p -= xp.multiply(step, lr, a)

        return update
