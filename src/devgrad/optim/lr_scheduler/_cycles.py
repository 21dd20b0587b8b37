"""Schedules that raise the rate and lower it again, and the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from ._base import (
    LRScheduler,
    as_list,
    load_functions,
    require_optimizer,
    save_functions,
    set_option,
)

__all__ = ["CyclicLR", "OneCycleLR"]


class _WithMomentum(LRScheduler):
    """What the two have in common: a momentum that goes against the rate."""

    use_beta1: bool

    def _begin_momentum(self, base: list[float], top: list[float], begins: bool) -> None:
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        if begins:
            for group, low, high in zip(optimizer.param_groups, base, top):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """The rate goes up from ``base_lr`` to ``max_lr`` and down, again and again (Smith).

    Args:
        optimizer: whose rates are changed.
        base_lr, max_lr: the bounds, for all groups or each.
        step_size_up, step_size_down: how many steps go up and down.
        mode: ``"triangular"``; ``"triangular2"``, each cycle half as high as the one before;
            ``"exp_range"``, lower by ``gamma`` at each step.
        gamma: see ``mode``.
        scale_fn: a function that gives the height of a cycle, instead of ``mode``.
        scale_mode: whether it is given the number of the ``"cycle"``, or of ``"iterations"``.
        cycle_momentum: whether the momentum goes down as the rate goes up.
        base_momentum, max_momentum: its bounds.
        last_epoch: where to go on; -1 begins.

    Raises:
        ValueError: an unknown mode, or an optimizer without momentum.
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: Any, max_lr: Any, step_size_up: int = 2000,
        step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
        cycle_momentum: bool = True, base_momentum: Any = 0.8, max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        require_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = as_list("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs):
                set_option(group, "lr", rate)
        self.max_lrs = as_list("max_lr", optimizer, max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up) + float(down)
        self.step_ratio = step_size_up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = as_list("base_momentum", optimizer, base_momentum)
            self.max_momentums = as_list("max_momentum", optimizer, max_momentum)
            self._begin_momentum(self.base_momentums, self.max_momentums, last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, by its number or the number of the step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (x - 1)

    def get_lr(self) -> list[Any]:
        """The rates for ``last_epoch``; sets the momentum too."""
        self._lrs_within_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums)
            for group, low, high in bounds:
                self._set_momentum(group, high - (high - low) * height * scale)
        return [
            low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs)
        ]

    def state_dict(self) -> dict[str, Any]:
        """As `LRScheduler.state_dict`; of ``scale_fn`` only a callable object's attributes."""
        custom = self._scale_fn_custom
        saved = None if custom is None else save_functions([custom])[0]
        return {**super().state_dict(), "_scale_fn_custom": saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        custom = self._scale_fn_custom
        load_functions([custom], [state_dict["_scale_fn_custom"]])
        super().load_state_dict({**state_dict, "_scale_fn_custom": custom})


class OneCycleLR(_WithMomentum):
    """The rate goes up to ``max_lr``, then down to nearly nothing, once (Smith and Topin).

    To be stepped after each batch.

    Args:
        optimizer: whose rates are changed.
        max_lr: the highest, for all groups or each.
        total_steps, or epochs and steps_per_epoch: how many steps the cycle has.
        pct_start: the part of them that go up.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: whether the momentum goes down as the rate goes up.
        base_momentum, max_momentum: its bounds.
        div_factor: the first rate is ``max_lr`` divided by this,
        final_div_factor: and the last is the first divided by this.
        three_phase: down to the first rate as long as it went up, and only then to the last.
        last_epoch: where to go on; -1 begins.

    Raises:
        ValueError: an argument is out of its range, or an optimizer without momentum.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: Any = 0.85,
        max_momentum: Any = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        require_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _count_steps(total_steps, epochs, steps_per_epoch)
        rise = float(pct_start * self.total_steps)
        up, down = ("initial_lr", "max_lr"), ("max_lr", "initial_lr")
        falls, grows, stays = (
            ("max_momentum", "base_momentum"), ("base_momentum", "max_momentum"),
            ("max_momentum", "max_momentum"),
        )  # fmt: skip
        if three_phase:
            self._schedule_phases = [
                _phase(rise - 1, up, falls),
                _phase(2 * rise - 2, down, grows),
                _phase(self.total_steps - 1, ("initial_lr", "min_lr"), stays),
            ]
        else:
            self._schedule_phases = [
                _phase(rise - 1, up, falls),
                _phase(self.total_steps - 1, ("max_lr", "min_lr"), grows),
            ]
        if not 0 <= pct_start <= 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, as_list("max_lr", optimizer, max_lr)):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(
                as_list("base_momentum", optimizer, base_momentum),
                as_list("max_momentum", optimizer, max_momentum), last_epoch == -1,
            )  # fmt: skip
        super().__init__(optimizer, last_epoch)

    def _anneal(self, start: Any, end: Any, way: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * way + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * way) + 1)

    def get_lr(self) -> list[Any]:
        """The rates for ``last_epoch``; sets the momentum too.

        Raises:
            ValueError: the cycle is over.
        """
        self._lrs_within_step()
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        begin = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                break
            begin = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        way = (self.last_epoch - begin) / (phase["end_step"] - begin)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], way))
            if self.cycle_momentum:
                start, end = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._anneal(start, end, way))
        return rates


def _count_steps(total: Any, epochs: Any, per_epoch: Any) -> int:
    given = {"total_steps": total}
    if total is None:
        if epochs is None or per_epoch is None:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        given = {"epochs": epochs, "steps_per_epoch": per_epoch}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(given.values())


def _phase(end_step: float, lr: tuple[str, str], momentum: tuple[str, str]) -> dict[str, Any]:
    return {
        "end_step": end_step, "start_lr": lr[0], "end_lr": lr[1], "start_momentum": momentum[0],
        "end_momentum": momentum[1],
    }  # fmt: skip
