"""Optimizers that look at a parameter as a whole, a matrix, and so take them one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autograd._provenance import user_line
from .optimizer import Optimizer, evaluated

__all__ = ["OneByOne"]


class OneByOne(Optimizer):
    """An optimizer whose subclass says, in `_update`, how one parameter is changed."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once, by their gradients. See `Optimizer.step`."""
        loss = evaluated(closure)
        line = user_line()
        for group in self.param_groups:
            for p in group["params"]:
                if p._grad is None:
                    continue
                if p._type.dtype.is_complex:
                    name = type(self).__name__
                    raise RuntimeError(f"{name} does not support complex parameters")
                with p._type.xp.on_device(p._type.device.index):
                    self._update(p, group)
                if p._changes is not None:
                    p._changes[0] += 1
                    p._changes[1] = line
        return loss

    def _update(self, param: Any, group: dict[str, Any]) -> None:
        """Change a parameter's array by its gradient's."""
        raise NotImplementedError
