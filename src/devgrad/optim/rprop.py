"""Rprop: steps by the sign of the gradient alone."""

from __future__ import annotations

from typing import Any

from ._elementwise import Elementwise, Update, slope
from .optimizer import check_learning_rate, number, require

__all__ = ["Rprop"]


class Rprop(Elementwise):
    """Rprop (Riedmiller and Braun), for gradients of the whole data.

    Each element has a step size, which grows while its gradient keeps its sign, and shrinks when
    the sign changes; then it waits for one step.

    Args:
        params: tensors, or dicts of groups; see `Optimizer`.
        lr: the first step size.
        etas: the factors by which step sizes shrink and grow.
        step_sizes: the smallest and the largest.
        maximize: ascend.
        foreach, capturable: taken for compatibility.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50), *, capturable: bool = False,
        foreach: bool | None = None, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        require(0.0 < etas[0] < 1.0 < etas[1], f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, dict(
            lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"prev": 0.0, "step_size": number(group["lr"])}

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        (shrink, grow), (smallest, largest) = group["etas"], group["step_sizes"]
        maximize = group["maximize"]

        def update(xp: Any, p: Any, g: Any, a: Any, b: Any, prev: Any, step_size: Any) -> None:
            g = slope(xp, p, g, b, maximize, 0)
            xp.multiply(g, prev, a)
            same, changed = a > 0, a < 0
            a.fill(1)
            a[same] = grow
            a[changed] = shrink
            step_size *= a
            xp.clip(step_size, smallest, largest, out=step_size)
            prev[...] = g
            prev[changed] = 0
            xp.sign(prev, a)
            a *= step_size
            p -= a

        return update
