"""Recurrent layers and their cells."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..._creation import empty, zeros
from ..._tensor import Tensor
from ...device import user_stacklevel
from ...ops import FUNCTIONS
from ...ops.recurrent import gru_cell, gru_layer, lstm_cell, lstm_layer, rnn_cell, rnn_layer
from .. import functional as F
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}  # rows of weights for each of hidden


def _draw(module: Any) -> None:
    bound = 1.0 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNNBase(Module):
    """Several recurrent layers, in one direction or both.

    Args:
        mode: ``"RNN_TANH"``, ``"RNN_RELU"``, ``"LSTM"`` or ``"GRU"``.
        input_size: the length of each step's input. hidden_size: of the state.
        num_layers: how many layers; each takes the outputs of the one before.
        bias: whether there are biases.
        batch_first: inputs and outputs are ``(N, L, *)`` instead of ``(L, N, *)``.
        dropout: with what probability outputs are dropped in training, but for the last layer's.
        bidirectional: another layer goes from the end to the beginning, beside each.
        proj_size: if not 0, the length that the outputs are projected to (`LSTM`).
        device, dtype: of the parameters.

    Attributes:
        weight_ih_l0, weight_hh_l0: what inputs and states are multiplied by in the first layer, the
            gates below each other; at first uniform within ``1 / sqrt(hidden_size)`` of zero, as
            all are.
        bias_ih_l0, bias_hh_l0: the biases of both. weight_hr_l0: the projection.
        weight_ih_l0_reverse ...: those of the other direction.

    Raises:
        ValueError, TypeError: the options are out of range.
    """

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        _check_dropout(dropout, num_layers)
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options()
        gates = _GATES[mode] * hidden_size
        shown = proj_size or hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            size = input_size if layer == 0 else shown * self._directions
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, size), "weight_hh": (gates, shown),
            }  # fmt: skip
            if bias:
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[: self._directions]:
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    def _check_options(self) -> None:
        for name in ("bias", "batch_first"):
            if not isinstance(getattr(self, name), bool):
                given = type(getattr(self, name)).__name__
                raise TypeError(f"{name} should be of type bool, got: {given}")
        for name in ("input_size", "hidden_size"):
            if not isinstance(getattr(self, name), int):
                given = type(getattr(self, name)).__name__
                raise TypeError(f"{name} should be of type int, got: {given}")
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {self.mode}")

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Nothing: PyTorch moves the parameters together in a GPU's memory."""

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        _draw(self)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the usual ones."""
        text = f"{self.input_size}, {self.hidden_size}"
        usual = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
            "bidirectional": False,
        }  # fmt: skip
        for name, value in usual.items():
            if getattr(self, name) != value:
                text += f", {name}={getattr(self, name)}"
        return text

    # --- running ----------------------------------------------------------------------------------

    def _check_input(self, input: Tensor, ndim: int) -> None:
        dtype = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype is not dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert "
                f"input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        if input.ndim != ndim:
            raise RuntimeError(f"input must have {ndim} dimensions, got {input.ndim}")
        if self.input_size != input.shape[-1]:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.shape[-1]}"
            )

    def _check_states(self, states: list[Tensor], batch: int) -> None:
        widths = (self.proj_size or self.hidden_size, self.hidden_size)
        for i, state in enumerate(states):
            wanted = (self.num_layers * self._directions, batch, widths[i])
            if tuple(state.shape) != wanted:
                what = "hidden size" if len(states) == 1 else f"hidden[{i}] size"
                raise RuntimeError(f"Expected {what} {wanted}, got {list(state.shape)}")

    def _begin(self, input: Tensor, batch: int) -> list[Tensor]:
        """States of zeros."""
        widths = [self.proj_size or self.hidden_size, self.hidden_size][: self._states]
        return [
            zeros(self.num_layers * self._directions, batch, width, dtype=input.dtype,
                  device=input.device)
            for width in widths
        ]  # fmt: skip

    @property
    def _states(self) -> int:
        return 2 if self.mode == "LSTM" else 1

    def _layer(
        self, x: Tensor, states: list[Tensor], weights: list[Tensor], sizes: list[int],
        reverse: bool,
    ) -> list[Tensor]:  # fmt: skip
        """The outputs and last states of a layer in one direction. ``x`` is ``(rows, size)``."""
        w_ih, w_hh, *rest = weights
        b_ih, b_hh = rest[:2] if self.bias else (None, None)
        projection = rest[-1:] if self.proj_size else []
        if self.mode == "GRU":
            tensors = [F.linear(x, w_ih, b_ih), *states, w_hh]
            tensors += [] if b_hh is None else [b_hh]
            return gru_layer.function(tensors, sizes, reverse)[:2]
        bias = None if b_ih is None else b_ih + b_hh
        tensors = [F.linear(x, w_ih, bias), *states, w_hh, *projection]
        if self.mode == "LSTM":
            return lstm_layer.function(tensors, sizes, reverse)[:3]
        relu = self.mode == "RNN_RELU"
        return rnn_layer.function(tensors, sizes, reverse, relu)

    def _run(
        self, x: Tensor, states: list[Tensor], sizes: list[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers. ``x`` is ``(rows, size)``, step by step."""
        dtype = x.dtype
        every = self.all_weights
        if dtype.itemsize == 2:  # computed in float32
            x, states = x.float(), [s.float() for s in states]
            every = [[w.float() for w in weights] for weights in every]
        lasts: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self._directions):
                k = layer * self._directions + direction
                found = self._layer(x, [s[k] for s in states], every[k], sizes, direction == 1)
                outputs.append(found[0])
                lasts.append(list(found[1:]))
            x = outputs[0] if len(outputs) == 1 else FUNCTIONS[""]["cat"](outputs, 1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        stack = FUNCTIONS[""]["stack"]
        return x.to(dtype), [stack(parts).to(dtype) for parts in zip(*lasts, strict=True)]

    def _packed(self, input: PackedSequence, states: list[Tensor] | None) -> tuple[Any, Any]:
        x, sizes, order, back = input
        self._check_input(x, 2)
        counts = sizes.tolist()
        if states is None:
            states = self._begin(x, counts[0])
        elif order is not None:
            states = [s.index_select(1, order) for s in states]
        self._check_states(states, counts[0])
        out, lasts = self._run(x, states, counts)
        if back is not None:
            lasts = [s.index_select(1, back) for s in lasts]
        return PackedSequence(out, sizes, order, back), lasts

    def _padded(self, input: Tensor, states: list[Tensor] | None) -> tuple[Any, Any]:
        alone = input.ndim == 2
        batch_dim = 0 if self.batch_first else 1
        self._check_dims(input, states)
        if alone:
            input = input.unsqueeze(batch_dim)
            states = None if states is None else [s.unsqueeze(1) for s in states]
        self._check_input(input, 3)
        by_step = input.transpose(0, 1) if self.batch_first else input
        steps, batch, size = by_step.shape
        states = self._begin(input, batch) if states is None else states
        self._check_states(states, batch)
        if not steps:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        out, lasts = self._run(by_step.reshape(steps * batch, size), states, [batch] * steps)
        out = out.view(steps, batch, -1)
        out = out.transpose(0, 1) if self.batch_first else out
        if alone:
            return out.squeeze(batch_dim), [s.squeeze(1) for s in lasts]
        return out, lasts

    def _check_dims(self, input: Tensor, states: list[Tensor] | None) -> None:
        title = self.mode.partition("_")[0]
        if input.ndim not in (2, 3):
            tensor = " tensor" if title == "RNN" else ""
            raise ValueError(
                f"{title}: Expected input to be 2D or 3D, got {input.ndim}D{tensor} instead"
            )
        wanted = input.ndim
        if states is None or all(s.ndim == wanted for s in states):
            return
        what = "batched 3-D" if wanted == 3 else "unbatched 2-D"
        if len(states) == 1:
            raise RuntimeError(
                f"For {what} input, hx should also be {wanted}-D but got {states[0].ndim}-D tensor"
            )
        raise RuntimeError(
            f"For {what} input, hx and cx should also be {wanted}-D but got "
            f"({states[0].ndim}-D, {states[1].ndim}-D) tensors"
        )

    def forward(self, input: Any, hx: Any = None) -> Any:
        """All outputs of the last layer, and the last states of all layers.

        Args:
            input: ``(L, N, input_size)``, or as ``batch_first``, or ``(L, input_size)``, or a
                `PackedSequence`.
            hx: the states to begin with, ``(num_layers * directions, N, hidden_size)``; default
                zeros. Of an `LSTM` a pair, with the cells.

        Returns:
            The outputs, ``(L, N, directions * hidden_size)``, as the input came; and the states.

        Raises:
            ValueError, RuntimeError: shapes or dtypes do not fit.
        """
        states = None if hx is None else list(hx) if self._states == 2 else [hx]
        run = self._packed if isinstance(input, PackedSequence) else self._padded
        out, lasts = run(input, states)
        return out, tuple(lasts) if self._states == 2 else lasts[0]


def _check_dropout(dropout: Any, num_layers: int) -> None:
    if not isinstance(dropout, (int, float)) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element "
            "being zeroed"
        )
    if dropout and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={num_layers}",
            stacklevel=user_stacklevel(),
        )


