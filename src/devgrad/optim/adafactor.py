"""Adafactor: second moments in the memory of a row and a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._creation import tensor, zeros_like
from .._tensor import Tensor
from ..autograd._modes import no_grad
from ..device import get_default_dtype
from .optimizer import Optimizer, check_learning_rate, evaluated, number, require

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern).

    Of a matrix's squared gradients it keeps the means of rows and columns alone, whose product
    stands for the whole. Steps are relative to the parameter's size.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the largest step, relative to the parameter's root mean square.
        beta2_decay: at step t, the new squares' share is ``t ** beta2_decay``.
        eps: what mean squares (default: the dtype's own) and the parameter's root mean square are
            at least.
        d: how large the root mean square of an update may be.
        weight_decay: times ``lr``, taken from the parameter.
        maximize: ascend.
        foreach: taken for compatibility.

    Raises:
        ValueError: an option is out of its range. RuntimeError: a parameter is complex.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0,
        *, foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        check_learning_rate(lr, "Learning rate should be >= 0 but is: {}")
        require(beta2_decay <= 0.0, f"beta2_decay should be <= 0 but is: {beta2_decay}")
        require(eps[0] is None or eps[0] >= 0.0, f"epsilon1 should be >= 0 but is: {eps[0]}")
        require(eps[1] >= 0.0, f"epsilon2 should be >= 0 but is: {eps[1]}")
        require(d >= 1.0, f"Clipping threshold d should be >= 1 but is: {d}")
        require(weight_decay >= 0.0, f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(params, dict(
            lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay,
            foreach=foreach, maximize=maximize,
        ))  # fmt: skip

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once, by their gradients. See `Optimizer.step`."""
        loss = evaluated(closure)
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p._grad is not None:
                        self._update(p, -p._grad if group["maximize"] else p._grad, group)
        return loss

    def _update(self, p: Tensor, g: Any, group: dict[str, Any]) -> None:
        if p.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        lr, (eps1, eps2) = number(group["lr"]), group["eps"]
        if eps1 is None:
            eps1 = float(p._type.xp.finfo(p._type.array_dtype).eps)
        state = self.state[p] or self._begin(p, g)
        state["step"] += 1
        step = state["step"].item()
        share = step ** group["beta2_decay"]
        size = max(eps2, p.norm(2).item() / p.numel() ** 0.5) * min(lr, 1 / step**0.5)
        if group["weight_decay"]:
            p.mul_(1 - lr * group["weight_decay"])
        if g.dim() > 1:
            rows, columns = state["row_var"], state["col_var"]
            rows += ((g * g).mean(dim=-1, keepdim=True) - rows) * share
            columns += ((g * g).mean(dim=-2, keepdim=True) - columns) * share
            variance = (rows @ columns) / rows.mean(dim=-2, keepdim=True).clamp(min=eps1)
        else:
            variance = state["variance"]
            variance += (g * g - variance) * share
        update = g / variance.clamp(min=eps1 * eps1).sqrt()
        norm = update.norm(2).item() / (update.numel() ** 0.5 * group["d"])
        p.sub_(update * (size / max(1.0, norm)))

    def _begin(self, p: Tensor, g: Tensor) -> dict[str, Any]:
        state = self.state[p]
        state["step"] = tensor(0.0, dtype=get_default_dtype())
        if g.dim() > 1:
            state["row_var"] = zeros_like(g[..., :1])
            state["col_var"] = zeros_like(g[..., :1, :])
        else:
            state["variance"] = zeros_like(g)
        return state
