"""Attention: weighted means of values, by how well keys fit queries."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .._tensor import Tensor, wrap
from ..device import user_stacklevel
from ._functional import FUNCTIONAL
from ._op import FUNCTIONS, composite
from .joining import cat
from .matmul import linear
from .padding import pad
from .softmax import softmax

__all__: list[str] = []


def _check_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    dtypes = [x._type.dtype for x in (query, key, value)]
    if dtypes[1] is not dtypes[0] or dtypes[2] is not dtypes[0]:
        q, k, v = (d.name for d in dtypes)
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{q} key.dtype: {k} and value.dtype: {v} instead."
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if mask is not None and mask._type.dtype.name not in ("bool", "float32", dtypes[0].name):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {mask._type.dtype.name} and  query.dtype: {dtypes[0].name} instead."
        )


def _bias(allowed: Any, like: Tensor) -> Tensor:
    """What is added to the scores: 0 where ``allowed``, an array, is true, else minus infinity."""
    kind = like._type
    xp = kind.xp
    return wrap(xp.where(allowed, 0, -xp.inf).astype(kind.array_dtype), kind)


def _attention_weights(scores: Tensor, bias: Tensor | None, complete: bool) -> Tensor:
    """The softmax of the scores with the bias added.

    Where the bias forbids every key (it cannot, if ``complete``) the weights are 0, not NaN.
    """
    if bias is None:
        return softmax(scores, -1)
    scores = scores + bias
    if not complete and bias._array.size:
        xp = bias._type.xp
        alive = (bias._array != -xp.inf).any(axis=-1, keepdims=True)
        if not (xp.checks_bounds and alive.all()):
            dead = wrap(~alive, bias._type.device.types[alive.dtype])
            weights = softmax(scores.masked_fill(dead, 0), -1)
            return weights.masked_fill(dead, 0)
    return softmax(scores, -1)


@composite(**FUNCTIONAL)
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """``softmax(query @ key.mT * scale + mask) @ value``.

    Args:
        query: (..., L, E). key: (..., S, E). value: (..., S, Ev). The result is (..., L, Ev).
        attn_mask: broadcasts to (..., L, S); a bool, true where a key takes part, or a number that
            is added to the score.
        dropout_p: with what probability a weight is dropped; whether in training or not.
        is_causal: the query at i sees the keys up to i only.
        scale: default ``1 / sqrt(E)``.
        enable_gqa: key and value have fewer heads (dimension -3), each for several of the query.

    Raises:
        RuntimeError: shapes or dtypes do not fit, or there is a mask beside ``is_causal``.

    >>> import devgrad
    >>> x = devgrad.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> devgrad.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    _check_attention(query, key, value, attn_mask)
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    dtype = query._type.dtype
    if dtype.itemsize == 2:
        query, key, value = query.float(), key.float(), value.float()
    if enable_gqa:
        repeat = FUNCTIONS[""]["repeat_interleave"]
        heads = query.shape[-3]
        if heads % key.shape[-3] or heads % value.shape[-3]:
            raise RuntimeError(
                "Number of heads in key and value must divide the number of heads in query. Got "
                f"query {heads}, key {key.shape[-3]}, value {value.shape[-3]}"
            )
        key = repeat(key, heads // key.shape[-3], -3)
        value = repeat(value, heads // value.shape[-3], -3)
    if scale is None:
        width = query.shape[-1]
        scale = 1 / math.sqrt(width) if width else 1.0
    scores = (query * scale) @ key.transpose(-2, -1)
    bias = attn_mask
    if is_causal:
        xp, (rows, columns) = query._type.xp, scores._array.shape[-2:]
        bias = _bias(xp.tril(xp.ones((rows, columns), bool)), query)
    elif attn_mask is not None and attn_mask._type.dtype.category == 0:
        bias = _bias(attn_mask._array, query)
    weights = _attention_weights(scores, bias, is_causal)
    if dropout_p > 0:
        weights = FUNCTIONS[""]["dropout"](weights, dropout_p, True)
    return (weights @ value).to(dtype)


# --- several heads --------------------------------------------------------------------------------


def _is_batched(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None,
    heads: int,
) -> bool:  # fmt: skip
    """Whether there is a batch dimension.

    Raises:
        AssertionError: the numbers of dimensions do not fit.
    """
    n = query.ndim
    if n not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {n}-D query tensor"
        )
    what = "batched (3-D)" if n == 3 else "unbatched (2-D)"
    if key.ndim != n or value.ndim != n:
        raise AssertionError(
            f"For {what} `query`, expected `key` and `value` to be {n}-D but found {key.ndim}-D "
            f"and {value.ndim}-D tensors respectively"
        )
    if padding is not None and padding.ndim != n - 1:
        raise AssertionError(
            f"For {what} `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found "
            f"{padding.ndim}-D tensor instead"
        )
    if mask is not None:
        if mask.ndim not in (2, 3):
            raise AssertionError(
                f"For {what} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
                f"{mask.ndim}-D tensor instead"
            )
        wanted = (heads, query.shape[0], key.shape[0])
        if n == 2 and mask.ndim == 3 and mask.shape != wanted:
            raise AssertionError(f"Expected `attn_mask` shape to be {wanted} but got {mask.shape}")
    return n == 3


def _as_bias(name: str, mask: Tensor | None, query: Tensor, other: Tensor | None) -> Tensor | None:
    """A mask as what is added to the scores. Here a bool says what to leave out."""
    if mask is None:
        return None
    is_bool = mask._type.dtype.category == 0
    if not is_bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and other.dtype is not mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both "
            "instead.",
            stacklevel=user_stacklevel(),
        )
    return _bias(~mask._array, query) if is_bool else mask


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weights: Any, bias: Tensor | None
) -> list[Tensor]:
    """Queries, keys and values by one weight for all three, or one for each."""
    if len(weights) == 1:
        if query is key and key is value:
            return list(linear(query, weights[0], bias).chunk(3, -1))
        weights = weights[0].chunk(3)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    inputs = (query, key, value)
    return [linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]


