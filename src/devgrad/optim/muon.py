"""Muon: momentum made orthogonal, for the matrices of hidden layers."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import wrap
from ._one_by_one import OneByOne
from .optimizer import check_learning_rate, number, require

__all__ = ["Muon"]


class Muon(OneByOne):
    """Muon (Jordan): the step is the orthogonal matrix nearest to the momentum.

    It is found by a few Newton–Schulz iterations, in the precision of bfloat16, as in PyTorch.
    Other parameters than the matrices of hidden layers are for another optimizer.

    Args:
        params: matrices, or dicts of groups; see `Optimizer`.
        lr: the learning rate.
        weight_decay: times ``lr``, taken from the parameter.
        momentum: how much of the running mean of gradients is kept.
        nesterov: look ahead along the momentum.
        ns_coefficients, ns_steps: of the iteration, and how often.
        eps: what the norm that the momentum is divided by is at least.
        adjust_lr_fn: how the step depends on the matrix's shape: ``"original"`` (the default) or
            ``"match_rms_adamw"``.

    Raises:
        ValueError: an option is out of its range, or a parameter is no matrix.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        require(momentum >= 0.0, f"momentum should be >= 0 but is: {momentum}")
        require(weight_decay >= 0.0, f"weight decay should be >= 0 but is: {weight_decay}")
        require(
            adjust_lr_fn in (None, "original", "match_rms_adamw"),
            f"Adjust learning rate function {adjust_lr_fn} is not supported",
        )
        super().__init__(params, dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov,
            ns_coefficients=ns_coefficients, eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        ))  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                require(
                    p.ndim == 2,
                    "Muon only supports 2D parameters whereas we found a parameter with size: "
                    f"{p.shape}",
                )

    def _update(self, param: Any, group: dict[str, Any]) -> None:
        kind = param._type
        xp, p, g = kind.xp, param._array, param._grad._array
        state = self.state[param]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = wrap(xp.zeros(p.shape, p.dtype), kind)
        lr, momentum = number(group["lr"]), group["momentum"]
        buffer = state["momentum_buffer"]._array
        buffer += (g - buffer) * (1 - momentum)
        direction = g + (buffer - g) * momentum if group["nesterov"] else buffer
        update = _orthogonalized(
            xp, direction, group["ns_coefficients"], group["ns_steps"], group["eps"]
        )
        p *= 1 - lr * group["weight_decay"]
        p -= update.astype(p.dtype) * (lr * _size(group["adjust_lr_fn"], *p.shape))


def _size(rule: str | None, rows: int, columns: int) -> float:
    """The factor of the learning rate for a matrix of this shape."""
    if rule == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


def _bfloat16(xp: Any, x: Any) -> Any:
    """float32 numbers rounded to the nearest of bfloat16: the upper half of their bits."""
    bits = xp.ascontiguousarray(x, dtype=xp.float32).view(xp.uint32)
    half = 0x7FFF + ((bits >> 16) & 1)  # to even where it lies in the middle
    return ((bits + half.astype(xp.uint32)) & xp.uint32(0xFFFF0000)).view(xp.float32)


def _orthogonalized(xp: Any, g: Any, coefficients: Any, steps: int, eps: float) -> Any:
    """The singular vectors of ``g`` with singular values near one, by Newton and Schulz."""
    require(steps < 100, "Number of steps must be less than 100 for computational efficiency")
    require(len(coefficients) == 3, "Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    x = _bfloat16(xp, g)
    tall = g.shape[0] > g.shape[1]
    if tall:
        x = x.T
    norm = _bfloat16(xp, xp.sqrt((x * x).sum()).reshape(1))
    x = _bfloat16(xp, x / xp.maximum(norm, xp.float32(eps)))
    for _ in range(steps):
        gram = _bfloat16(xp, x @ x.T)
        update = _bfloat16(xp, b * gram + c * (gram @ gram))
        x = _bfloat16(xp, a * x + update @ x)
    return x.T if tall else x
