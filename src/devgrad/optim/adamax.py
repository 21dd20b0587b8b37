"""Adamax: Adam by the maximum norm."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .adam import check_adam_options
from .optimizer import number

__all__ = ["Adamax"]


class Adamax(Elementwise):
    """Adam with the largest recent gradient in place of the root of the mean square.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate.
        betas: how much of the mean gradient, and of the largest, is kept.
        eps: added to each gradient's size.
        weight_decay: this times the parameter is added to its gradient.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_adam_options(lr, betas, eps, weight_decay)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, (beta1, beta2), eps = number(group["lr"]), group["betas"], group["eps"]
        decay, maximize = group["weight_decay"], group["maximize"]
        size = lr / (1 - beta1 ** numbers["step"].item(0))

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, m: Any, top: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            m += xp.multiply(xp.subtract(g, m, a), 1 - beta1, a)
            top *= beta2
            xp.absolute(g, a)
            a += eps
            xp.maximum(top, a, out=top)
            xp.divide(m, top, a)
            a *= size
            p -= a

        return update
