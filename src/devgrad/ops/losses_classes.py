"""Losses over classes: likelihoods, cross entropy, and their parts.

`cross_entropy` by class indices is one operation: softmax, logarithm, choice and reduction at
once. It keeps the probabilities, from which its derivative takes one pass.

Dimensions: ``input`` has N samples of C classes, (N, C), or (C) of one; or of D places each,
(N, C, d1, d2, ...). Inside an operation it is (N, C) or (N, C, D), and ``target`` (N) or (N, D).
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..autograd._modes import mode
from ..device._class_losses import nested, places_of, reduced, sample_gradients
from ._errors import refuse_dtype
from ._functional import FUNCTIONAL, chosen_reduction
from ._op import Array, composite, op
from .matmul import linear
from .reductions import sum_dim
from .softmax import log_softmax, softmax_along, softmax_backward

__all__: list[str] = []


# --- what the operations share --------------------------------------------------------------------


def _class_dim(shape: Any) -> int:
    return 0 if len(shape) == 1 else 1


def _check_sizes(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Refuse sizes and dtypes that do not fit.

    Raises:
        RuntimeError, ValueError: they do not.
    """
    shape, wanted = input._array.shape, target._array.shape
    if not shape:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if target._type.dtype.name not in ("int64", "uint8"):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target._type.dtype.title}. "
            "Convert it: target.long()"
        )
    if len(shape) == 1:
        if target._array.size != 1 or len(wanted) > 1:
            raise ValueError(
                "For 1D input, 1D target must have size 1, but got target size: "
                f"{target._array.size}"
            )
    elif not wanted or shape[0] != wanted[0]:
        raise ValueError(
            f"Expected input batch_size ({shape[0]}) to match target batch_size "
            f"({wanted[0] if wanted else 0})."
        )
    elif (shape[0], *shape[2:]) != wanted:
        raise RuntimeError(f"Expected target size {[shape[0], *shape[2:]]}, got {list(wanted)}")
    classes = shape[_class_dim(shape)]
    if weight is not None and mode.grad and weight.requires_grad:
        raise RuntimeError(
            "The function 'nll_loss_forward' is not differentiable with respect to argument "
            "'weight'. This input cannot have requires_grad True. Detach it: weight.detach()"
        )
    if weight is not None and weight._array.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            f"got weight tensor of shape: {list(weight.shape)}"
        )


# --- negative log likelihood ----------------------------------------------------------------------


@op(name="nll_loss", function=False, method=False)
def nll_chosen(
    xp: Any, input: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int
) -> Array:
    """`nll_loss`, of shapes that were checked."""
    refuse_dtype(input, "biuc", "nll_loss_out_frame")
    sizes = nested(input.shape)
    places, counted = places_of(xp, target, sizes, ignore_index)
    losses = xp.negative(input.reshape(sizes)[places])
    return reduced(xp, losses, target.shape, places, counted, weight, reduction)


@op(node="NllLossBackwardBackward0", function=False, method=False)
def nll_backward(
    xp: Any, grad_output: Array, target: Array, weight: Array | None, shape: Any, reduction: str,
    ignore_index: int,
) -> Array:  # fmt: skip
    """Minus the samples' gradients at their targets, zero elsewhere."""
    sizes = nested(shape)
    places, counted = places_of(xp, target, sizes, ignore_index)
    whole = xp.zeros(shape, grad_output.dtype)  # not a view, which would have to be copied
    result = whole.reshape(sizes)
    scales = sample_gradients(xp, grad_output, places, counted, weight, reduction)
    if counted is not None:  # an ignored sample gets nothing, not even 0 times infinity
        scales = xp.where(counted, scales, 0)
    result[places] = xp.negative(scales)
    return whole


nll_chosen.vjp(
    input=lambda g, target, weight, input_shape, reduction, ignore_index: nll_backward(
        g, target, weight, input_shape, reduction, ignore_index
    )
)
nll_backward.vjp(
    grad_output=lambda g, target, weight, reduction, ignore_index: nll_chosen(
        g, target, weight, reduction, ignore_index
    )
)
_nll_2d = op(name="nll_loss2d", node="NllLoss2DBackward0", function=False, method=False)(
    nll_chosen.forward
)
_nll_2d.vjp(input=nll_chosen.rules["input"][0])


