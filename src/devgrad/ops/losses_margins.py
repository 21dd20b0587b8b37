"""Losses by margins and distances, and the distances themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._modes import no_grad
from ._functional import FUNCTIONAL, chosen_reduction, reduced
from ._op import FUNCTIONS, composite
from .comparison import where
from .elementwise import relu
from .norms import vector_norm

__all__: list[str] = []


# --- distances ------------------------------------------------------------------------------------


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim``.

    Args:
        x1, x2: they are broadcast, to a common floating-point dtype.
        eps: norms are taken to be at least that.

    Raises:
        RuntimeError: both hold integers, or the shapes do not broadcast.

    >>> import devgrad
    >>> x, y = devgrad.tensor([[1.0, 0.0]]), devgrad.tensor([[1.0, 1.0]])
    >>> devgrad.nn.functional.cosine_similarity(x, y)
    tensor([0.7071])
    """
    kinds = FUNCTIONS[""]
    if not (x1._type.floating or x2._type.floating):
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{x1._type.dtype.title}"
        )
    if x1._type is not x2._type:
        like = x1 if x1._type.floating else x2
        x1, x2 = x1.to(like.dtype), x2.to(like.dtype)
    x1, x2 = kinds["broadcast_tensors"](x1, x2)
    units = []
    for x in (x1, x2):
        norm = vector_norm(x, 2, dim, keepdim=True).clone()
        with no_grad():  # the gradient is that of the norm, also where it is less than eps
            norm.clamp_(min=eps)
        units.append(x / norm)
    return (units[0] * units[1]).sum(dim)


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The ``p``-norm of ``x1 - x2 + eps`` over the last dimension.

    >>> import devgrad
    >>> devgrad.pairwise_distance(devgrad.tensor([[3.0, 4.0]]), devgrad.zeros(1, 2), eps=0.0)
    tensor([5.])
    """
    difference = x1 - x2 + eps
    result: Tensor = FUNCTIONS[""]["norm"](difference, p, difference.ndim - 1, keepdim)
    return result


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input1 @ weight[k] @ input2 + bias[k]`` for every k.

    Args:
        input1: (..., n). input2: (..., m), with the same dimensions before.
        weight: (K, n, m). bias: (K). The result is (..., K).

    Raises:
        RuntimeError: the sizes do not fit.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.bilinear(x, x, devgrad.ones(1, 2, 2))
    tensor([9.])
    """
    for i, x in enumerate((input1, input2), 1):
        if x.shape[-1] != weight.shape[i]:
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {x.shape[-1]} but "
                f"expected {weight.shape[i]}"
            )
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{list(input1.shape[:-1])} and {list(input2.shape[:-1])}"
        )
    k, n, m = weight.shape
    rows, columns = input1.reshape(-1, n), input2.reshape(-1, m, 1)
    halfway = (rows @ weight.permute(1, 0, 2).reshape(n, k * m)).reshape(rows.shape[0], k, m)
    result = (halfway @ columns).reshape(*input1.shape[:-1], k)
    return result if bias is None else result + bias


# --- losses by distances --------------------------------------------------------------------------


def _positive_part(x: Tensor) -> Tensor:
    """``max(x, 0)``; at 0 the gradient passes, as in PyTorch."""
    return x.clamp_min(0)


@composite(method=False, out=False)
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int | str = 0
) -> Tensor:
    """`nn.functional.hinge_embedding_loss`; ``reduction`` 0 for none, 1 for mean, 2 for sum.

    >>> import devgrad
    >>> devgrad.hinge_embedding_loss(devgrad.tensor([0.25]), devgrad.tensor([-1]))
    tensor([0.7500])
    """
    apart = _positive_part(margin - input).masked_fill(target == 1, 0)
    return reduced(apart + input.masked_fill(target == -1, 0), chosen_reduction(reduction))


