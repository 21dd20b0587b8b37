"""What all schedules have in common."""

from __future__ import annotations

import functools
import types
import warnings
import weakref
from typing import Any

from ..._tensor import Tensor
from ...autograd._modes import no_grad
from ...device import user_stacklevel
from ..optimizer import Optimizer

__all__ = ["EPOCH_IS_DEPRECATED", "LRScheduler", "as_list", "load_functions", "require_optimizer",
           "save_functions", "set_option", "values_of"]  # fmt: skip

EPOCH_IS_DEPRECATED = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available. Please open an issue if you are unable to replicate your use case: "
    "https://github.com/pytorch/pytorch/issues/new/choose."
)
_ORDER = (
    "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)


def require_optimizer(optimizer: Any) -> None:
    """Raise a TypeError if this is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def values_of(optimizer: Optimizer, key: str) -> list[Any]:
    """An option of each group. (Of a tensor a copy: it is going to be changed in place.)"""
    return [_copied(group[key]) for group in optimizer.param_groups]


def as_list(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An argument that is given once for all groups, or for each."""
    groups = optimizer.param_groups
    if not isinstance(value, (list, tuple)):
        return [_copied(value) for _ in groups]
    if len(value) != len(groups):
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has "
            f"{len(value)} values, param_groups has {len(groups)}."
        )
    return [_copied(item) for item in value]


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def set_option(group: dict[str, Any], key: str, value: Any) -> None:
    """Change an option of a group; a tensor in place."""
    if isinstance(group[key], Tensor):
        with no_grad():
            group[key].fill_(value)
    else:
        group[key] = value


def save_functions(functions: list[Any]) -> list[Any]:
    """The attributes of callable objects; None for plain functions, which are not saved."""
    plain = types.FunctionType
    return [None if isinstance(f, plain) else f.__dict__.copy() for f in functions]


def load_functions(functions: list[Any], saved: list[Any]) -> None:
    """Give callable objects the attributes that `save_functions` gave."""
    for function, attributes in zip(functions, saved):
        if attributes is not None:
            function.__dict__.update(attributes)


class LRScheduler:
    """The base of all schedules. A subclass gives ``get_lr``, the rates for ``last_epoch``.

    Args:
        optimizer: whose learning rates are changed.
        last_epoch: where to go on; -1 begins.

    Attributes:
        base_lrs: the rates that the groups began with.
        last_epoch: how many steps were made.

    Raises:
        TypeError: ``optimizer`` is none. KeyError: going on with groups that never began.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        for index, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{index}] when resuming "
                    "scheduler with last_epoch >= 0.\nThis typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n"
                    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs = values_of(optimizer, "initial_lr")
        self.last_epoch: Any = last_epoch
        _notice_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates that training begins with."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, as a dict."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> list[Any]:
        """The rates of the groups, as last set."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The rates for ``last_epoch``, computed from those before where that is possible."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def _lrs_within_step(self) -> list[Any]:
        """The groups' present rates, for get_lr; warns if the user called that."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`.",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        return values_of(self.optimizer, "lr")

    def step(self, epoch: Any = None) -> None:
        """Go on by one, and set the groups' rates.

        Args:
            epoch: go there instead. Deprecated.
        """
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_IS_DEPRECATED, UserWarning, stacklevel=user_stacklevel())
        self._update_lr(epoch)

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before "
                f"`lr_scheduler.step()`. {_ORDER}",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch "
                "1.1.0 and later, you should call them in the opposite order: `optimizer.step()` "
                "before `lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping "
                f"the first value of the learning rate schedule. {_ORDER}",
                UserWarning,
                stacklevel=user_stacklevel(),
            )

    def _update_lr(self, epoch: Any = None) -> None:
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", self.get_lr)
                rates = closed_form()
        finally:
            self._get_lr_called_within_step = False
        self._set(rates)

    def _set(self, rates: list[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", rate)
        self._last_lr = values_of(self.optimizer, "lr")


def _notice_steps(optimizer: Any) -> None:
    """Have the optimizer remember that it made a step."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    reference = weakref.ref(optimizer)
    function = optimizer.step.__func__

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        found = reference()
        found._opt_called = True  # type: ignore[union-attr]
        return function(found, *args, **kwargs)

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = step