@composite(**FUNCTIONAL)
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Minus the elements of ``input``, logarithms of probabilities, at the target classes.

    Args:
        input: (C), (N, C) or (N, C, d1, ...): logarithms of the probabilities of C classes.
        target: (), (N) or (N, d1, ...): class indices, int64 or uint8.
        weight: of each class, (C); the mean is then by weights.
        size_average, reduce: older forms of ``reduction``.
        ignore_index: a target that does not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        IndexError: a target is no class.
        RuntimeError, ValueError: shapes or dtypes do not fit, or there is no such reduction.

    >>> import devgrad
    >>> x = devgrad.tensor([[-0.5, -2.0]])
    >>> devgrad.nn.functional.nll_loss(x, devgrad.tensor([1]))
    tensor(2.)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    _check_sizes(input, target, weight)
    chosen = nll_chosen if input.ndim <= 2 else _nll_2d
    result: Tensor = chosen.function(input, target, weight, reduction, ignore_index)
    return result


# --- cross entropy --------------------------------------------------------------------------------


@op(name="cross_entropy_loss", node="NllLossBackward0", outputs=("out", "probabilities"),
    function=False, method=False)  # fmt: skip
def _cross_entropy(
    xp: Any, input: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int
) -> Any:
    refuse_dtype(input, "biuc", "log_softmax_lastdim_kernel_impl")
    return xp.cross_entropy(input, target, weight, reduction, ignore_index)


@op(function=False, method=False)
def cross_entropy_backward(
    xp: Any, grad_output: Array, input: Array, probabilities: Array, target: Array,
    weight: Array | None, reduction: str, ignore_index: int,
) -> Array:  # fmt: skip
    """The probabilities less one at the target, by the samples' gradients.

    ``probabilities`` is the softmax of ``input``, whose derivative includes that.
    """
    return xp.cross_entropy_backward(
        grad_output, input, probabilities, target, weight, reduction, ignore_index
    )


def _of_samples(
    g: Any, input: Any, target: Any, weight: Any, reduction: str, ignore_index: int
) -> Any:
    """The gradient of ``grad_output``: ``g`` at the probabilities less ``g`` at the target."""
    dim = _class_dim(input.shape)
    expected = sum_dim(g * softmax_along(input, dim), (dim,), True)
    return nll_chosen(g - expected, target, weight, reduction, ignore_index)


def _of_probabilities(
    g: Any, grad_output: Any, input: Any, target: Any, weight: Any, reduction: str,
    ignore_index: int,
) -> Any:  # fmt: skip
    dim = _class_dim(input.shape)
    at_targets = nll_backward(grad_output, target, weight, input.shape, reduction, ignore_index)
    scales = -sum_dim(at_targets, (dim,), True)
    return softmax_backward(g * scales, softmax_along(input, dim), dim)


_cross_entropy.vjp(
    input=lambda g, input, probabilities, target, weight, reduction, ignore_index: (
        cross_entropy_backward(g, input, probabilities, target, weight, reduction, ignore_index)
    )
)
cross_entropy_backward.vjp(
    grad_output=lambda g, input, target, weight, reduction, ignore_index: _of_samples(
        g, input, target, weight, reduction, ignore_index
    ),
    input=lambda g, grad_output, input, target, weight, reduction, ignore_index: _of_probabilities(
        g, grad_output, input, target, weight, reduction, ignore_index
    ),
)
_cross_entropy_2d = op(
    name="cross_entropy_loss2d", node="NllLoss2DBackward0", outputs=("out", "probabilities"),
    function=False, method=False,
)(_cross_entropy.forward)  # fmt: skip
_cross_entropy_2d.vjp(input=_cross_entropy.rules["input"][0])


