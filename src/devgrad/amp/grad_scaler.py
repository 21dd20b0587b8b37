"""GradScaler: losses are scaled up so that float16 gradients do not vanish."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any

from .._filling import full
from .._tensor import Tensor
from ..autograd._modes import no_grad
from ..device import DTYPES, cuda_problem, user_stacklevel
from ..ops import FUNCTIONS

__all__ = ["GradScaler", "OptState"]


class OptState(Enum):
    """How far an optimizer has come since the last update."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class GradScaler:
    """Scales the loss, unscales the gradients, and leaves out steps that have overflowed.

    The scale is halved after a step with infinite gradients or NaN, and doubled after
    ``growth_interval`` steps without.

    Args:
        device: ``"cuda"`` or ``"cpu"``.
        init_scale: the first scale.
        growth_factor, backoff_factor: what the scale is multiplied by.
        growth_interval: after how many good steps in a row it grows.
        enabled: False makes it do nothing but call ``optimizer.step()``.

    Raises:
        AssertionError: these factors are none.

    >>> import devgrad
    >>> w = devgrad.ones(1, requires_grad=True)
    >>> optimizer = devgrad.optim.SGD([w], lr=0.5)
    >>> scaler = devgrad.amp.GradScaler("cpu")
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w
    tensor([0.], requires_grad=True)
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        if enabled and device == "cuda" and cuda_problem() is not None:
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=user_stacklevel(),
            )
            enabled = False
        self._device = device
        self._enabled = enabled
        if enabled:
            if growth_factor <= 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if backoff_factor >= 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
            self._init_scale = init_scale
            self._init_growth_tracker = 0
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            self._scale: Tensor | None = None  # made on the device of the first loss
            self._growth_tracker: Tensor | None = None
            self._per_optimizer_states: defaultdict[int, dict[str, Any]] = defaultdict(_fresh)

    # --- a step -----------------------------------------------------------------------------------

    def scale(self, outputs: Any) -> Any:
        """A tensor, or an iterable of tensors, times the scale.

        Raises:
            ValueError: there is something else.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._start(outputs.device)
            assert self._scale is not None
            return outputs * self._scale.to(outputs.device)
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(output) for output in outputs])
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _start(self, device: Any) -> None:
        self._scale = full((), self._init_scale, dtype=DTYPES["float32"], device=device)
        self._growth_tracker = full(
            (), self._init_growth_tracker, dtype=DTYPES["int32"], device=device
        )

    def _check_scale_growth_tracker(self, name: str) -> tuple[Tensor, Tensor]:
        if self._scale is None or self._growth_tracker is None:
            raise AssertionError(
                f"Attempted {name} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )
        return self._scale, self._growth_tracker

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, as before clipping.

        Raises:
            RuntimeError: that has been done, or the step made, since the last `update`.
            ValueError: a gradient is in float16.
        """
        if not self._enabled:
            return
        scale, _ = self._check_scale_growth_tracker("unscale_")
        found = self._per_optimizer_states[id(optimizer)]
        if found["stage"] is OptState.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if found["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        found["found_inf_per_device"] = self._unscale_grads_(optimizer, scale)
        found["stage"] = OptState.UNSCALED

    def _unscale_grads_(self, optimizer: Any, scale: Tensor) -> dict[Any, Tensor]:
        """Unscale; for each device, 1.0 where one of its gradients was not finite, else 0.0."""
        finite, where = FUNCTIONS[""]["isfinite"], FUNCTIONS[""]["where"]
        inverse = scale.double().reciprocal().float()
        found: dict[Any, Tensor] = {}
        with no_grad():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    grad = param.grad
                    if grad is None:
                        continue
                    if grad.dtype is DTYPES["float16"]:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    device = grad.device
                    infinite = where(finite(grad).all(), 0.0, 1.0)
                    found[device] = infinite if device not in found else found[device] + infinite
                    grad.mul_(inverse.to(device))
        return found

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients if that was not done, and step, unless one is infinite or NaN.

        Returns:
            What ``optimizer.step(*args, **kwargs)`` returned, or None without a step.

        Raises:
            RuntimeError: there is a closure, or the step was made since the last `update`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_scale_growth_tracker("step")
        found = self._per_optimizer_states[id(optimizer)]
        if found["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if found["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if not found["found_inf_per_device"]:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = None
        if not sum(infinite.item() for infinite in found["found_inf_per_device"].values()):
            result = optimizer.step(*args, **kwargs)
        found["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Change the scale by what the steps have met; at the end of each iteration.

        Args:
            new_scale: the scale to go on with, a float or a tensor of one element.
        """
        if not self._enabled:
            return
        scale, tracker = self._check_scale_growth_tracker("update")
        if isinstance(new_scale, (int, float)):
            scale.fill_(new_scale)
        elif new_scale is not None:
            reason = (
                "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
                "torch.FloatTensor with requires_grad=False."
            )
            if new_scale.device.type != self._device or new_scale.numel() != 1:
                raise AssertionError(reason)
            if new_scale.requires_grad:
                raise AssertionError(reason)
            scale.copy_(new_scale.reshape(()))
        else:
            infinite = [
                found.to(scale.device)
                for optimizer in self._per_optimizer_states.values()
                for found in optimizer["found_inf_per_device"].values()
            ]
            if not infinite:
                raise AssertionError("No inf checks were recorded prior to update.")
            self._change(scale, tracker, sum(infinite[1:], infinite[0]) > 0)
        self._per_optimizer_states = defaultdict(_fresh)

    def _change(self, scale: Tensor, tracker: Tensor, overflow: Tensor) -> None:
        """The new scale and count, computed on their device: nobody waits for them."""
        where, finite = FUNCTIONS[""]["where"], FUNCTIONS[""]["isfinite"]
        count = tracker + 1
        full_round = count == self._growth_interval
        larger = scale * self._growth_factor
        grown = where(full_round & finite(larger), larger, scale)
        scale.copy_(where(overflow, scale * self._backoff_factor, grown))
        tracker.copy_(where(overflow | full_round, 0, count))

    # --- looking and setting ----------------------------------------------------------------------

    def get_scale(self) -> float:
        """The scale; 1.0 where scaling is not enabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """What the scale grows by."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale grows by."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after an overflow."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after an overflow."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else int(tracker.item())

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    # --- saving -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The scale, its factors and its count of good steps; empty if it is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            RuntimeError: it is empty, but this scaler is enabled.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._start(self._scale.device)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, "
                    "or at the end after scaler.update()."
                )
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state