def _heads(x: Tensor, static: Tensor | None, name: str, count: int, width: int) -> Tensor:
    """(length, batch, embedding) as (batch * heads, length, width)."""
    if static is None:
        return x.reshape(x.shape[0], count, width).transpose(0, 1)
    if static.shape[0] != count:
        raise AssertionError(f"expecting {name}.size(0) of {count}, but got {static.shape[0]}")
    if static.shape[2] != width:
        raise AssertionError(f"expecting {name}.size(2) of {width}, but got {static.shape[2]}")
    return static


def _widened(mask: Tensor | None) -> Tensor | None:
    """A mask for one key more, which takes part."""
    return None if mask is None else pad(mask, (0, 1))


def _checked_mask(mask: Tensor | None, batch: int, rows: int, columns: int) -> Tensor | None:
    """The mask with a dimension for batch and heads."""
    if mask is None:
        return None
    wanted = (rows, columns) if mask.ndim == 2 else (batch, rows, columns)
    if mask.shape != wanted:
        raise RuntimeError(
            f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {wanted}."
        )
    return mask.unsqueeze(0) if mask.ndim == 2 else mask


@composite(**FUNCTIONAL)
def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
    bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
    out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
    need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Attention of several heads, with the projections before and after: `nn.MultiheadAttention`.

    Args:
        query: (L, N, E) or (L, E). key, value: (S, N, ...) or (S, ...).
        embed_dim_to_check: E. num_heads: how many heads share it.
        in_proj_weight, in_proj_bias: (3E, E) and (3E): the projections of all three.
        bias_k, bias_v: (1, 1, E): one key and value more for all.
        add_zero_attn: one key and value more, of zeros.
        dropout_p: with what probability a weight is dropped in training.
        out_proj_weight, out_proj_bias: (E, E) and (E): the projection of the result.
        training: whether there is dropout.
        key_padding_mask: (N, S) or (S): true where a key is left out, or what is added.
        need_weights: return the weights too.
        attn_mask: (L, S) or (N * heads, L, S): true where a key is left out, or what is added.
        use_separate_proj_weight: use ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight``.
        static_k, static_v: (N * heads, S, E / heads): instead of projected keys and values.
        average_attn_weights: the mean of the weights over the heads.
        is_causal: a hint that ``attn_mask`` is the causal mask.

    Returns:
        The result, of the shape of ``query``; and the weights, (N, L, S) or (L, S), with heads as
        second (first) dimension unless averaged, or None.

    Raises:
        AssertionError, RuntimeError: arguments or shapes do not fit.

    >>> import devgrad
    >>> x, w = devgrad.ones(1, 2), devgrad.cat([devgrad.eye(2)] * 3)
    >>> devgrad.nn.functional.multi_head_attention_forward(
    ...     x, x, x, 2, 1, w, None, None, None, False, 0.0, devgrad.eye(2), None)[0]
    tensor([[1., 1.]])
    """
    if query._type.dtype.itemsize == 2:
        given = (
            query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k,
            bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training,
            key_padding_mask, need_weights, attn_mask, use_separate_proj_weight, q_proj_weight,
            k_proj_weight, v_proj_weight, static_k, static_v, average_attn_weights, is_causal,
        )  # fmt: skip
        wide = [x.float() if isinstance(x, Tensor) and x.is_floating_point() else x for x in given]
        output, shares = multi_head_attention_forward(*wide)
        return output.half(), None if shares is None else shares.half()
    batched = _is_batched(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same = query is key and key is value
        query = query.unsqueeze(1)
        key, value = (query, query) if same else (key.unsqueeze(1), value.unsqueeze(1))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    key_padding_mask = _as_bias("key_padding_mask", key_padding_mask, query, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    causal = is_causal and key_padding_mask is None and not need_weights
    mask = None if causal else _as_bias("attn_mask", attn_mask, query, None)
    if width != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}"
        )
    head = width // num_heads
    if head * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's "
                f"{value.shape[:2]}"
            )
        weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
        for name, weight in zip("qkv", weights, strict=True):
            if weight is None:
                raise AssertionError(
                    f"use_separate_proj_weight is True but {name}_proj_weight is None"
                )
    else:
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        weights = (in_proj_weight,)
    q, k, v = _projected(query, key, value, weights, in_proj_bias)
    mask = _checked_mask(mask, batch * num_heads, length, key.shape[0])
    if (bias_k is None) != (bias_v is None):
        names = ("bias_k", "bias_v") if bias_v is None else ("bias_v", "bias_k")
        raise AssertionError(f"{names[0]} is set but {names[1]} is None")
    if bias_k is not None and bias_v is not None:
        for name, static in (("key", static_k), ("value", static_v)):
            if static is not None:
                raise AssertionError(f"bias cannot be added to static {name}.")
        k = cat([k, bias_k.repeat(1, batch, 1)], 0)
        v = cat([v, bias_v.repeat(1, batch, 1)], 0)
        mask, key_padding_mask = _widened(mask), _widened(key_padding_mask)
    q = _heads(q, None, "", batch * num_heads, head)
    k = _heads(k, static_k, "static_k", batch * num_heads, head)
    v = _heads(v, static_v, "static_v", batch * num_heads, head)
    if add_zero_attn:
        kind = k._type
        zeros = wrap(kind.xp.zeros((batch * num_heads, 1, head), kind.array_dtype), kind)
        k, v = cat([k, zeros], 1), cat([v, zeros], 1)
        mask, key_padding_mask = _widened(mask), _widened(key_padding_mask)
    keys = k.shape[1]
    if key_padding_mask is not None:
        for i, n in enumerate((batch, keys)):
            if key_padding_mask.shape[i] != n:
                raise AssertionError(
                    f"Expected key_padded_mask.shape[{i}] to be {n}, but got "
                    f"{key_padding_mask.shape[i]}"
                )
        spread = key_padding_mask.reshape(batch, 1, 1, keys).expand(-1, num_heads, -1, -1)
        padding = spread.reshape(batch * num_heads, 1, keys)
        mask = padding if mask is None else mask + padding
    drop = dropout_p if training else 0.0
    shape = (batch, num_heads, length, keys)
    if need_weights:
        scores = (q * math.sqrt(1.0 / head)) @ k.transpose(-2, -1)
        shares = softmax(scores if mask is None else scores + mask, -1)
        if drop > 0.0:
            shares = FUNCTIONS[""]["dropout"](shares, drop, True)
        joined = (shares @ v).transpose(0, 1)
    else:
        if mask is not None:
            mask = mask.expand(batch * num_heads, length, keys).reshape(shape)
        parts = [x.reshape(batch, num_heads, -1, head) for x in (q, k, v)]
        found = scaled_dot_product_attention(*parts, mask, drop, causal)
        joined = found.permute(2, 0, 1, 3)
    output = linear(joined.reshape(length * batch, width), out_proj_weight, out_proj_bias)
    output = output.reshape(length, batch, -1)
    output = output if batched else output.squeeze(1)
    if not need_weights:
        return output, None
    shares = shares.reshape(shape)
    if average_attn_weights:
        shares = shares.mean(1)
    return output, shares if batched else shares.squeeze(0)
