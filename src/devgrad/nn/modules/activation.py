"""Activations: functions of single elements, and of rows."""

from __future__ import annotations

import warnings
from typing import Any

from ..._creation import empty, full
from ..._tensor import Tensor
from ...device import user_stacklevel
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
    "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "MultiheadAttention", "PReLU",
    "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin",
    "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Plain(Module):
    """An activation without options."""

    def extra_repr(self) -> str:
        """Nothing, or that the input is changed."""
        return "inplace=True" if getattr(self, "inplace", False) else ""


class _MaybeInplace(_Plain):
    """An activation that may change its input instead of making a new tensor."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def _options(self, **options: Any) -> str:
        text = ", ".join(f"{name}={value}" for name, value in options.items())
        return f"{text}, inplace=True" if self.inplace else text


class ReLU(_MaybeInplace):
    """``max(x, 0)``.

    >>> import devgrad
    >>> devgrad.nn.ReLU()(devgrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.relu(input, self.inplace)


class ReLU6(_MaybeInplace):
    """``min(max(x, 0), 6)``."""

    min_val, max_val = 0.0, 6.0

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.relu6(input, self.inplace)


class Threshold(_MaybeInplace):
    """``x`` where it is above ``threshold``, ``value`` elsewhere."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = threshold
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return self._options(threshold=self.threshold, value=self.value)


class RReLU(_MaybeInplace):
    """``x`` where it is positive, elsewhere times a slope: random in training, else the mean."""

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__(inplace)
        self.lower = lower
        self.upper = upper

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return self._options(lower=self.lower, upper=self.upper)


class Hardtanh(_MaybeInplace):
    """``x`` brought between ``min_val`` and ``max_val``.

    Raises:
        AssertionError: the bounds are in the wrong order.
    """

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
        min_value: float | None = None, max_value: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(inplace)
        for old, value in (("min_value", min_value), ("max_value", max_value)):
            if value is not None:
                new = old.replace("value", "val")
                warnings.warn(
                    f"keyword argument `{old}` is deprecated and renamed to `{new}`",
                    FutureWarning,
                    stacklevel=user_stacklevel(),
                )
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        if self.max_val <= self.min_val:
            raise AssertionError(
                f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})"
            )

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return self._options(min_val=self.min_val, max_val=self.max_val)


class LeakyReLU(_MaybeInplace):
    """``x`` where it is positive, ``negative_slope * x`` elsewhere."""

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return self._options(negative_slope=self.negative_slope)


class ELU(_MaybeInplace):
    """``x`` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """The options."""
        return self._options(alpha=self.alpha)


class CELU(ELU):
    """``x`` where it is positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.celu(input, self.alpha, self.inplace)


class SELU(_MaybeInplace):
    """ELU, scaled so that mean 0 and variance 1 are kept from layer to layer."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.selu(input, self.inplace)


class SiLU(_MaybeInplace):
    """``x * sigmoid(x)``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.silu(input, self.inplace)


class Mish(_MaybeInplace):
    """``x * tanh(softplus(x))``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.mish(input, self.inplace)


class Hardsigmoid(_MaybeInplace):
    """``x / 6 + 1 / 2``, brought between 0 and 1."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class Hardswish(_MaybeInplace):
    """``x * hardsigmoid(x)``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        """Nothing, as in PyTorch."""
        return ""


class Sigmoid(_Plain):
    """``1 / (1 + exp(-x))``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        output: Tensor = input.sigmoid()
        return output


class Tanh(_Plain):
    """``tanh(x)``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        output: Tensor = input.tanh()
        return output


class LogSigmoid(_Plain):
    """``log(sigmoid(x))``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.logsigmoid(input)


class Softsign(_Plain):
    """``x / (1 + |x|)``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.softsign(input)


class Tanhshrink(_Plain):
    """``x - tanh(x)``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.tanhshrink(input)


class GELU(Module):
    """``x`` times the normal distribution's probability of less than ``x``.

    Args:
        approximate: ``"tanh"`` for an approximation of it by a tanh.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """The options."""
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """``log(1 + exp(beta * x)) / beta``; ``x`` itself where ``beta * x`` is above ``threshold``."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The options."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardshrink(Module):
    """``x`` where it is further than ``lambd`` from zero, 0 elsewhere."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """``x`` brought nearer to zero by ``lambd``."""

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.softshrink(input, self.lambd)


class PReLU(Module):
    """``x`` where it is positive, elsewhere times a slope that is learnt.

    Args:
        num_parameters: one slope for all, or one for each of the input's channels (dimension 1).
        init: what the slopes begin with.
        device, dtype: of the slopes.
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Begin anew."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The options."""
        return f"num_parameters={self.num_parameters}"


class GLU(Module):
    """The first half along ``dim``, times the sigmoid of the second."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """The activation of the input."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """The options."""
        return f"dim={self.dim}"


class _AlongDim(Module):
    """A function of the rows along one dimension."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """The options."""
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """``exp(x)`` along ``dim``, divided by its sum.

    >>> import devgrad
    >>> devgrad.nn.Softmax(dim=0)(devgrad.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The softmax of the input."""
        return F.softmax(input, self.dim, 5)


class Softmin(_AlongDim):
    """The softmax of ``-x``."""

    def forward(self, input: Tensor) -> Tensor:
        """The softmin of the input."""
        return F.softmin(input, self.dim, 5)


class LogSoftmax(_AlongDim):
    """The logarithm of the softmax."""

    def forward(self, input: Tensor) -> Tensor:
        """The logarithm of the input's softmax."""
        return F.log_softmax(input, self.dim, 5)


class Softmax2d(Module):
    """The softmax over the channels of images.

    Shape:
        ``(N, C, H, W)`` or ``(C, H, W)`` to the same.

    Raises:
        ValueError: the input is of another shape.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The softmax of the input."""
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3, 5)


class MultiheadAttention(Module):
    """Attention of several heads: for each query each finds the mean of the values whose keys fit.

    Args:
        embed_dim: the length of queries and results. num_heads: how many heads share it.
        dropout: with what probability a weight is dropped in training.
        bias: whether the projections have biases.
        add_bias_kv: add a key and a value that are learnt. add_zero_attn: and ones of zeros.
        kdim, vdim: the lengths of keys and values; default ``embed_dim``.
        batch_first: inputs and outputs are ``(N, L, E)`` instead of ``(L, N, E)``.
        device, dtype: of the parameters.

    Attributes:
        in_proj_weight, in_proj_bias: the projections of queries, keys and values, below each other;
            or ``q_proj_weight``, ``k_proj_weight``, ``v_proj_weight`` where lengths differ.
        out_proj: the projection of the result.

    Raises:
        ValueError, AssertionError: the heads cannot share ``embed_dim``.

    >>> import devgrad
    >>> x = devgrad.randn(5, 2, 8)
    >>> output, weights = devgrad.nn.MultiheadAttention(8, 4)(x, x, x)
    >>> output.shape, weights.shape
    (torch.Size([5, 2, 8]), torch.Size([2, 5, 5]))
    """

    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        place = {"device": device, "dtype": dtype}
        widths = {"q": embed_dim, "k": self.kdim, "v": self.vdim}
        alike = self._qkv_same_embed_dim
        joint = Parameter(empty(3 * embed_dim, embed_dim, **place)) if alike else None
        self.register_parameter("in_proj_weight", joint)
        for name, width in widths.items():
            weight = None if alike else Parameter(empty(embed_dim, width, **place))
            self.register_parameter(f"{name}_proj_weight", weight)
        shift = Parameter(empty(3 * embed_dim, **place)) if bias else None
        self.register_parameter("in_proj_bias", shift)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **place)
        for name in ("bias_k", "bias_v"):
            more = Parameter(empty(1, 1, embed_dim, **place)) if add_bias_kv else None
            self.register_parameter(name, more)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in", "q", "k", "v"):
            weight = getattr(self, f"{name}_proj_weight")
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for more in (self.bias_k, self.bias_v):
            if more is not None:
                init.xavier_normal_(more)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None,
        average_attn_weights: bool = True, is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """The result, ``(L, N, E)``, and the weights, ``(N, L, S)``, if they are needed.

        Args:
            query: ``(L, N, E)`` or ``(L, E)``. key, value: ``(S, N, kdim)``, ``(S, N, vdim)`` or
                without N; all with N first if ``batch_first``.
            key_padding_mask: ``(N, S)`` or ``(S)``: true where a key is left out, or what is added.
            need_weights: return the weights too; leave them away where they are not used.
            attn_mask: ``(L, S)`` or ``(N * heads, L, S)``: likewise, for each query.
            average_attn_weights: give the mean of the heads' weights, not each head's.
            is_causal: a hint that ``attn_mask`` is the causal mask.

        Raises:
            AssertionError, RuntimeError: shapes do not fit.
        """
        turned = self.batch_first and query.ndim == 3
        if turned:  # the same tensor stays the same: one product projects all three
            same_key, same_value = key is query, value is key
            query = query.transpose(0, 1)
            key = query if same_key else key.transpose(0, 1)
            value = key if same_value else value.transpose(0, 1)
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )  # fmt: skip
        return output.transpose(0, 1) if turned else output, weights
