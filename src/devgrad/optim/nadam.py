"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .adam import check_adam_options
from .optimizer import number, require

__all__ = ["NAdam"]


class NAdam(Elementwise):
    """Adam with Nesterov's momentum (Dozat), whose weight grows with the steps.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate.
        betas: how much of the running means of the gradient and its square is kept.
        eps: added to the denominator.
        weight_decay, decoupled_weight_decay: as in `Adam`.
        momentum_decay: how fast the momentum's weight grows.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_adam_options(lr, betas, eps, weight_decay)
        require(momentum_decay >= 0.0, f"Invalid momentum_decay value: {momentum_decay}")
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable,
        ))  # fmt: skip

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0, "mu_product": 1.0}

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, (beta1, beta2), eps = number(group["lr"]), group["betas"], group["eps"]
        decay, maximize = group["weight_decay"], group["maximize"]
        shrink = 1 - lr * decay if group["decoupled_weight_decay"] else 1
        decay = 0 if group["decoupled_weight_decay"] else decay
        step = numbers["step"].item(0)
        bias2 = 1 - beta2**step

        def mu(step: float) -> Any:
            return beta1 * (1.0 - 0.5 * 0.96 ** (step * group["momentum_decay"]))

        numbers["mu_product"] *= mu(step)
        product = numbers["mu_product"].item(0)
        of_gradient = lr * (1.0 - mu(step)) / (1.0 - product)
        of_mean = lr * mu(step + 1) / (1.0 - product * mu(step + 1))

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, m: Any, v: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            if shrink != 1:
                p *= shrink
            m += xp.multiply(xp.subtract(g, m, a), 1 - beta1, a)
            v *= beta2
            v += xp.multiply(xp.multiply(g, g, a), 1 - beta2, a)
            # p -= (of_gradient * g + of_mean * m) / (sqrt(v / bias2) + eps)
            xp.multiply(g, of_gradient, b)
            b += xp.multiply(m, of_mean, a)
            xp.sqrt(xp.divide(v, bias2, a), a)
            a += eps
            b /= a
            p -= b

        return update