@composite(**FUNCTIONAL)
def hinge_embedding_loss_(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``input`` where the target is 1, ``max(0, margin - input)`` where it is -1.

    >>> import devgrad
    >>> x, y = devgrad.tensor([0.25, 0.25]), devgrad.tensor([1, -1])
    >>> devgrad.nn.functional.hinge_embedding_loss(x, y)
    tensor(0.5000)
    """
    chosen = chosen_reduction(reduction, size_average, reduce)
    return hinge_embedding_loss(input, target, margin, chosen)


@composite(method=False, out=False)
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int | str = 0
) -> Tensor:
    """`nn.functional.margin_ranking_loss`; ``reduction`` 0 for none, 1 for mean, 2 for sum.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0])
    >>> devgrad.margin_ranking_loss(x, 2 * x, devgrad.tensor([1]))
    tensor([1.])
    """
    loss = _positive_part(-target * (input1 - input2) + margin)
    return reduced(loss, chosen_reduction(reduction))


@composite(**FUNCTIONAL)
def margin_ranking_loss_(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``max(0, margin - target * (input1 - input2))``: 1 if the first is to be larger, or -1.

    Raises:
        RuntimeError: they have different numbers of dimensions.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0])
    >>> devgrad.nn.functional.margin_ranking_loss(x, 2 * x, devgrad.tensor([1]))
    tensor(1.)
    """
    chosen = chosen_reduction(reduction, size_average, reduce)
    if input1.ndim != input2.ndim or input1.ndim != target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return margin_ranking_loss(input1, input2, target, margin, chosen)


@composite(method=False, out=False)
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int | str = 0
) -> Tensor:
    """`nn.functional.cosine_embedding_loss`; ``reduction`` 0 for none, 1 for mean, 2 for sum.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 0.0])
    >>> devgrad.cosine_embedding_loss(x, -x, devgrad.tensor(1))
    tensor(2.)
    """
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.ndim == 1 and max(input1.ndim, input2.ndim) < 2:
        raise RuntimeError(
            "1D target tensor expects 2D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    if target.ndim == 0 and max(input1.ndim, input2.ndim) > 1:
        raise RuntimeError(
            "0D target tensor expects 1D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    tiny, dim = 1e-12, target.ndim
    products = (input1 * input2).sum(dim)
    squares = ((input1 * input1).sum(dim) + tiny) * ((input2 * input2).sum(dim) + tiny)
    cosine = products / squares.sqrt()
    apart = _positive_part(cosine - margin)
    loss = where(target == 1, 1 - cosine, 0) + where(target == -1, apart, 0)
    return reduced(loss, chosen_reduction(reduction))


@composite(**FUNCTIONAL)
def cosine_embedding_loss_(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``1 - cos`` where the target is 1, ``max(0, cos - margin)`` where it is -1.

    Args:
        input1, input2: (N, m), or (m).
        target: (N), or (): 1 or -1.

    Raises:
        RuntimeError: the numbers of dimensions do not fit.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 0.0]])
    >>> devgrad.nn.functional.cosine_embedding_loss(x, -x, devgrad.tensor([1]))
    tensor(2.)
    """
    chosen = chosen_reduction(reduction, size_average, reduce)
    return cosine_embedding_loss(input1, input2, target, margin, chosen)


def _triplet(
    positive: Tensor, negative: Tensor, swapped: Tensor | None, margin: float, reduction: str
) -> Tensor:
    if swapped is not None:
        negative = FUNCTIONS[""]["minimum"](negative, swapped)
    return reduced(_positive_part(margin + positive - negative), reduction)


def _check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor) -> None:
    dims = anchor.ndim, positive.ndim, negative.ndim
    if len(set(dims)) > 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {dims[0]}D, positive {dims[1]}D, and negative {dims[2]}D "
            "inputs"
        )


@composite(method=False, out=False)
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, reduction: int | str = 0,
) -> Tensor:  # fmt: skip
    """`nn.functional.triplet_margin_loss`; ``reduction`` 0 for none, 1 for mean, 2 for sum.

    >>> import devgrad
    >>> x = devgrad.tensor([[0.0]])
    >>> devgrad.triplet_margin_loss(x, x + 2, x + 1)
    tensor([2.])
    """
    _check_triplet(anchor, positive, negative)
    return _triplet(
        pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps),
        pairwise_distance(positive, negative, p, eps) if swap else None, margin,
        chosen_reduction(reduction),
    )  # fmt: skip


def _check_margin(margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


@composite(**FUNCTIONAL)
def triplet_margin_loss_(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``max(0, margin + |anchor - positive| - |anchor - negative|)``, by `pairwise_distance`.

    With ``swap``, the second distance is that from ``positive`` to ``negative`` if it is smaller.

    Raises:
        RuntimeError: they have different numbers of dimensions.
        ValueError: ``margin`` is not positive, or there is no such reduction.

    >>> import devgrad
    >>> x = devgrad.tensor([[0.0]])
    >>> devgrad.nn.functional.triplet_margin_loss(x, x + 2, x + 1)
    tensor(2.)
    """
    chosen = chosen_reduction(reduction, size_average, reduce)
    _check_margin(margin)
    return triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, chosen)


