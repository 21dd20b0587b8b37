"""RAdam: Adam that waits until it can trust its second moment."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .adam import check_adam_options
from .optimizer import number

__all__ = ["RAdam"]


class RAdam(Elementwise):
    """Adam with a rectified variance (Liu and others).

    As long as too few gradients were seen to know their variance, it makes plain steps along the
    mean gradient; then Adam's, scaled by how far the variance is known.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate.
        betas: how much of the running means of the gradient and its square is kept.
        eps: added to the denominator.
        weight_decay, decoupled_weight_decay: as in `Adam`.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_adam_options(lr, betas, eps, weight_decay)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize,
            foreach=foreach, capturable=capturable, decoupled_weight_decay=decoupled_weight_decay,
            differentiable=differentiable,
        ))  # fmt: skip

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, (beta1, beta2), eps = number(group["lr"]), group["betas"], group["eps"]
        decay, maximize = group["weight_decay"], group["maximize"]
        shrink = 1 - lr * decay if group["decoupled_weight_decay"] else 1
        decay = 0 if group["decoupled_weight_decay"] else decay
        step = numbers["step"].item(0)
        bias1, bias2 = 1 - beta1**step, 1 - beta2**step
        # How many independent gradients the running mean of squares amounts to, at most and now.
        most = 2 / (1 - beta2) - 1
        now = most - 2 * step * beta2**step / bias2
        trusted = now > 5.0
        if trusted:
            rectified = (now - 4) * (now - 2) * most / ((most - 4) * (most - 2) * now)
            size = lr / bias1 * rectified**0.5 * bias2**0.5
        else:
            size = lr / bias1

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, m: Any, v: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            if shrink != 1:
                p *= shrink
            m += xp.multiply(xp.subtract(g, m, a), 1 - beta1, a)
            v *= beta2
            v += xp.multiply(xp.multiply(g, g, a), 1 - beta2, a)
            if trusted:
                xp.sqrt(v, a)
                a += eps
                xp.divide(m, a, a)
                a *= size
            else:
                xp.multiply(m, size, a)
            p -= a

        return update
