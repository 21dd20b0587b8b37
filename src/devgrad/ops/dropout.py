"""Dropout, and choices by random noise. On the CPU the noise is PyTorch's own, draw for draw."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from .._tensor import Tensor, wrap
from ..device import draws, placed, user_stacklevel
from ._functional import FUNCTIONAL
from ._inplace import inplace_form
from ._op import FUNCTIONS, composite
from .arithmetic import add, mul
from .scatter import scatter
from .softmax import softmax

__all__: list[str] = []


# --- noise ----------------------------------------------------------------------------------------


def _as_in_memory(array: Any, draw: Callable[[Any], Any]) -> Any:
    """``draw(shape)`` for the shape of ``array``, filled in the order of its memory.

    As in PyTorch: noise for a transposed matrix is the transposed noise for the matrix.
    """
    if not array.flags.c_contiguous and array.size:
        order = sorted(range(array.ndim), key=lambda i: -array.strides[i])
        if array.transpose(order).flags.c_contiguous:
            drawn = draw(tuple([array.shape[i] for i in order]))
            return drawn.transpose(sorted(range(array.ndim), key=order.__getitem__))
    return draw(array.shape)


def _kept(input: Tensor, p: float, features: bool, dtype: Any = None, scaled: bool = False) -> Any:
    """An array of ones, or of ``1 / (1 - p)``, where something is kept; of zeros elsewhere."""
    kind, array = input._type, input._array
    source, wanted = draws(None, kind), kind.array_dtype if dtype is None else dtype

    def draw(shape: Any) -> Any:
        drawn = (source.kept if scaled else source.bernoulli)(1 - p, shape, wanted)
        return placed(drawn, kind.device.types[wanted])

    if not features:
        return _as_in_memory(array, draw)
    if array.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return draw(array.shape[:2] + (1,) * (array.ndim - 2))


def _dropped(input: Tensor, p: float, train: bool, features: bool, alpha: bool) -> Tensor:
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")
    if not train or p == 0 or not input._array.size:
        return input
    kind = input._type
    result: Tensor
    if p == 1:
        result = mul.function(input, wrap(kind.xp.zeros((), kind.array_dtype), kind))
        return result
    if not kind.floating:
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {kind.dtype.title}. "
            "Dropout scales what it keeps: convert the tensor first, x.float()"
        )
    noise = _kept(input, p, features, scaled=not alpha)
    if not alpha:
        return mul.function(input, wrap(noise, kind))
    # What is dropped becomes the limit of selu for small inputs; then mean and variance of a
    # standard normal input are made 0 and 1 again.
    limit = 1.7580993408473766
    scale = 1 / math.sqrt((limit * limit * p + 1) * (1 - p))
    shift = (noise - 1) * (limit * scale) + limit * scale * p
    noise *= scale
    result = add.function(mul.function(input, wrap(noise, kind)), wrap(shift, kind))
    return result


# --- as devgrad has them --------------------------------------------------------------------------


@composite(method=False, out=False)
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout`, with all arguments required.

    >>> import devgrad
    >>> devgrad.dropout(devgrad.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return _dropped(input, p, train, False, False)


@composite(method=False, out=False)
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout` of whole channels: ``input[i, j]`` is kept or dropped.

    >>> import devgrad
    >>> devgrad.feature_dropout(devgrad.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
    """
    return _dropped(input, p, train, True, False)