@composite(**FUNCTIONAL)
def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """`triplet_margin_loss` by any distance.

    Raises:
        RuntimeError: they have different numbers of dimensions.
        ValueError: ``margin`` is not positive, or there is no such reduction.

    >>> import devgrad
    >>> x = devgrad.tensor([[0.0]])
    >>> devgrad.nn.functional.triplet_margin_with_distance_loss(
    ...     x, x + 2, x + 1, distance_function=lambda a, b: (a - b).abs().sum(1))
    tensor(2.)
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    _check_margin(margin)
    _check_triplet(anchor, positive, negative)
    distance: Any = pairwise_distance if distance_function is None else distance_function
    return _triplet(
        distance(anchor, positive), distance(anchor, negative),
        distance(positive, negative) if swap else None, margin, reduction,
    )  # fmt: skip


# --- losses by classes ----------------------------------------------------------------------------


def _two_dims(name: str, input: Tensor) -> tuple[Tensor, int]:
    """``input`` as (N, C), and N; for fewer dimensions N is 1."""
    if input.ndim > 2 or not input._array.size and input._array.shape[-1:] == (0,):
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    rows = input if input.ndim == 2 else input.reshape(1, -1)
    return rows, rows.shape[0]


@composite(**FUNCTIONAL)
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The sum over other classes of ``max(0, margin - x[target] + x[other]) ** p``, over C.

    Args:
        input: (N, C) or (C).
        target: (N) or (): class indices.
        p: 1 or 2.
        weight: of the target classes, (C).

    Raises:
        RuntimeError: shapes do not fit, or a target is no class.
        ValueError: ``p`` is neither 1 nor 2, or ``weight`` is not one-dimensional.

    >>> import devgrad
    >>> x = devgrad.tensor([[0.0, 0.5]])
    >>> devgrad.nn.functional.multi_margin_loss(x, devgrad.tensor([0]))
    tensor(0.7500)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    x, n = _two_dims("multi_margin_loss", input)
    if target.ndim > 1 or target.numel() != n:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{n}], but got {list(target.shape)}. "
            f"Input has shape {list(input.shape)}."
        )
    xp, classes = x._type.xp, x.shape[1]
    chosen = target.reshape(-1, 1)
    array = chosen._array
    if xp.checks_bounds and array.size and (array.min() < 0 or array.max() >= classes):
        raise RuntimeError("target out of range")
    parts = relu.function(margin - x.gather(1, chosen) + x)
    others = wrap(xp.arange(classes) != array, x._type.device.types[xp.dtype(bool)])
    loss = where((parts > 0) & others, parts * parts if p == 2 else parts, 0)
    if weight is not None:
        loss = loss * weight[chosen]
    each = loss.sum(1) / classes
    return reduced(each.reshape(()) if target.ndim == 0 else each, reduction)


@composite(**FUNCTIONAL)
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The sum over labels and other classes of ``max(0, 1 - (x[label] - x[other]))``, over C.

    Args:
        input: (N, C) or (C).
        target: of that shape: the labels of each sample, up to the first -1.

    Raises:
        RuntimeError: shapes do not fit, or a label is no class.

    >>> import devgrad
    >>> x = devgrad.tensor([[0.0, 0.5]])
    >>> devgrad.nn.functional.multilabel_margin_loss(x, devgrad.tensor([[0, -1]]))
    tensor(0.7500)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    x, n = _two_dims("multilabel_margin_loss", input)
    if target.shape != input.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    xp, types, classes = x._type.xp, x._type.device.types, x.shape[1]
    labels = target._array.reshape(n, classes)
    if xp.checks_bounds and labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise RuntimeError("argument #2 'target' is out of range")
    counts = xp.cumsum(labels < 0, axis=1) == 0  # up to the first -1
    rows = xp.arange(n)[:, None]
    is_label = xp.zeros((n, classes + 1), bool)  # the last column is for what does not count
    is_label[rows, xp.where(counts, labels, classes)] = True
    is_label, labels = is_label[:, :classes], xp.where(counts, labels, 0)
    pairs = wrap(counts[:, :, None] & ~is_label[:, None, :], types[is_label.dtype])
    at_labels = x.gather(1, wrap(labels, target._type))
    parts = relu.function(1 - at_labels.unsqueeze(2) + x.unsqueeze(1))
    each = where(pairs, parts, 0).sum((1, 2)) / classes
    return reduced(each.reshape(()) if input.ndim < 2 else each, reduction)
