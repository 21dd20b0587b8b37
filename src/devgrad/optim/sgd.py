"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from ._elementwise import FRESH, MAXIMIZE, NESTEROV, Elementwise, Kernel, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["SGD"]


class SGD(Elementwise):
    """Stochastic gradient descent: ``p -= lr * g``, optionally with momentum.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate, a number or a tensor of one element.
        momentum: how much of the last direction is kept: ``v = momentum * v + g``.
        dampening: the gradient's share in it is ``1 - dampening``.
        weight_decay: this times the parameter is added to its gradient.
        nesterov: look ahead along the momentum.
        maximize: ascend.
        foreach, fused: taken for compatibility; the parameters are always updated together.

    Raises:
        ValueError: an option is out of its range.

    >>> import devgrad as torch
    >>> w = torch.ones(1, requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False,
        foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        require(momentum >= 0.0, f"Invalid momentum value: {momentum}")
        require(bool(weight_decay >= 0.0), f"Invalid weight_decay value: {weight_decay}")
        require(
            not nesterov or (momentum > 0 and dampening == 0),
            "Nesterov momentum requires a momentum and zero dampening",
        )
        super().__init__(params, dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
            nesterov=nesterov, maximize=maximize, foreach=foreach, differentiable=differentiable,
            fused=fused,
        ))  # fmt: skip

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {}

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def _kernel(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Kernel:
        flags = MAXIMIZE * bool(group["maximize"]) + NESTEROV * bool(group["nesterov"])
        lr, decay = number(group["lr"]), number(group["weight_decay"])
        options = lr, decay, group["momentum"], 1 - group["dampening"]
        return Kernel("sgd", flags + FRESH * fresh, options, 1)

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        lr, decay, maximize = number(group["lr"]), number(group["weight_decay"]), group["maximize"]
        momentum, dampening, nesterov = group["momentum"], group["dampening"], group["nesterov"]

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, *buffers: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            for v in buffers:
                if fresh:
                    v[...] = g
                else:
                    v *= momentum
                    v += g if not dampening else xp.multiply(g, 1 - dampening, a)
                if nesterov:
                    xp.multiply(v, momentum, a)
                    g = xp.add(g, a, b)
                else:
                    g = v
            xp.multiply(g, lr, a)
            p -= a

        return update
