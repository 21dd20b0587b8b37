"""Normalisation: to mean 0 and variance 1 over some dimensions, then a scale and a shift.

Layer, batch, group and instance normalisation are one operation, `standardize`; they differ in the
dimensions that their statistics are taken over (a `Layout`). With ``x^ = (x - mean) * r``, where
``r = 1 / sqrt(var + eps)``, over n elements, its derivative is ``r * P(g * weight)`` with

    P(v) = v - mean(v) - x^ * mean(v * x^)

which takes away what moves mean and variance. P is its own transpose; without centring (root mean
square normalisation) it lacks ``mean(v)``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ._along import reshaped
from ._errors import refuse_dtype
from ._formula import sum_to
from ._op import Array, op
from .elementwise import rsqrt
from .reductions import mean_dim

__all__ = ["Layout", "normalize_by", "standardize_batch", "standardize_group",
           "standardize_layer", "standardize_rms"]  # fmt: skip


class Layout(NamedTuple):
    """Over which dimensions a tensor is normalised.

    Attributes:
        view: the shape in which the dimensions are counted.
        dims: the statistics are taken over these.
        place: the shape in which scale and shift broadcast to ``view``.
        eps: added to the variance.
        centred: whether the mean is taken away.
    """

    view: tuple[int, ...]
    dims: tuple[int, ...]
    place: tuple[int, ...]
    eps: float
    centred: bool = True


def _standardize(
    xp: Any, input: Array, weight: Array | None, bias: Array | None, layout: Layout
) -> Any:
    refuse_dtype(input, "biuc", "LayerNormKernelImpl")
    return xp.standardize(input, weight, bias, layout)


@op(function=False, method=False)
def standardize_backward(
    xp: Any, grad_output: Array, input: Array, weight: Array | None, mean: Array, r: Array,
    layout: Layout,
) -> Array:  # fmt: skip
    """``r * P(grad_output * weight)``. ``mean`` and ``r`` are those of ``input``."""
    return xp.standardize_backward(grad_output, input, weight, mean, r, layout)


@op(function=False, method=False)
def standardize_weight_backward(
    xp: Any, grad_output: Array, input: Array, mean: Array, r: Array, layout: Layout, shape: Any
) -> Array:
    """``grad_output * x^``, summed to the shape of the scale."""
    return xp.standardize_weight_backward(grad_output, input, mean, r, layout, shape)


def _project(v: Any, unit: Any, layout: Layout) -> Any:
    """P of the module's text."""
    result = v - unit * mean_dim(v * unit, layout.dims, True)
    return result - mean_dim(v, layout.dims, True) if layout.centred else result


def _second(g: Any, grad_output: Any, input: Any, weight: Any, layout: Layout) -> Any:
    """The gradient of `standardize_backward` for ``input``."""
    view, dims, place, eps, centred = layout
    x, v, h = reshaped(input, view), reshaped(g, view), reshaped(grad_output, view)
    if weight is not None:
        h = h * reshaped(weight, place)
    if centred:
        x = x - mean_dim(x, dims, True)
    r = rsqrt(mean_dim(x * x, dims, True) + eps)
    unit = x * r
    projected = _project(h, unit, layout)
    total = (
        unit * mean_dim(v * projected, dims, True)
        + _project(v, unit, layout) * mean_dim(h * unit, dims, True)
        + projected * mean_dim(v * unit, dims, True)
    )
    return reshaped(total * -(r * r), input.shape)


def _scaled(x: Any, weight: Any, layout: Layout) -> Any:
    if weight is None:
        return x
    return reshaped(reshaped(x, layout.view) * reshaped(weight, layout.place), x.shape)


def _shift_gradient(g: Any, layout: Layout, shape: Any) -> Any:
    return reshaped(sum_to(reshaped(g, layout.view), layout.place), shape)


def _declare(name: str, node: str) -> Any:
    declared = op(
        name=name, node=node, outputs=("out", "mean", "r", "var"), function=False, method=False
    )(_standardize)
    return declared.vjp(
        input=lambda g, input, weight, mean, r, layout: standardize_backward(
            g, input, weight, mean, r, layout
        ),
        weight=lambda g, input, mean, r, layout, weight_shape: standardize_weight_backward(
            g, input, mean, r, layout, weight_shape
        ),
        bias=lambda g, layout, bias_shape: _shift_gradient(g, layout, bias_shape),
    )


standardize_layer = _declare("native_layer_norm", "NativeLayerNormBackward0")
standardize_batch = _declare("native_batch_norm", "NativeBatchNormBackward0")
standardize_group = _declare("native_group_norm", "NativeGroupNormBackward0")
standardize_rms = _declare("rms_norm", "FusedRmsNormBackward0")

standardize_backward.vjp(
    grad_output=lambda g, input, weight, mean, r, layout: _scaled(
        standardize_backward(g, input, None, mean, r, layout), weight, layout
    ),
    input=lambda g, grad_output, input, weight, layout: _second(
        g, grad_output, input, weight, layout
    ),
    weight=lambda g, grad_output, input, weight, mean, r, layout: _weight_share(
        grad_output * standardize_backward(g, input, None, mean, r, layout), weight, layout
    ),
)


def _weight_share(product: Any, weight: Any, layout: Layout) -> Any:
    return _shift_gradient(product, layout, weight.shape)


standardize_weight_backward.vjp(
    grad_output=lambda g, input, layout: _scaled(
        standardize_layer(input, None, None, layout)[0], g, layout
    ),
    input=lambda g, grad_output, input, mean, r, layout: standardize_backward(
        _scaled(grad_output, g, layout), input, None, mean, r, layout
    ),
)


# --- by statistics that are given -----------------------------------------------------------------


@op(name="batch_norm_by", node="NativeBatchNormBackward0", function=False, method=False)
def normalize_by(
    xp: Any, input: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array,
    place: Any, eps: float,
) -> Array:  # fmt: skip
    """``input`` normalised by statistics that are given."""
    return xp.normalize_by(input, weight, bias, mean, var, place, eps)


def _scale_of(weight: Any, var: Any, place: Any, eps: float) -> Any:
    r = rsqrt(var + eps)
    return reshaped(r if weight is None else r * weight, place)


normalize_by.vjp(
    input=lambda g, weight, var, place, eps: g * _scale_of(weight, var, place, eps),
    weight=lambda g, input, mean, var, place, eps, weight_shape: reshaped(
        sum_to(g * ((input - reshaped(mean, place)) * _scale_of(None, var, place, eps)), place),
        weight_shape,
    ),
    bias=lambda g, place, bias_shape: reshaped(sum_to(g, place), bias_shape),
)
