"""Windows as columns (`unfold`), columns summed back (`fold`), shuffles of pixels and channels."""

from __future__ import annotations

from math import prod
from typing import Any

from .._tensor import Tensor
from ._along import check_tensor
from ._op import Array, composite, op
from .windows import bordered, per_dim, tap_slice, taps, window_count, windows

__all__: list[str] = []


@op(node="Im2ColBackward0", function=False, method=False)
def im2col(xp: Any, input: Array, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Array:
    """The windows over ``[…, C, H, W]`` as columns: ``[…, C * taps, windows]``."""
    *lead, channels, _, _ = input.shape
    whole = bordered(xp, input, [(p, p) for p in padding])
    view = windows(xp, whole, kernel, stride, dilation)
    return xp.ascontiguousarray(view).reshape(*lead, channels * prod(kernel), prod(view.shape[-2:]))


@op(node="Col2ImBackward0", function=False, method=False)
def col2im(
    xp: Any, input: Array, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any
) -> Array:
    """The adjoint of `im2col`: what several columns share is summed."""
    grown = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    count = [window_count(*each) for each in zip(grown, kernel, stride, dilation, strict=True)]
    *lead, rows, _ = input.shape
    channels = rows // prod(kernel)
    columns = input.reshape(*lead, channels, *kernel, *count)
    made = xp.zeros((*lead, channels, *grown), input.dtype)
    every = (slice(None),) * (len(lead) + 1)
    for tap in taps(kernel):
        made[tap_slice(tap, count, stride, dilation)] += columns[(*every, *tap)]
    inside = [slice(p, p + n) for n, p in zip(size, padding, strict=True)]
    return made[(..., *inside)] if any(padding) else made


im2col.vjp(
    input=lambda g, input_shape, kernel, dilation, padding, stride: col2im(
        g, input_shape[-2:], kernel, dilation, padding, stride
    )
)
col2im.vjp(
    input=lambda g, kernel, dilation, padding, stride: im2col(g, kernel, dilation, padding, stride)
)


def _numbers(name: str, **arguments: Any) -> list[tuple[int, ...]]:
    titles = {"kernel_size": "kernel size", "output_size": "output size"}
    found = []
    for argument, value in arguments.items():
        numbers = per_dim(name, argument, value, 2)
        least = 0 if argument == "padding" else 1
        if min(numbers) < least:
            bound = "non-negative" if least == 0 else "greater than zero"
            raise RuntimeError(
                f"{titles.get(argument, argument)} should be {bound}, but got {numbers}: {name}()"
            )
        found.append(numbers)
    return found


def _count(size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[int, ...]:
    return tuple([
        window_count(n + 2 * p, k, s, d)
        for n, k, d, p, s in zip(size, kernel, dilation, padding, stride, strict=True)
    ])  # fmt: skip


@composite(method=False, out=False, namespaces=("nn.functional",))
def unfold_(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The windows over the last two dimensions, each as a column.

    Args:
        input: ``[N, C, H, W]``, or without ``N``.
        kernel_size, dilation, padding, stride: a number, or one for each of the two dimensions.

    Returns:
        ``[N, C * taps, windows]``.

    Raises:
        RuntimeError: there is no window.

    >>> import devgrad
    >>> devgrad.nn.functional.unfold(devgrad.arange(9.0).reshape(1, 1, 3, 3), 2)[0, :, 0]
    tensor([0., 1., 3., 4.])
    """
    check_tensor("unfold", input)
    kernel, spread, around, step = _numbers(
        "unfold", kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
    )
    shape = tuple(input._array.shape)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(shape)}"
        )
    count = _count(shape[-2:], kernel, spread, around, step)
    if min(count) < 1:
        raise RuntimeError(
            f"Given input with spatial size {shape[-2:]}, kernel_size={kernel}, dilation={spread}, "
            f"padding={around}, calculated shape of the array of sliding blocks as {count}, but "
            "its components must be at least one."
        )
    found: Tensor = im2col.function(input, kernel, spread, around, step)
    return found


@composite(method=False, out=False, namespaces=("nn.functional",))
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Tensor:  # fmt: skip
    """The adjoint of `unfold`: columns put back as windows; where these overlap, their sum.

    Args:
        input: ``[N, C * taps, windows]``, or without ``N``.
        output_size: the height and width of the result.
        kernel_size, dilation, padding, stride: a number, or one for each of the two dimensions.

    Raises:
        RuntimeError: the columns are not as many as the windows, or not of their size.

    >>> import devgrad
    >>> devgrad.nn.functional.fold(devgrad.ones(1, 4, 4), (3, 3), 2)[0, 0]
    tensor([[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]])
    """
    check_tensor("fold", input)
    size, kernel, spread, around, step = _numbers(
        "fold", output_size=output_size, kernel_size=kernel_size, dilation=dilation,
        padding=padding, stride=stride,
    )  # fmt: skip
    shape = tuple(input._array.shape)
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    if shape[-2] % prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={kernel}."
        )
    count = _count(size, kernel, spread, around, step)
    if min(count) < 1 or prod(count) != shape[-1]:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={spread}, padding={around}, "
            f"stride={step}, expected size of input's dimension 2 to match the calculated number "
            f"of sliding blocks {' * '.join(map(str, count))} = {prod(count)}, but got "
            f"input.size(2)={shape[-1]}."
        )
    found: Tensor = col2im.function(input, size, kernel, spread, around, step)
    return found


# --- shuffles -------------------------------------------------------------------------------------


def _spaces() -> dict[str, Any]:
    return {"method": False, "namespaces": ("", "nn.functional")}


@op(**_spaces())
def pixel_shuffle(xp: Any, input: Array, upscale_factor: int) -> Array:
    """``[…, C * r * r, H, W]`` to ``[…, C, H * r, W * r]``: channels become pixels.

    Raises:
        RuntimeError: the channels cannot be divided so.

    >>> import devgrad
    >>> devgrad.pixel_shuffle(devgrad.arange(4.0).reshape(1, 4, 1, 1), 2)
    tensor([[[[0., 1.],
              [2., 3.]]]])
    """
    if input.ndim < 3:
        raise RuntimeError(
            "pixel_shuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)"
        )
    r = upscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    apart = input.reshape(*lead, channels // (r * r), r, r, height, width)
    apart = apart.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return xp.ascontiguousarray(apart).reshape(*lead, channels // (r * r), height * r, width * r)


@op(**_spaces())
def pixel_unshuffle(xp: Any, input: Array, downscale_factor: int) -> Array:
    """``[…, C, H * r, W * r]`` to ``[…, C * r * r, H, W]``: pixels become channels.

    Raises:
        RuntimeError: the pixels cannot be divided so.

    >>> import devgrad
    >>> devgrad.pixel_unshuffle(devgrad.arange(4.0).reshape(1, 1, 2, 2), 2).flatten()
    tensor([0., 1., 2., 3.])
    """
    if input.ndim < 3:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions, but got input with "
            f"{input.ndim} dimension(s)"
        )
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, channels, height, width = input.shape
    for title, dim, size in (("height", -2, height), ("width", -1, width)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {title} to be divisible by downscale_factor, but "
                f"input.size({dim})={size} is not divisible by {r}"
            )
    n = len(lead)
    apart = input.reshape(*lead, channels, height // r, r, width // r, r)
    apart = apart.transpose(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return xp.ascontiguousarray(apart).reshape(*lead, channels * r * r, height // r, width // r)


pixel_shuffle.vjp(input=lambda g, upscale_factor: pixel_unshuffle(g, upscale_factor))
pixel_unshuffle.vjp(input=lambda g, downscale_factor: pixel_shuffle(g, downscale_factor))


@op(aliases=("native_channel_shuffle",), **_spaces())
def channel_shuffle(xp: Any, input: Array, groups: int) -> Array:
    """``[N, C, …]`` with the channels of ``groups`` groups dealt out in turn.

    Raises:
        RuntimeError: the channels cannot be divided so.

    >>> import devgrad
    >>> devgrad.channel_shuffle(devgrad.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    if input.ndim <= 2:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    n, channels = input.shape[:2]
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} "
            "groups."
        )
    apart = input.reshape(n, groups, channels // groups, *input.shape[2:]).swapaxes(1, 2)
    return xp.ascontiguousarray(apart).reshape(input.shape)


channel_shuffle.vjp(
    input=lambda g, input_shape, groups: channel_shuffle(g, input_shape[1] // groups)
)