def _of_distributions(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    """Cross entropy where the target gives each class a probability."""
    dim = _class_dim(input.shape)
    classes = input.shape[dim]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    products = log_softmax(input, dim) * target
    if weight is not None:
        products = products * weight.reshape([-1 if i == dim else 1 for i in range(input.ndim)])
    if reduction == "none":
        return -products.sum(dim)
    total = -products.sum()
    if reduction == "mean":
        total = total / (input.numel() / classes if classes else 0.0)
    return total


def _smoothed(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, ignore_index: int,
    smoothing: float,
) -> Tensor:  # fmt: skip
    """Cross entropy with part of the target's probability spread over all classes."""
    dim = _class_dim(input.shape)
    classes = input.shape[dim]
    log_probabilities = log_softmax(input, dim)
    chosen = nll_chosen if input.ndim <= 2 else _nll_2d
    likelihood = chosen.function(log_probabilities, target, weight, reduction, ignore_index)
    if weight is not None:
        shape = [-1 if i == dim else 1 for i in range(input.ndim)]
        log_probabilities = log_probabilities * weight.reshape(shape)
    spread = -log_probabilities.sum(dim)
    ignored = (target == ignore_index).reshape(spread.shape)
    spread = spread.masked_fill(ignored, 0)
    if reduction != "none":
        spread = spread.sum()
    if reduction == "mean":
        if weight is None:
            spread = spread / (~ignored).sum()
        else:
            ignored = ignored.reshape(-1)
            used = target.reshape(-1).masked_fill(ignored, 0)
            spread = spread / weight[used.long()].masked_fill(ignored, 0).sum()
    likelihood = likelihood * (1 - smoothing)
    result: Tensor = likelihood + spread.reshape(likelihood.shape) * (smoothing / classes)
    return result


@composite(**FUNCTIONAL)
def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """`nll_loss` of the log-softmax of ``input``.

    Args:
        input: (C), (N, C) or (N, C, d1, ...): scores of C classes, of any size.
        target: (), (N) or (N, d1, ...): class indices, int64 or uint8; or the probabilities of
            the classes, in the shape of ``input``.
        weight: of each class, (C); of class indices, the mean is then by weights.
        size_average, reduce: older forms of ``reduction``.
        ignore_index: a class index that does not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        label_smoothing: how much of the target is spread evenly over the classes, from 0 to 1.

    Raises:
        IndexError: a target is no class.
        RuntimeError, ValueError: shapes or dtypes do not fit, or an option is out of range.

    >>> import devgrad
    >>> scores = devgrad.tensor([[0.0, 0.0], [0.0, 100.0]])
    >>> devgrad.nn.functional.cross_entropy(scores, devgrad.tensor([0, 1]))
    tensor(0.3466)
    """
    reduction = chosen_reduction(reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if input._array.shape == target._array.shape:
        if not target._type.floating:
            raise RuntimeError(
                "Expected floating point type for target with class probabilities, got "
                f"{target._type.dtype.title}"
            )
        if not input.ndim:
            raise ValueError("Expected 1 or more dimensions (got 0)")
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _of_distributions(input, target, weight, reduction, label_smoothing)
    _check_sizes(input, target, weight)
    if label_smoothing:
        return _smoothed(input, target, weight, reduction, ignore_index, label_smoothing)
    chosen = _cross_entropy if input.ndim <= 2 else _cross_entropy_2d
    result: Tensor = chosen.function(input, target, weight, reduction, ignore_index)[0]
    return result


@composite(**FUNCTIONAL)
def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """`cross_entropy` of ``linear(input, linear_weight, linear_bias)``.

    Args:
        input: (m) or (N, m). linear_weight: (C, m) or (C, d1, ..., m).
        linear_bias: (C) or (C, d1, ...).
        options: how PyTorch is to cut the scores to pieces; accepted, and without effect here.
        target, weight, reduction, ignore_index, label_smoothing: as for `cross_entropy`.

    Raises:
        RuntimeError: shapes do not fit.

    >>> import devgrad
    >>> x, w = devgrad.tensor([[1.0]]), devgrad.tensor([[0.0], [0.0]])
    >>> devgrad.nn.functional.linear_cross_entropy(x, w, devgrad.tensor([1]))
    tensor(0.6931)
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if linear_weight.ndim < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}"
        )
    features = input.shape[-1]
    classes, *places, width = linear_weight.shape
    if features != width:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{features} and {width}, respectively"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != (classes, *places):
        raise RuntimeError(
            f"expected linear_bias shape {(classes, *places)}, got {tuple(linear_bias.shape)}"
        )
    if places and input.ndim == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {features}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    shape = (*input.shape[:-1], classes, *places)
    if ignore_index is not None and tuple(target.shape) == shape:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    if places:
        linear_weight = linear_weight.reshape(-1, features)
        linear_bias = None if linear_bias is None else linear_bias.reshape(-1)
    scores = linear(input, linear_weight, linear_bias).reshape(shape)
    return cross_entropy(
        scores, target, weight, ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction, label_smoothing=label_smoothing,
    )  # fmt: skip
