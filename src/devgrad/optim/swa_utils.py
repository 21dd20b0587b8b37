"""Averages of a model's weights over training: SWA and EMA."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from .._creation import tensor as _tensor
from .._tensor import Tensor
from ..autograd._modes import no_grad
from ..device import DTYPES
from ..nn.modules.module import Module
from .lr_scheduler._base import LRScheduler, as_list
from .optimizer import Optimizer

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
           "get_swa_multi_avg_fn", "update_bn"]  # fmt: skip


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A function that gives the exponential moving average of one parameter.

    Raises:
        ValueError: ``decay`` is not between 0 and 1.
    """
    _check_decay(decay)

    def average(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return ema_param * decay + current_param * (1 - decay)

    return average


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A function that gives the equal average of one parameter."""

    def average(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        with no_grad():
            return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return average


def _of_lists(average: Callable[[Tensor, Tensor, Any], Tensor]) -> Callable[[Any, Any, Any], None]:
    def update(averaged: Iterable[Tensor], current: Iterable[Tensor], num_averaged: Any) -> None:
        with no_grad():
            for mean, param in zip(averaged, current, strict=True):
                mean.copy_(average(mean, param, num_averaged))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], None]:
    """A function that brings a list of exponential moving averages up to date.

    Raises:
        ValueError: ``decay`` is not between 0 and 1.
    """
    return _of_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable[[Any, Any, Any], None]:
    """A function that brings a list of equal averages up to date."""
    return _of_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose weights are the average of the model's over training.

    Args:
        model: what to copy.
        device: where to keep the average.
        avg_fn: ``avg_fn(average, param, number averaged so far)``; default the equal average.
        multi_avg_fn: the same for lists, in place.
        use_buffers: whether buffers are averaged too, not only copied.

    Raises:
        AssertionError: both functions were given.

    >>> import devgrad as torch
    >>> model = torch.nn.Linear(2, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> average.update_parameters(model)
    >>> average.n_averaged
    tensor(1)
    """

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Tensor] | None = None,
        multi_avg_fn: Callable[..., None] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", _tensor(0, dtype=DTYPES["int64"], device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present weights into the average."""
        if self.use_buffers:
            mine = [*self.module.parameters(), *self.module.buffers()]
            theirs: Any = chain(model.parameters(), model.buffers())
        else:
            mine, theirs = list(self.parameters()), model.parameters()
        averaged = [p.detach() for p in mine]
        current = [p.detach().to(q.device) for p, q in zip(theirs, averaged)]
        if self.n_averaged == 0:
            for mean, param in zip(averaged, current):
                mean.copy_(param)
        else:
            update = self.multi_avg_fn or _of_lists(self.avg_fn or get_swa_avg_fn())
            kinds: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
            for mean, param in zip(averaged, current):
                pair = kinds.setdefault(mean._type, ([], []))
                pair[0].append(mean)
                pair[1].append(param)
            for kind, (means, params) in kinds.items():
                update(means, params, self.n_averaged.to(kind.device))
        if not self.use_buffers:
            for mine_, theirs_ in zip(self.module.buffers(), model.buffers(), strict=True):
                mine_.detach().copy_(theirs_.detach().to(mine_.device))
        self.n_averaged += 1


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch normalisations over the data anew.

    Args:
        loader: gives batches; of a tuple or list, the first is the input.
        model: runs on all of them, in training mode.
        device: where to move each batch.
    """
    momenta = {m: m.momentum for m in model.modules() if hasattr(m, "reset_running_stats")}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # the equal average
    with no_grad():
        for batch in loader:
            input = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(input if device is None else input.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """The rate goes to ``swa_lr`` within ``anneal_epochs``, and stays there.

    Args:
        optimizer: whose rates are changed.
        swa_lr: the last rate, for all groups or each.
        anneal_epochs: how many steps it takes.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: where to go on; -1 begins.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10,
        anneal_strategy: str = "cos", last_epoch: int = -1,
    ) -> None:  # fmt: skip
        for group, rate in zip(optimizer.param_groups, as_list("swa_lr", optimizer, swa_lr)):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if anneal_epochs < 0 or anneal_epochs != int(anneal_epochs):
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """The last rate's share after so many steps."""
        way = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return way if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * way)) / 2

    def get_lr(self) -> list[Any]:
        """The rates for ``last_epoch``, from those before: others may change them too."""
        rates = self._lrs_within_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        result = []
        for rate, group in zip(rates, self.optimizer.param_groups):
            last = group["swa_lr"]
            first = last if before == 1 else (rate - before * last) / (1 - before)
            result.append(last * now + first * (1 - now))
        return result