@composite(method=False, out=False)
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.alpha_dropout`, with all arguments required.

    >>> import devgrad
    >>> devgrad.alpha_dropout(devgrad.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return _dropped(input, p, train, False, True)


@composite(method=False, out=False)
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout` of whole channels.

    >>> import devgrad
    >>> devgrad.feature_alpha_dropout(devgrad.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
    """
    return _dropped(input, p, train, True, True)


def _declare_inplace(function: Any) -> None:
    name = function.__name__
    changed = inplace_form(function, name)

    def inplace(input: Tensor, p: float, train: bool) -> Tensor:
        if not train or p == 0 or not input.numel():
            return function(input, p, train)  # input itself
        return changed(input, p, train)

    inplace.__name__ = inplace.__qualname__ = f"{name}_"
    inplace.__doc__ = changed.__doc__
    FUNCTIONS[""][f"{name}_"] = inplace


for _function in (dropout, feature_dropout, alpha_dropout, feature_alpha_dropout):
    _declare_inplace(_function)


@composite(method=False, out=False)
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`nn.functional.dropout`, and where it kept something.

    >>> import devgrad
    >>> devgrad.native_dropout(devgrad.ones(2), 0.5, False)
    (tensor([1., 1.]), tensor([True, True]))
    """
    xp, device = input._type.xp, input._type.device
    if train is False or not input.numel():
        array, scale = xp.ones(input._array.shape, bool), 1.0
    elif p == 1:
        array, scale = xp.zeros(input._array.shape, bool), 0.0
    else:
        array, scale = _kept(input, p, False, xp.dtype(bool)), 1 / (1 - p)
    noise = wrap(array.astype(input._type.array_dtype) * scale, input._type)
    return mul.function(input, noise), wrap(array, device.types[array.dtype])


@composite(method=False, out=False)
def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    """``grad_output * mask * scale``: the gradient of `native_dropout`.

    >>> import devgrad
    >>> devgrad.native_dropout_backward(devgrad.ones(2), devgrad.tensor([True, False]), 2.0)
    tensor([2., 0.])
    """
    return grad_output * mask * scale


# --- as devgrad.nn.functional has them ------------------------------------------------------------


def _check_probability(p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _chosen(name: str, inplace: bool) -> Any:
    return FUNCTIONS[""][f"{name}_" if inplace else name]


@composite(**FUNCTIONAL)
def dropout_(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element zero with probability ``p``, the others over ``1 - p``; in training only.

    Raises:
        ValueError: ``p`` is not between 0 and 1.

    >>> import devgrad
    >>> _ = devgrad.manual_seed(0)
    >>> devgrad.nn.functional.dropout(devgrad.ones(5))
    tensor([0., 0., 2., 0., 0.])
    """
    _check_probability(p)
    result: Tensor = _chosen("dropout", inplace)(input, p, training)
    return result


@composite(**FUNCTIONAL)
def alpha_dropout_(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout for `selu` networks: standard normal inputs keep mean 0 and variance 1.

    Raises:
        ValueError: ``p`` is not between 0 and 1.

    >>> import devgrad
    >>> devgrad.nn.functional.alpha_dropout(devgrad.ones(2))
    tensor([1., 1.])
    """
    _check_probability(p)
    result: Tensor = _chosen("alpha_dropout", inplace)(input, p, training)
    return result


@composite(**FUNCTIONAL)
def feature_alpha_dropout_(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...).

    Raises:
        ValueError: ``p`` is not between 0 and 1.

    >>> import devgrad
    >>> devgrad.nn.functional.feature_alpha_dropout(devgrad.ones(1, 2))
    tensor([[1., 1.]])
    """
    _check_probability(p)
    result: Tensor = _chosen("feature_alpha_dropout", inplace)(input, p, training)
    return result


def _channels_dropped(
    input: Tensor, p: float, training: bool, inplace: bool, batched: bool
) -> Tensor:
    """Feature dropout, also of an input without a batch dimension."""
    drop = _chosen("feature_dropout", inplace)
    if batched:
        return drop(input, p, training)
    result = drop(input.unsqueeze(0), p, training)
    return input if inplace else result.squeeze(0)


@composite(**FUNCTIONAL)
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of (N, C, L) or (C, L).

    Raises:
        ValueError: ``p`` is not between 0 and 1.
        RuntimeError: there are other than 2 or 3 dimensions.

    >>> import devgrad
    >>> _ = devgrad.manual_seed(0)
    >>> devgrad.nn.functional.dropout1d(devgrad.ones(1, 3, 2))
    tensor([[[0., 0.],
             [0., 0.],
             [2., 2.]]])
    """
    _check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _channels_dropped(input, p, training, inplace, input.ndim == 3)


def _warn_of_dims(name: str, input: Tensor, spatial: int) -> None:
    n = spatial + 1
    if input.ndim not in (n, n + 1):
        warnings.warn(
            f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated and will "
            "result in an error in a future release. To retain the behavior and silence this "
            f"warning, please use dropout instead. Note that {name} exists to provide "
            f"channel-wise dropout on inputs with {spatial} spatial dimensions, a channel "
            f"dimension, and an optional batch dimension (i.e. {n}D or {n + 1}D inputs).",
            stacklevel=user_stacklevel(),
        )


@composite(**FUNCTIONAL)
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of (N, C, H, W).

    Three dimensions are taken to be (N, C, L), with a warning.

    Raises:
        ValueError: ``p`` is not between 0 and 1.
        RuntimeError: there is but one dimension.

    >>> import devgrad
    >>> devgrad.nn.functional.dropout2d(devgrad.ones(1, 1, 1, 2), training=False)
    tensor([[[[1., 1.]]]])
    """
    _check_probability(p)
    _warn_of_dims("dropout2d", input, 2)
    if input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=user_stacklevel(),
        )
    return _channels_dropped(input, p, training, inplace, True)


@composite(**FUNCTIONAL)
def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W).

    Raises:
        ValueError: ``p`` is not between 0 and 1.

    >>> import devgrad
    >>> devgrad.nn.functional.dropout3d(devgrad.ones(1, 1, 1, 1, 2), training=False)
    tensor([[[[[1., 1.]]]]])
    """
    _check_probability(p)
    _warn_of_dims("dropout3d", input, 3)
    return _channels_dropped(input, p, training, inplace, input.ndim == 5)


@composite(**FUNCTIONAL)
def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A random choice by the probabilities ``softmax(logits)``, and its smooth stand-in.

    Args:
        logits: logarithms of probabilities, up to a constant.
        tau: the temperature: small ones come close to a choice.
        hard: give the choice, one-hot, with the gradient of its stand-in.
        eps: has no effect, and will go.
        dim: along which dimension is chosen.

    >>> import devgrad
    >>> _ = devgrad.manual_seed(0)
    >>> devgrad.nn.functional.gumbel_softmax(devgrad.zeros(3), hard=True).detach()
    tensor([0., 0., 1.])
    """
    if eps != 1e-10:
        warnings.warn(
            "`eps` parameter is deprecated and has no effect.", stacklevel=user_stacklevel()
        )
    kind = logits._type
    drawn = draws(None, kind).exponential(logits._array.shape, kind.array_dtype)
    noise = wrap(-kind.xp.log(placed(drawn, kind)), kind)
    soft: Tensor = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.detach().max(dim, keepdim=True)[1]
    chosen = scatter(
        wrap(kind.xp.zeros(soft._array.shape, kind.array_dtype), kind), dim, index, 1.0
    )
    result: Tensor = chosen - soft.detach() + soft
    return result
