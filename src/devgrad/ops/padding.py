"""Borders around tensors."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._layout import ints
from ._op import Array, Ints, composite, op

__all__ = ["constant_pad_nd", "pad"]


def _amounts(pad: Any, ndim: int) -> list[tuple[int, int]]:
    """How much to put before and after each dimension. ``pad`` begins with the last one."""
    found = [(0, 0)] * ndim
    for i in range(len(pad) // 2):
        found[ndim - 1 - i] = (pad[2 * i], pad[2 * i + 1])
    return found


def _cropped(input: Array, amounts: Any) -> Array:
    """``input`` without what negative amounts take away."""
    if all(a >= 0 and b >= 0 for a, b in amounts):
        return input
    return input[
        tuple([
            slice(max(-a, 0), n + min(b, 0))
            for n, (a, b) in zip(input.shape, amounts, strict=True)
        ])
    ]  # fmt: skip


@op
def constant_pad_nd(xp: Any, input: Array, pad: Any, value: Any = 0) -> Array:
    """``input`` with a border of ``value``: see `nn.functional.pad`."""
    amounts = _amounts(pad, input.ndim)
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.ndim}"
        )
    shape = tuple([n + a + b for n, (a, b) in zip(input.shape, amounts, strict=True)])
    if min(shape, default=0) < 0:
        raise RuntimeError(
            "narrow(): length must be non-negative. "
            f"The padding {tuple(pad)} takes more away than there is: {input.shape}"
        )
    made = xp.full(shape, value, input.dtype) if value else xp.zeros(shape, input.dtype)
    inside = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(shape, amounts, strict=True)]
    made[tuple(inside)] = _cropped(input, amounts)
    return made


constant_pad_nd.vjp(input=lambda g, pad: constant_pad_nd(g, tuple([-n for n in pad])))


def _parts(mode: str, n: int, a: int, b: int) -> list[tuple[slice, slice]]:
    """For a dimension of ``n`` elements, the parts of the result and what they are taken of: the
    middle; and the two borders, where the outermost element is repeated, or the inside mirrored."""
    m = n + a + b
    first, last = min(max(a, 0), m), min(max(n + a, 0), m)
    parts = [(slice(first, last), slice(first - a, last - a))] if first < last else []
    if mode == "replicate":
        borders = [(slice(0, first), slice(0, 1)), (slice(last, m), slice(n - 1, n))]
    else:
        start = 2 * (n - 1) - (last - a)
        stop = start - (m - last)
        borders = [
            (slice(0, first), slice(first, 0, -1)),
            (slice(last, m), slice(start, stop if stop >= 0 else None, -1)),
        ]
    return parts + [(part, source) for part, source in borders if part.start < part.stop]


def _bordered(mode: str) -> Any:
    def forward(xp: Any, input: Array, pad: Any) -> Array:
        for dim, (a, b) in enumerate(_amounts(pad, input.ndim)):
            if a or b:
                n, before = input.shape[dim], (slice(None),) * dim
                shape = (*input.shape[:dim], n + a + b, *input.shape[dim + 1 :])
                made = xp.empty(shape, input.dtype)
                for part, source in _parts(mode, n, a, b):
                    made[(*before, part)] = input[(*before, source)]
                input = made
        return input

    return forward


def _folded_back(mode: str) -> Any:
    def forward(xp: Any, input: Array, pad: Any, shape: Any) -> Array:
        for dim, (a, b) in enumerate(_amounts(pad, len(shape))):
            if a or b:
                n, before = shape[dim], (slice(None),) * dim
                made = xp.zeros((*input.shape[:dim], n, *input.shape[dim + 1 :]), input.dtype)
                for part, source in _parts(mode, n, a, b):
                    share = input[(*before, part)]
                    if mode == "replicate" and share.shape[dim] != source.stop - source.start:
                        share = xp.add.reduce(share, axis=dim, keepdims=True)
                    made[(*before, source)] += share
                input = made
        return input

    return forward


def _rings(n: int, a: int, b: int) -> list[tuple[slice, slice]]:
    """For a dimension of size ``n`` without its borders ``a`` and ``b``, the places of the borders
    in the result, and of what they repeat there."""
    end = a + n
    found = [(slice(0, a), slice(end - a, end))] if a else []
    return [*found, (slice(end, end + b), slice(a, a + b))] if b else found


def _circular(xp: Any, input: Array, pad: Any) -> Array:
    amounts = _amounts(pad, input.ndim)
    input = _cropped(input, amounts)
    for dim, (a, b) in enumerate(amounts):
        a, b = max(a, 0), max(b, 0)
        if a or b:
            n, before = input.shape[dim], (slice(None),) * dim
            made = xp.empty((*input.shape[:dim], n + a + b, *input.shape[dim + 1 :]), input.dtype)
            made[(*before, slice(a, a + n))] = input
            for border, source in _rings(n, a, b):
                made[(*before, border)] = made[(*before, source)]
            input = made
    return input


def _circular_back(xp: Any, input: Array, pad: Any, shape: Any) -> Array:
    amounts = _amounts(pad, len(shape))
    for dim, (a, b) in enumerate(amounts):
        n, before = shape[dim] + min(a, 0) + min(b, 0), (slice(None),) * dim
        a, b = max(a, 0), max(b, 0)
        if a or b:
            work = input[(*before, slice(a, a + n))].copy()
            for border, source in _rings(n, a, b):
                inside = slice(source.start - a, source.stop - a)
                work[(*before, inside)] += input[(*before, border)]
            input = work
    if all(a >= 0 and b >= 0 for a, b in amounts):
        return input
    whole = xp.zeros(shape, input.dtype)
    _cropped(whole, amounts)[...] = input
    return whole


def _border_op(mode: str, dims: int) -> Any:
    titles = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}
    title = titles[mode]
    node = f"{title}{dims}DBackward0"
    forward = _circular if mode == "circular" else _bordered(mode)
    backward = _circular_back if mode == "circular" else _folded_back(mode)
    padded = op(forward, name=f"_{mode}_pad{dims}d", node=node, function=False, method=False)
    back = op(backward, name=f"_{mode}_pad{dims}d_backward",
              node=f"{title}{dims}DBackwardBackward0", function=False, method=False)  # fmt: skip
    padded.vjp(input=lambda g, pad, input_shape: back(g, pad, input_shape))
    back.vjp(input=lambda g, pad: padded(g, pad))
    return padded


_BORDERS = {
    (mode, dims): _border_op(mode, dims)
    for mode in ("reflect", "replicate", "circular")
    for dims in (1, 2, 3)
}


@composite(method=False, out=False, namespaces=("nn.functional",))
def pad(input: Tensor, pad: Ints, mode: str = "constant", value: float | None = None) -> Tensor:
    """``input`` with a border.

    Args:
        pad: how much before and after the last dimension, then before and after the one in front
            of it, and so on; negative numbers take away.
        mode: ``"constant"``: the border is ``value``; ``"reflect"``: what is inside, mirrored;
            ``"replicate"``: the last element, repeated; ``"circular"``: the other end.
        value: for ``"constant"``. Default: 0.

    Raises:
        RuntimeError: ``pad`` has an odd length, or is too long for ``input`` or larger than it.

    >>> import devgrad
    >>> devgrad.nn.functional.pad(devgrad.tensor([[1.0, 2.0, 3.0]]), (2, 1), "reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    pad = ints((pad,))
    shape = input._array.shape
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * len(shape):
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {len(shape)}"
        )
    if mode == "constant":
        return constant_pad_nd.function(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    dims = len(pad) // 2
    if dims not in (1, 2, 3) or len(shape) not in (dims + 1, dims + 2):
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    for dim, (a, b) in enumerate(_amounts(pad, len(shape))):
        n = shape[dim]
        if mode == "reflect" and max(a, b) >= n and max(a, b) > 0:
            raise RuntimeError(
                f"Argument #{4 + 2 * (len(shape) - 1 - dim)}: Padding size should be less than the "
                f"corresponding input dimension, but got: padding ({a}, {b}) at dimension {dim} of "
                f"input {list(shape)}"
            )
        if mode == "circular" and max(a, b) > n:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if n + a + b < 0 or (n + a + b == 0 and (a or b)) or (n == 0 and (a or b)):
            raise RuntimeError(
                f"input (W: {n}) is too small. Calculated output W: {n + a + b}, with padding "
                f"({a}, {b}) at dimension {dim}"
            )
    return _BORDERS[mode, dims].function(input, pad)
