"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["ASGD"]


class ASGD(Elementwise):
    """Averaged SGD (Polyak and Juditsky): the mean of the parameters is in ``state[p]["ax"]``.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the first learning rate, divided by ``(1 + lambd * lr * steps) ** alpha``.
        lambd, alpha: see ``lr``; ``lambd`` also decays the parameters.
        t0: at which step averaging begins.
        weight_decay: this times the parameter is added to its gradient.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
        t0: float = 1e6, weight_decay: float = 0, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False, capturable: bool = False,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        require(weight_decay >= 0.0, f"Invalid weight_decay value: {weight_decay}")
        super().__init__(params, dict(
            lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize, differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "eta": number(group["lr"]), "mu": 1.0}

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"ax": 0.0}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, lambd, alpha = number(group["lr"]), group["lambd"], group["alpha"]
        decay, maximize = group["weight_decay"], group["maximize"]
        step, eta, mu = (numbers[name].item(0) for name in ("step", "eta", "mu"))
        # For the next step:
        numbers["eta"][...] = lr / (1 + lambd * lr * step) ** alpha
        numbers["mu"][...] = 1 / max(1, step - group["t0"])

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, mean: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            p *= 1 - lambd * eta
            p -= xp.multiply(g, eta, a)
            if mu == 1:
                mean[...] = p
            else:
                mean += xp.multiply(xp.subtract(p, mean, a), mu, a)

        return update
