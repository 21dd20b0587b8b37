"""Adagrad: steps that shrink where gradients were large."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["Adagrad"]


class Adagrad(Elementwise):
    """Adagrad (Duchi and others): ``p -= lr * g / (sqrt(sum of g²) + eps)``.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate, divided by ``1 + lr_decay`` times the steps made.
        lr_decay: see ``lr``.
        weight_decay: this times the parameter is added to its gradient.
        initial_accumulator_value: what the sums begin with.
        eps: added to the denominator.
        maximize: ascend.
        foreach, fused: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        require(lr_decay >= 0.0, f"Invalid lr_decay value: {lr_decay}")
        require(weight_decay >= 0.0, f"Invalid weight_decay value: {weight_decay}")
        require(
            initial_accumulator_value >= 0.0,
            f"Invalid initial_accumulator_value value: {initial_accumulator_value}",
        )
        require(eps >= 0.0, f"Invalid epsilon value: {eps}")
        super().__init__(params, dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, foreach=foreach,
            maximize=maximize, differentiable=differentiable, fused=fused,
        ))  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:  # PyTorch's has its state before the first step
                self._arrange(group, [p])

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        decay, maximize, eps = group["weight_decay"], group["maximize"], group["eps"]
        lr = number(group["lr"]) / (1 + (numbers["step"].item(0) - 1) * group["lr_decay"])

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, total: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            total += xp.multiply(g, g, a)
            xp.sqrt(total, a)
            a += eps
            xp.divide(g, a, a)
            a *= lr
            p -= a

        return update
