"""Adam, and AdamW, which decays the weights apart from the gradient."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._elementwise import MAXIMIZE, Elementwise, Kernel, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["Adam", "AdamW"]


def check_adam_options(lr: Any, betas: Any, eps: float, weight_decay: Any) -> None:
    """Refuse what is out of range for an optimizer of Adam's family."""
    check_learning_rate(lr)
    require(eps >= 0.0, f"Invalid epsilon value: {eps}")
    for index, beta in enumerate(betas):
        require(bool(0.0 <= beta < 1.0), f"Invalid beta parameter at index {index}: {beta}")
    require(bool(weight_decay >= 0.0), f"Invalid weight_decay value: {weight_decay}")


def _factors(group: dict[str, Any], numbers: dict[str, Any]) -> tuple[float, ...]:
    """What a step of Adam multiplies and adds: shrink, decay, share1, beta2, share2, eps, rate.

    ``lr * (m / bias1) / (sqrt(v) / bias2 + eps)`` is ``rate * m / (sqrt(v) + eps)``, where the
    numbers ``eps`` and ``rate`` have been put together.
    """
    lr, (beta1, beta2) = number(group["lr"]), map(number, group["betas"])
    decay, step = number(group["weight_decay"]), numbers["step"].item(0)
    bias1, bias2 = 1 - beta1**step, (1 - beta2**step) ** 0.5
    shrink = 1 - lr * decay if group["decoupled_weight_decay"] else 1
    decay = 0 if group["decoupled_weight_decay"] else decay
    eps, rate = group["eps"] * bias2, lr * bias2 / bias1
    return shrink, decay, 1 - beta1, beta2, 1 - beta2, eps, rate


class Adam(Elementwise):
    """Adam (Kingma and Ba): steps of a size that fits each element's recent gradients.

    With ``m`` and ``v`` running means of the gradient and its square, freed of their bias towards
    zero, ``p -= lr * m / (sqrt(v) + eps)``.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the learning rate, a number or a tensor of one element.
        betas: how much of the two running means is kept at each step.
        eps: added to the denominator.
        weight_decay: this times the parameter is added to its gradient; or with
            ``decoupled_weight_decay``, times ``lr``, taken from the parameter.
        amsgrad: divide by the largest ``v`` so far.
        maximize: ascend.
        foreach, fused, capturable: taken for compatibility; the parameters are always updated
            together.

    Raises:
        ValueError: an option is out of its range.

    >>> import devgrad as torch
    >>> w = torch.ones(1, requires_grad=True)
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        for name, value in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
            if isinstance(value, Tensor):
                require(
                    not foreach or capturable,
                    f"{name} as a Tensor is not supported for capturable=False and foreach=True",
                )
                require(value.numel() == 1, f"Tensor {name} must be 1-element")
        check_adam_options(lr, betas, eps, weight_decay)
        require(
            all(isinstance(beta, float) for beta in betas)
            or all(isinstance(beta, Tensor) for beta in betas),
            "betas must be either both floats or both Tensors",
        )
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
            maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable, fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        ))  # fmt: skip

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * bool(group["amsgrad"])
        return dict.fromkeys(names, 0.0)

    def _kernel(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Kernel:
        return Kernel("adam", MAXIMIZE * bool(group["maximize"]), _factors(group, numbers), 3)

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        shrink, decay, share1, beta2, share2, eps, rate = _factors(group, numbers)
        maximize = group["maximize"]

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, m: Any, v: Any, *largest: Any) -> None:
            g = slope(xp, p, g, b, maximize, decay)
            if shrink != 1:
                p *= shrink
            m += xp.multiply(xp.subtract(g, m, a), share1, a)
            v *= beta2
            v += xp.multiply(xp.multiply(g, g, a), share2, a)
            for top in largest:
                v = xp.maximum(top, v, out=top)
            xp.sqrt(v, a)
            a += eps
            xp.divide(m, a, a)
            a *= rate
            p -= a

        return update


class AdamW(Adam):
    """Adam with the weight decay apart from the gradient (Loshchilov and Hutter).

    ``p *= 1 - lr * weight_decay``, then Adam's step. The options are those of `Adam`.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *,
        maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # of a checkpoint from before the option
            group["decoupled_weight_decay"] = True