def _without_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """Layers of ``h = tanh(w_ih @ x + b_ih + w_hh @ h + b_hh)``.

    Args:
        input_size: the length of each step's input. hidden_size: of the state.
        num_layers: how many layers.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias, batch_first, dropout, bidirectional, device, dtype: see `RNNBase`.

    >>> import devgrad
    >>> out, h = devgrad.nn.RNN(10, 20, 2)(devgrad.randn(5, 3, 10))
    >>> out.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
        *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        _without_projection(kwargs)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(mode, input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Layers of long short-term memory: a cell beside the state, and gates for both.

    ``c = f * c + i * g`` and ``h = o * tanh(c)``, where i, f, o are sigmoids and g is a tanh of
    ``w_ih @ x + b_ih + w_hh @ h + b_hh``, whose rows are in the order i, f, g, o. The state is a
    pair, ``(h, c)``.

    Args:
        input_size: the length of each step's input. hidden_size: of the state.
        num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype: see
            `RNNBase`.

    >>> import devgrad
    >>> out, (h, c) = devgrad.nn.LSTM(10, 20, 2)(devgrad.randn(5, 3, 10))
    >>> out.shape, h.shape, c.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Layers of gated recurrent units.

    ``h = (1 - z) * n + z * h`` with ``n = tanh(x_n + r * h_n)``, where r and z are sigmoids of
    ``x_r + h_r`` and ``x_z + h_z``, the parts of ``w_ih @ x + b_ih`` and ``w_hh @ h + b_hh``; their
    rows are in the order r, z, n.

    Args:
        input_size: the length of each step's input. hidden_size: of the state.
        num_layers, bias, batch_first, dropout, bidirectional, device, dtype: see `RNNBase`.

    >>> import devgrad
    >>> out, h = devgrad.nn.GRU(10, 20, bidirectional=True)(devgrad.randn(5, 3, 10))
    >>> out.shape, h.shape
    (torch.Size([5, 3, 40]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _without_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


# --- cells: one step ------------------------------------------------------------------------------


class RNNCellBase(Module):
    """One step of a recurrent layer.

    Args:
        input_size: the length of the input. hidden_size: of the state.
        bias: whether there are biases.
        num_chunks: how many rows of weights there are for each element of the state.
        device, dtype: of the parameters.

    Attributes:
        weight_ih, weight_hh: ``(num_chunks * hidden_size, input_size)`` and ``(..., hidden_size)``,
            at first uniform within ``1 / sqrt(hidden_size)`` of zero, as are
        bias_ih, bias_hh: ``(num_chunks * hidden_size,)``, or None.
    """

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows, place = num_chunks * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty(rows, input_size, **place))
        self.weight_hh = Parameter(empty(rows, hidden_size, **place))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, **place)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        _draw(self)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the usual ones."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (("bias", True), ("nonlinearity", "tanh")):
            if getattr(self, name, usual) != usual:
                text += f", {name}={getattr(self, name)}"
        return text

    def _batch(self, input: Tensor, states: Any, names: tuple[str, ...]) -> list[Tensor]:
        """Input and states with a dimension for the batch; states of zeros if there are none."""
        title = type(self).__name__
        if input.ndim not in (1, 2):
            raise ValueError(f"{title}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        for name, state in zip(names, states or (), strict=False):
            if state.ndim not in (1, 2):
                raise ValueError(
                    f"{title}: Expected {name} to be 1D or 2D, got {state.ndim}D instead"
                )
        if input.ndim == 1:
            input = input.unsqueeze(0)
            states = states and [s.unsqueeze(0) for s in states]
        if states is None:
            zero = zeros(len(input), self.hidden_size, dtype=input.dtype, device=input.device)
            states = [zero] * len(names)
        return [input, *states]

    def _input_part(self, input: Tensor) -> Tensor:
        """``w_ih @ x`` with both biases."""
        bias = None
        if self.bias_ih is not None and self.bias_hh is not None:
            bias = self.bias_ih + self.bias_hh
        part: Tensor = F.linear(input, self.weight_ih, bias)
        return part


class RNNCell(RNNCellBase):
    """One step of an `RNN`.

    Args:
        input_size: the length of the input. hidden_size: of the state.
        bias: whether there are biases.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        device, dtype: of the parameters.

    >>> import devgrad
    >>> devgrad.nn.RNNCell(10, 20)(devgrad.randn(3, 10)).shape
    torch.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state, for an input ``(N, input_size)`` and a state ``(N, hidden_size)``.

        Raises:
            RuntimeError: there is no such nonlinearity, or shapes do not fit. ValueError: so too.
        """
        x, h = self._batch(input, None if hx is None else [hx], ("hidden",))
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        new: Tensor = rnn_cell(
            self._input_part(x), h, self.weight_hh, relu=self.nonlinearity == "relu"
        )
        return new if input.ndim == 2 else new.squeeze(0)


class LSTMCell(RNNCellBase):
    """One step of an `LSTM`.

    Args:
        input_size: the length of the input. hidden_size: of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.

    >>> import devgrad
    >>> h, c = devgrad.nn.LSTMCell(10, 20)(devgrad.randn(3, 10))
    >>> h.shape, c.shape
    (torch.Size([3, 20]), torch.Size([3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The new state and cell, for an input ``(N, input_size)`` and a pair ``(h, c)``.

        Raises:
            ValueError, RuntimeError: shapes do not fit.
        """
        x, h, c = self._batch(input, hx, ("hx[0]", "hx[1]"))
        h, c = lstm_cell(self._input_part(x), h, c, self.weight_hh)
        return (h, c) if input.ndim == 2 else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of a `GRU`.

    Args:
        input_size: the length of the input. hidden_size: of the state.
        bias: whether there are biases.
        device, dtype: of the parameters.

    >>> import devgrad
    >>> devgrad.nn.GRUCell(10, 20)(devgrad.randn(3, 10)).shape
    torch.Size([3, 20])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state, for an input ``(N, input_size)`` and a state ``(N, hidden_size)``.

        Raises:
            ValueError, RuntimeError: shapes do not fit.
        """
        x, h = self._batch(input, None if hx is None else [hx], ("hidden",))
        part = F.linear(x, self.weight_ih, self.bias_ih)
        new: Tensor = gru_cell(part, h, self.weight_hh, self.bias_hh)
        return new if input.ndim == 2 else new.squeeze(0)
