"""L-BFGS: Newton's method with a curvature learnt from the last steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._tensor import Tensor
from ..autograd._modes import enable_grad, no_grad
from ._strong_wolfe import strong_wolfe
from .optimizer import Optimizer, check_learning_rate, number, require

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """L-BFGS, for losses that are the same at each evaluation. All parameters are one vector.

    Args:
        params: tensors; one group only.
        lr: the length of a step, relative to Newton's.
        max_iter: iterations in one call of `step`.
        max_eval: evaluations of the closure in one call; default 1.25 times ``max_iter``.
        tolerance_grad: stop where no element of the gradient is larger.
        tolerance_change: stop where neither parameters nor loss change more.
        history_size: how many of the last steps the curvature is learnt from.
        line_search_fn: ``"strong_wolfe"``, or None for steps of length ``lr``.

    Raises:
        ValueError: an option is out of its range, or there are several groups.

    >>> import devgrad as torch
    >>> x = torch.tensor([-1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(3):
    ...     _ = optimizer.step(closure)
    >>> x
    tensor([1.0000, 1.0000], requires_grad=True)
    """

    def __init__(
        self, params: Any, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_learning_rate(lr)
        super().__init__(params, dict(
            lr=lr, max_iter=max_iter,
            max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad, tolerance_change=tolerance_change,
            history_size=history_size, line_search_fn=line_search_fn,
        ))  # fmt: skip
        require(
            len(self.param_groups) == 1,
            "LBFGS doesn't support per-parameter options (parameter groups)",
        )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to ``max_iter`` iterations.

        Args:
            closure: computes the loss and its gradients anew; it is called many times.

        Returns:
            The loss before the first.

        Raises:
            TypeError: there is no closure.
        """
        if closure is None:
            raise TypeError(
                "LBFGS.step() missing 1 required positional argument: 'closure'. It computes the "
                "loss and its gradients, and returns the loss"
            )
        with no_grad():
            return self._iterate(enable_grad()(closure))

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr = number(group["lr"])
        tolerance_grad, tolerance_change = group["tolerance_grad"], group["tolerance_change"]
        searches = group["line_search_fn"]
        if searches not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss = float(number(first_loss))
        evaluations = 1
        state["func_evals"] += 1
        g = self._gradient()
        if g.abs().max() <= tolerance_grad:
            return first_loss
        memory = _Memory(state, group["history_size"])
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] > 1:
                memory.learn(g - state["prev_flat_grad"], state["d"] * state["t"])
            d = state["d"] = memory.direction(g)
            state["prev_flat_grad"], state["prev_loss"] = g.clone(), loss
            previous = loss
            first = state["n_iter"] == 1
            t = state["t"] = min(1.0, 1.0 / g.abs().sum().item()) * lr if first else lr
            slope = g.dot(d).item()
            if slope > -tolerance_change:
                break
            used = 0
            if searches:
                origin = [p.clone() for p in group["params"]]

                def evaluate(t: float, d: Tensor = d, origin: Any = origin) -> tuple[float, Tensor]:
                    self._move(t, d)
                    loss = float(number(closure()))
                    g = self._gradient()
                    for p, before in zip(group["params"], origin):
                        p.copy_(before)
                    return loss, g

                loss, g, t, used = strong_wolfe(
                    evaluate, t, d, loss, g, slope, max_ls=group["max_eval"] - evaluations
                )
                state["t"] = t
                self._move(t, d)
            else:
                self._move(t, d)
                if iteration != group["max_iter"]:
                    loss = float(number(closure()))
                    g = self._gradient()
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= group["max_eval"]
                or g.abs().max() <= tolerance_grad
                or (d * t).abs().max() <= tolerance_change
                or abs(loss - previous) < tolerance_change
            ):
                break
        return first_loss

    def _gradient(self) -> Tensor:
        """All gradients in one vector; complex numbers as two real ones."""
        parts = []
        for p in self.param_groups[0]["params"]:
            g = p.new_zeros(p.shape) if p._grad is None else p._grad
            parts.append(_as_vector(g))
        first, *rest = parts
        joined: Tensor = first.new_empty(sum(part.numel() for part in parts))
        joined.copy_(_joined([first, *rest]))
        return joined

    def _move(self, t: float, d: Tensor) -> None:
        """Add ``t * d`` to the parameters."""
        start = 0
        for p in self.param_groups[0]["params"]:
            size = p.numel() * (2 if p.is_complex() else 1)
            step = d[start : start + size] * t
            if p.is_complex():
                step = step.view(-1, 2)
                p.add_((step[:, 0] + 1j * step[:, 1]).view(p.shape))
            else:
                p.add_(step.view(p.shape))
            start += size


def _as_vector(g: Tensor) -> Tensor:
    flat: Tensor = g.reshape(-1)
    if not g.is_complex():
        return flat
    pairs: Tensor = _joined([flat.real.reshape(-1, 1), flat.imag.reshape(-1, 1)], 1).reshape(-1)
    return pairs


def _joined(parts: list[Tensor], dim: int = 0) -> Tensor:
    from ..ops import FUNCTIONS

    joined: Tensor = FUNCTIONS[""]["cat"](parts, dim)
    return joined


class _Memory:
    """The last steps, and the inverse curvature that they tell of. Kept in the state."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.state = state
        self.size = size
        for name in ("old_dirs", "old_stps", "ro"):
            state.setdefault(name, [])
        state.setdefault("H_diag", 1)

    def learn(self, y: Tensor, s: Tensor) -> None:
        """Remember that along the step ``s`` the gradient changed by ``y``."""
        state = self.state
        ys = y.dot(s)
        if ys > 1e-10:
            lists = state["old_dirs"], state["old_stps"], state["ro"]
            for values, value in zip(lists, (y, s, 1.0 / ys)):
                if len(values) == self.size:
                    values.pop(0)
                values.append(value)
            state["H_diag"] = ys / y.dot(y)

    def direction(self, g: Tensor) -> Tensor:
        """Minus the gradient, times the inverse curvature: the two loops of L-BFGS."""
        state = self.state
        history = list(zip(state["old_dirs"], state["old_stps"], state["ro"]))
        q = -g
        weights = []
        for y, s, ro in reversed(history):
            weights.append(s.dot(q) * ro)
            q = q - y * weights[-1]
        d: Tensor = q * state["H_diag"]
        for (y, s, ro), weight in zip(history, reversed(weights)):
            d = d + s * (weight - y.dot(d) * ro)
        return d
