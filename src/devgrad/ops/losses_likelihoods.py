"""Likelihoods of numbers: divergence from a distribution, Poisson's and the normal one."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._modes import no_grad
from ..device import user_stacklevel
from ._functional import FUNCTIONAL, chosen_reduction, reduced
from ._op import composite

__all__: list[str] = []


def _divergence(input: Tensor, target: Tensor, log_target: bool) -> Tensor:
    if log_target:
        return target.exp() * (target - input)
    result: Tensor = target.xlogy(target) - target * input
    return result


@composite(**FUNCTIONAL)
def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """The divergence ``target * (log(target) - input)``; ``input`` holds logarithms.

    Args:
        input: logarithms of probabilities.
        target: probabilities, or their logarithms if ``log_target``.
        size_average, reduce: older forms of ``reduction``.
        reduction: ``"none"``, ``"mean"``, ``"sum"``, or ``"batchmean"``: the sum over the size of
            the first dimension, which is the divergence as it is defined.

    Raises:
        ValueError: there is no such reduction.

    >>> import devgrad
    >>> p = devgrad.tensor([[0.5, 0.5]])
    >>> devgrad.nn.functional.kl_div(p.log(), p, reduction="batchmean")
    tensor(0.)
    """
    batch = reduction == "batchmean" and size_average is None and reduce is None
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
            stacklevel=user_stacklevel(),
        )
    reduction = chosen_reduction("sum" if batch else reduction, size_average, reduce)
    result = reduced(_divergence(input, target, log_target), reduction)
    return result / input.shape[0] if batch and input.ndim else result


@composite(**FUNCTIONAL)
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The negative logarithm of Poisson's probability of ``target``.

    Args:
        input: the expected number, or its logarithm if ``log_input``.
        target: the number that was observed.
        full: add Stirling's approximation of ``log(target!)`` for targets above 1.
        eps: added to ``input`` before its logarithm is taken.
        size_average, reduce, reduction: as for `mse_loss`.

    Raises:
        ValueError: there is no such reduction.

    >>> import devgrad
    >>> devgrad.nn.functional.poisson_nll_loss(devgrad.tensor([0.0]), devgrad.tensor([2.0]))
    tensor(1.)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    logarithm = input if log_input else (input + eps).log()
    loss = (input.exp() if log_input else input) - target * logarithm
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


@composite(**FUNCTIONAL)
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The negative logarithm of the normal density of ``target``.

    Args:
        input: the expected value. target: what was observed.
        var: the variance: a number, of the shape of ``input``, or without its last dimension.
        full: add the constant ``log(2 pi) / 2``.
        eps: the least variance; the gradient passes all the same.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: ``var`` is negative or of a wrong size, or there is no such reduction.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0])
    >>> devgrad.nn.functional.gaussian_nll_loss(x, devgrad.tensor([3.0]), devgrad.tensor([1.0]))
    tensor(2.)
    """
    spread: Any = var
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        kind = input._type
        spread = wrap(kind.xp.full(input._array.shape, var, kind.array_dtype), kind)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if spread.shape != input.shape:
        if input.shape[:-1] == spread.shape:
            spread = spread.unsqueeze(-1)
        else:
            pairs = list(zip(input.shape, spread.shape, strict=False))
            if input.ndim != spread.ndim or sum(m for n, m in pairs if n != m) != 1:
                raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    variance = spread.clone()
    with no_grad():  # the gradient is that of var even where it is less than eps
        variance.clamp_(min=eps)
    loss = 0.5 * (variance.log() + (input - target) ** 2 / variance)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)


# --- as devgrad itself has them -------------------------------------------------------------------


@composite(method=False, out=False)
def kl_div_(
    input: Tensor, target: Tensor, reduction: int | str = 0, *, log_target: bool = False
) -> Tensor:
    """`nn.functional.kl_div`; ``reduction`` 0 for none, 1 for mean, 2 for sum.

    >>> import devgrad
    >>> p = devgrad.tensor([0.5, 0.5])
    >>> devgrad.kl_div(p.log(), p)
    tensor([0., 0.])
    """
    return reduced(_divergence(input, target, log_target), chosen_reduction(reduction))


@composite(method=False, out=False)
def poisson_nll_loss_(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int | str
) -> Tensor:
    """`nn.functional.poisson_nll_loss`; ``reduction`` 0 for none, 1 for mean, 2 for sum.

    >>> import devgrad
    >>> x, y = devgrad.tensor([0.0]), devgrad.tensor([2.0])
    >>> devgrad.poisson_nll_loss(x, y, True, False, 1e-8, 1)
    tensor(1.)
    """
    return poisson_nll_loss(
        input, target, log_input, full, None, eps, None, chosen_reduction(reduction)
    )
