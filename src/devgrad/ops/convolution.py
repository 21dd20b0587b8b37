"""Convolutions and transposed convolutions in one, two and three dimensions.

``sum(g * conv(x, w))`` is linear in ``g``, ``x`` and ``w``. Its derivatives by the three are the
three operations here, so that the rules of each are the other two. ``_convolve.py`` computes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .._tensor import Tensor
from . import _convolve
from ._along import reshaped
from ._arguments import as_int, as_ints
from ._formula import conj, expand_to
from ._op import Array, composite, op
from ._promotion import not_a_tensor
from .padding import constant_pad_nd
from .transposing import transpose
from .views import squeeze, unsqueeze

__all__: list[str] = []

Ints = Sequence[int]


def _with_bias(result: Array, bias: Array | None, dims: int) -> Array:
    if bias is not None:
        result += bias.reshape((-1,) + (1,) * dims)
    return result


@op(node="ConvolutionBackward0", function=False, method=False)
def convolved(
    xp: Any, input: Array, weight: Array, bias: Array | None, stride: Any, borders: Any,
    dilation: Any, groups: int,
) -> Array:  # fmt: skip
    """``input`` ``[N, C, *size]`` by ``weight`` ``[O, C / groups, *kernel]``, and ``bias``."""
    result = _convolve.convolve(xp, input, weight, stride, borders, dilation, groups)
    return _with_bias(result, bias, len(stride))


@op(node="ConvolutionBackward0", function=False, method=False)
def transposed(
    xp: Any, input: Array, weight: Array, bias: Array | None, size: Any, stride: Any, borders: Any,
    dilation: Any, groups: int,
) -> Array:  # fmt: skip
    """What `convolved` does to its input, the other way: to ``[N, C, *size]``."""
    result = _convolve.transposed(xp, input, weight, size, stride, borders, dilation, groups)
    return _with_bias(result, bias, len(stride))


@op(node="ConvolutionBackwardBackward0", function=False, method=False)
def weight_gradient(
    xp: Any, grad_output: Array, input: Array, kernel: Any, stride: Any, borders: Any,
    dilation: Any, groups: int,
) -> Array:  # fmt: skip
    """The gradient of `convolved` for its weight."""
    return _convolve.weight_gradient(
        xp, grad_output, input, kernel, stride, borders, dilation, groups
    )


@op(node="SumBackward1", function=False, method=False)
def _over_channels(xp: Any, grad_output: Array) -> Array:
    """The gradient for the bias: the sum over everything but the channels."""
    n, channels, *size = grad_output.shape
    flat = grad_output.reshape(n, channels, prod(size))
    if flat.dtype.kind not in "fc" or flat.dtype.char == "e":
        return xp.add.reduce(flat, axis=(0, 2))
    # BLAS sums rows faster than a reduction along the last dimension does.
    return xp.add.reduce(xp.matmul(flat, xp.ones(flat.shape[2], flat.dtype)), axis=0)


_over_channels.vjp(
    grad_output=lambda g, grad_output_shape: expand_to(
        reshaped(g, (-1, *(1,) * (len(grad_output_shape) - 2))), grad_output_shape
    )
)
convolved.vjp(
    input=lambda g, weight, input_shape, stride, borders, dilation, groups: transposed(
        g, conj(weight), None, input_shape[2:], stride, borders, dilation, groups
    ),
    weight=lambda g, input, weight_shape, stride, borders, dilation, groups: weight_gradient(
        g, conj(input), weight_shape[2:], stride, borders, dilation, groups
    ),
    bias=lambda g: _over_channels(g),
)
transposed.vjp(
    input=lambda g, weight, stride, borders, dilation, groups: convolved(
        g, conj(weight), None, stride, borders, dilation, groups
    ),
    weight=lambda g, input, weight_shape, stride, borders, dilation, groups: weight_gradient(
        conj(input), g, weight_shape[2:], stride, borders, dilation, groups
    ),
    bias=lambda g: _over_channels(g),
)
weight_gradient.vjp(
    grad_output=lambda g, input, stride, borders, dilation, groups: convolved(
        conj(input), g, None, stride, borders, dilation, groups
    ),
    input=lambda g, grad_output, input_shape, stride, borders, dilation, groups: transposed(
        conj(grad_output), g, None, input_shape[2:], stride, borders, dilation, groups
    ),
)

# --- checks ---------------------------------------------------------------------------------------

_C_NAMES = {"Half": "c10::Half", "Float": "float", "Double": "double", "Long": "long int",
            "Int": "int", "ComplexFloat": "c10::complex<float>",
            "ComplexDouble": "c10::complex<double>", "Short": "short int",
            "Bool": "bool"}  # fmt: skip


def _c_name(x: Tensor) -> str:
    title = x._type.dtype.title
    return _C_NAMES.get(title, title)


def _numbers(name: str, value: Any, dims: int) -> tuple[int, ...]:
    """An argument of a convolution, as one number for each dimension."""
    if hasattr(value, "__index__"):
        return (as_int(name, value),) * dims
    numbers = as_ints(name, value)
    if len(numbers) == 1:
        return numbers * dims
    if len(numbers) != dims:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match the "
            f"convolution dimensions, but got {name}={list(numbers)}"
        )
    return numbers


def _check_tensors(name: str, input: Any, weight: Any, bias: Any) -> None:
    for position, (argument, x) in enumerate(
        (("input", input), ("weight", weight), ("bias", bias)), 1
    ):
        if not isinstance(x, Tensor) and not (x is None and argument == "bias"):
            raise not_a_tensor(name, argument, position, x)
    if bias is not None and bias._type.dtype is not input._type.dtype:
        raise RuntimeError(
            f"Input type ({_c_name(input)}) and bias type ({_c_name(bias)}) should be the same. "
            "Convert one of them, as in x.to(weight.dtype)"
        )
    if weight._type.dtype is not input._type.dtype:
        raise RuntimeError(
            f"Input type ({input._type}) and weight type ({weight._type}) should be the same or "
            "input should be a MKLDNN tensor and weight is a dense tensor. Convert one of them, as "
            "in x.to(weight.dtype)"
        )


def _check_shapes(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Ints, padding: Ints, dilation: Ints,
    groups: int, turned: bool,
) -> None:  # fmt: skip
    """Refuse shapes and numbers that do not fit; ``turned`` for a transposed convolution."""
    dims = len(stride)
    size, shape = list(input.shape), list(weight.shape)
    for numbers, phrase in ((padding, "negative padding"), (stride, "non-positive stride"),
                            (dilation, "non-positive dilation")):  # fmt: skip
        if min(numbers) < (0 if phrase.startswith("negative") else 1):
            raise RuntimeError(f"{phrase} is not supported: {tuple(numbers)}")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if len(shape) != dims + 2:
        raise RuntimeError(
            f"Expected {dims + 2}-dimensional weight for {dims + 2}-dimensional input {size}, but "
            f"got {len(shape)}-dimensional weight of size {shape} instead"
        )
    if shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {shape} instead"
        )
    if shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{shape}] instead"
        )
    wanted, outs = (shape[0], shape[1] * groups) if turned else (shape[1] * groups, shape[0])
    if size[1] != wanted:
        given = "transposed=1" if turned else f"groups={groups}"
        raise RuntimeError(
            f"Given {given}, weight of size {shape}, expected input{size} to have {wanted} "
            f"channels, but got {size[1]} channels instead"
        )
    if bias is not None and list(bias.shape) != [outs]:
        given = "transposed=1, " if turned else ""
        raise RuntimeError(
            f"Given {given}weight of size {shape}, expected bias to be 1-dimensional with {outs} "
            f"elements, but got bias of size {list(bias.shape)} instead"
        )
    if turned:
        return
    grown = [n + 2 * p for n, p in zip(size[2:], padding, strict=True)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, shape[2:], strict=True)]
    if any(n < r for n, r in zip(grown, reach, strict=True)) or 0 in shape[2:]:
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, grown))}). Kernel "
            f"size: ({' x '.join(map(str, reach))}). Kernel size can't be greater than actual "
            "input size. Pad the input, or take a smaller kernel or dilation"
        )


def _batched(name: str, input: Tensor, dims: int) -> tuple[Tensor, bool]:
    """``input`` with a batch dimension, and whether it had none."""
    ndim = input._array.ndim
    if ndim not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got "
            f"input of size: {list(input.shape)}"
        )
    if ndim == dims + 2:
        return input, False
    return unsqueeze.function(input, 0), True


def _unbatched(result: Tensor, alone: bool) -> Tensor:
    return squeeze(result, 0) if alone else result


# --- the public functions -------------------------------------------------------------------------


def _convolution(
    name: str, dims: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any,
    dilation: Any, groups: int,
) -> Tensor:  # fmt: skip
    _check_tensors(name, input, weight, bias)
    input, alone = _batched(name, input, dims)
    stride = _numbers("stride", stride, dims)
    dilation = _numbers("dilation", dilation, dims)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(f"Invalid padding string: '{padding}'")
        total = [0] * dims
        if padding == "same":
            if prod(stride) != 1:
                raise RuntimeError("padding='same' is not supported for strided convolutions")
            total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        padding = tuple([t // 2 for t in total])
        if any(t % 2 for t in total):
            # What the two sides do not share alike goes to the end.
            ends = [end for t in reversed(total) for end in (0, t % 2)]
            input = constant_pad_nd.function(input, tuple(ends), 0)
    else:
        padding = _numbers("padding", padding, dims)
    _check_shapes(input, weight, bias, stride, padding, dilation, groups, False)
    borders = tuple([(p, p) for p in padding])
    return _unbatched(
        convolved.function(input, weight, bias, stride, borders, dilation, groups), alone
    )


def _transposed_convolution(
    name: str, dims: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any,
    output_padding: Any, groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    _check_tensors(name, input, weight, bias)
    input, alone = _batched(name, input, dims)
    stride = _numbers("stride", stride, dims)
    padding = _numbers("padding", padding, dims)
    extra = _numbers("output_padding", output_padding, dims)
    dilation = _numbers("dilation", dilation, dims)
    if min(extra) < 0:
        raise RuntimeError(f"negative output_padding is not supported: {extra}")
    _check_shapes(input, weight, bias, stride, padding, dilation, groups, True)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= s and e >= d:
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got "
                f"output_padding: {extra}, stride: {stride}, dilation: {dilation}"
            )
    size = tuple([
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(
            input.shape[2:], stride, padding, dilation, weight.shape[2:], extra, strict=True
        )
    ])  # fmt: skip
    if min(size) < 0:
        raise RuntimeError(
            f"Given input size per channel: {list(input.shape[2:])}. Calculated output size per "
            f"channel: {list(size)}. Output size is too small"
        )
    # Fewer zeros at the end make the result larger by `extra`, and the windows as many.
    borders = tuple([(p, p - e) for p, e in zip(padding, extra, strict=True)])
    return _unbatched(
        transposed.function(input, weight, bias, size, stride, borders, dilation, groups), alone
    )


_SHAPES = {1: "L", 2: "H, W", 3: "D, H, W"}


def _declare(dims: int) -> None:
    def forward(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1,
    ) -> Tensor:  # fmt: skip
        return _convolution(
            forward.__name__, dims, input, weight, bias, stride, padding, dilation, groups
        )

    def backward(
        input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
    ) -> Tensor:  # fmt: skip
        return _transposed_convolution(
            backward.__name__, dims, input, weight, bias, stride, padding, output_padding, groups,
            dilation,
        )  # fmt: skip

    ones = ", ".join(["1"] * dims)
    forward.__doc__ = f"""Slide the kernels ``weight`` over ``input``, and add ``bias``.

    Args:
        input: ``[N, C, {_SHAPES[dims]}]``, or without ``N``.
        weight: ``[O, C / groups, *kernel]``, of the same dtype.
        bias: ``[O]``, or None.
        stride: how far apart the windows are: a number, or one for each dimension.
        padding: zeros around ``input``: a number, one for each dimension, ``"valid"`` (none), or
            ``"same"`` (as many as keep the size; only for a stride of 1).
        dilation: how far apart the elements of a window are.
        groups: the channels are cut into so many groups, each with its own kernels.

    Raises:
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> x = devgrad.ones(1, 2, {", ".join("3" * dims)})
    >>> devgrad.conv{dims}d(x, devgrad.ones(1, 2, {ones})).sum()
    tensor({2 * 3**dims}.)
    """
    backward.__doc__ = f"""The transpose of `conv{dims}d`: each element of ``input`` is spread out
    over a window of the result by the kernels ``weight``.

    Args:
        input: ``[N, C, {_SHAPES[dims]}]``, or without ``N``.
        weight: ``[C, O / groups, *kernel]``, of the same dtype.
        bias: ``[O]``, or None.
        stride, padding, dilation, groups: of the convolution that this is the transpose of.
        output_padding: how much larger the result is at its end; a strided convolution maps
            several sizes to one.

    Raises:
        RuntimeError: shapes or dtypes do not fit.

    >>> import devgrad
    >>> x = devgrad.ones(1, 2, {", ".join("3" * dims)})
    >>> devgrad.conv_transpose{dims}d(x, devgrad.ones(2, 1, {ones})).sum()
    tensor({2 * 3**dims}.)
    """
    for function, name in ((forward, f"conv{dims}d"), (backward, f"conv_transpose{dims}d")):
        function.__name__ = function.__qualname__ = name
        composite(function, method=False, out=False, namespaces=("", "nn.functional"))


for _dims in (1, 2, 3):
    _declare(_dims)


@composite(method=False, out=False)
def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int,
) -> Tensor:  # fmt: skip
    """`conv1d`, `conv2d`, `conv3d` and their transposes, by the number of dimensions."""
    dims = len(weight.shape) - 2
    if transposed:
        return _transposed_convolution(
            "convolution", dims, input, weight, bias, stride, padding, output_padding, groups,
            dilation,
        )  # fmt: skip
    return _convolution("convolution", dims, input, weight, bias, stride, padding, dilation, groups)


@composite(method=False, out=False, namespaces=("", "nn.functional"))
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` with the dimensions in the order time, batch, channels.

    Args:
        input: ``[L, N, C]``. weight: ``[kernel, C, O]``. bias: ``[O]``.
        pad: zeros before and after.
    """
    for argument, x, ndim in (("input", input, 3), ("weight", weight, 3), ("bias", bias, 1)):
        if x._array.ndim != ndim:
            raise RuntimeError(f"Input must have {ndim} dims: {argument} has {x._array.ndim}")
    turned = transpose(transpose(input, 0, 1), 1, 2)
    kernels = transpose(weight, 0, 2)
    result = _convolution("conv_tbc", 1, turned, kernels, bias, 1, pad, 1, 1)
    return transpose(transpose(result, 1, 2), 0, 1)
