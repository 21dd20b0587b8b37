"""Recurrent layers: a layer in one direction, through all steps, is one operation.

A batch of sequences, the longest first, lies in memory step by step: ``sizes[t]`` rows for step t,
one for each sequence that is that long (of a batch without padding all have the same size). The
part that the inputs have in the gates is a product for all steps together, made before; what is
left to the loop is the part of the states. The states before the first step and after the last
are ``(B, H)``: sequence i's row is only changed while it lasts, in either direction.

Going back, all that does not depend on the gradients is computed for all steps together, so that
the loop has little more to do than a product for each step. Derivatives of higher order are those
of the plain loop over steps (`loop`), of which this is the quick form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._tensor import Tensor
from ..autograd import _api
from ..device import array_namespace
from ._op import Array, Arrays, op
from .elementwise import sigmoid
from .joining import cat
from .matmul import linear

__all__ = ["gru_cell", "gru_layer", "lstm_cell", "lstm_layer", "rnn_cell", "rnn_layer"]

Steps = list[tuple[slice, int]]  # the rows of each step in the order of the loop, and their number


def _steps(sizes: Sequence[int], reverse: bool) -> Steps:
    steps, start = [], 0
    for size in sizes:
        steps.append((slice(start, start + size), size))
        start += size
    return steps[::-1] if reverse else steps


def _before(xp: Any, initial: Array, after: Array, steps: Steps) -> Array:
    """The states before each step, from those after each."""
    state, before = initial.copy(), xp.empty(after.shape, after.dtype)
    for rows, b in steps:
        before[rows] = state[:b]
        state[:b] = after[rows]
    return before


def _backward_steps(g: Any, like: Array, initial: Array, xp: Any) -> tuple[Array, Array]:
    """The gradients of all outputs and of the last states, zeros where there are none."""
    outer = xp.zeros(like.shape, like.dtype) if g[0] is None else g[0]
    last = xp.zeros(initial.shape, like.dtype) if g[1] is None else g[1].copy()
    return outer, last


# --- one step, on tensors -------------------------------------------------------------------------


def rnn_cell(x: Any, h: Any, w: Any, *, relu: bool) -> Any:
    """A simple step: ``tanh(x + w @ h)``, or ``relu``. ``x`` is the input's part, ``(b, H)``."""
    total = x + linear(h, w)
    return total.relu() if relu else total.tanh()


def lstm_cell(x: Any, h: Any, c: Any, w: Any, w_hr: Any = None) -> tuple[Any, Any]:
    """A step with a memory cell. ``x`` is the inputs' part of the gates, ``(b, 4 H)``."""
    i, f, g, o = (x + linear(h, w)).chunk(4, 1)
    c = sigmoid(f) * c + sigmoid(i) * g.tanh()
    h = sigmoid(o) * c.tanh()
    return (h if w_hr is None else linear(h, w_hr)), c


def gru_cell(x: Any, h: Any, w: Any, bias: Any = None) -> Any:
    """A step with gates. ``x`` is the inputs' part of them, ``(b, 3 H)``."""
    x_r, x_z, x_n = x.chunk(3, 1)
    h_r, h_z, h_n = linear(h, w, bias).chunk(3, 1)
    n = (x_n + sigmoid(x_r + h_r) * h_n).tanh()
    return n + sigmoid(x_z + h_z) * (h - n)


# --- the plain loop -------------------------------------------------------------------------------


def loop(kind: str, tensors: Sequence[Any], sizes: Sequence[int], reverse: bool) -> list[Any]:
    """All outputs and the last states, by a loop over the steps: what the operations below do."""
    x, h, *rest = tensors
    c: Any = rest.pop(0) if kind == "lstm" else None
    outputs = []
    for rows, b in _steps(sizes, reverse):
        if kind == "lstm":
            new, cell = lstm_cell(x[rows], h[:b], c[:b], *rest)
            c = cell if b == len(c) else cat([cell, c[b:]])
        elif kind == "gru":
            new = gru_cell(x[rows], h[:b], *rest)
        else:
            new = rnn_cell(x[rows], h[:b], *rest, relu=kind == "relu")
        h = new if b == len(h) else cat([new, h[b:]])
        outputs.append(new)
    out = cat(outputs[::-1] if reverse else outputs)
    return [out, h] if c is None else [out, h, c]


def _by_loop(
    kind: str, g: Any, tensors: Sequence[Tensor], sizes: Sequence[int], reverse: bool
) -> list[Any]:
    """The gradients, recorded: those of the plain loop."""
    # Views, so that a derivative by one is not also by what another was computed from.
    views = [x if x._edge is None else x.view_as(x) for x in tensors]
    results = loop(kind, views, sizes, reverse)
    used = [(y, d) for y, d in zip(results, g, strict=False) if d is not None]
    wanted = [x for x in views if x._edge is not None]
    outputs, gradients = zip(*used, strict=True)
    found = iter(_api.grad(outputs, wanted, gradients, create_graph=True, allow_unused=True))
    return [None if x._edge is None else next(found) for x in views]


# --- simple layers --------------------------------------------------------------------------------


@op(outputs=("out", "h"), differentiable=2, function=False, method=False)
def rnn_layer(xp: Any, tensors: Arrays, sizes: Any, reverse: bool, relu: bool) -> Any:
    """A simple layer: for x (N, H), h (B, H) and w (H, H), all outputs (N, H) and the last h."""
    x, h, w = tensors
    w, h, out = w.T, h.copy(), xp.empty(x.shape, x.dtype)
    for rows, b in _steps(sizes, reverse):
        z = xp.add(x[rows], xp.matmul(h[:b], w), out=out[rows])
        h[:b] = xp.maximum(z, 0, out=z) if relu else xp.tanh(z, out=z)
    return [out, h]


def _rnn_gradients(
    g: Any, tensors: Any, out: Any, sizes: Any, reverse: bool, relu: bool
) -> list[Any]:
    if isinstance(out, Tensor):
        return _by_loop("relu" if relu else "tanh", g, tensors, sizes, reverse)
    _, h0, w = tensors
    xp = array_namespace(out)
    steps = _steps(sizes, reverse)
    outer, dh = _backward_steps(g, out, h0, xp)
    d = (out > 0).astype(out.dtype) if relu else 1 - out * out
    for rows, b in reversed(steps):
        part = d[rows]
        part *= dh[:b] + outer[rows]
        dh[:b] = xp.matmul(part, w)
    return [d, dh, xp.matmul(d.T, _before(xp, h0, out, steps))]


rnn_layer.vjp(tensors=_rnn_gradients)


# --- long short-term memory -----------------------------------------------------------------------


def _halves(xp: Any, c: Array) -> tuple[Array, Array]:
    """Factors and summands that make sigmoids of a tanh, ``(tanh(x / 2) + 1) / 2``, for the gates
    that are sigmoids; 1 and 0 for the new content, which is a tanh. ``(B, 4 H)``."""
    b, width = c.shape
    factor = xp.full((b, 4, width), 0.5, c.dtype)
    factor[:, 2] = 1
    factor = factor.reshape(b, 4 * width)
    return factor, 1 - factor


@op(outputs=("out", "h", "c", "gates", "cells"), differentiable=3, function=False, method=False)
def lstm_layer(xp: Any, tensors: Arrays, sizes: Any, reverse: bool) -> Any:
    """A layer with memory cells: for x (N, 4 H), h (B, P), c (B, H), w (4 H, P) and, if P is not H,
    w_hr (P, H): all outputs (N, P), the last h and c, all gates (N, 4 H) and cells (N, H)."""
    x, h, c, w, *projection = tensors
    h, c, width = h.copy(), c.copy(), c.shape[1]
    factor, summand = _halves(xp, c)
    w = xp.ascontiguousarray(w.T)
    gates = xp.empty(x.shape, x.dtype)
    out = xp.empty((x.shape[0], h.shape[1]), x.dtype)
    cells = xp.empty((x.shape[0], width), x.dtype)
    for rows, b in _steps(sizes, reverse):
        z = xp.matmul(h[:b], w, out=gates[rows])
        z += x[rows]
        z *= factor[:b]
        xp.tanh(z, out=z)
        z *= factor[:b]
        z += summand[:b]
        cell = xp.multiply(z[:, width : 2 * width], c[:b], out=cells[rows])
        cell += z[:, :width] * z[:, 2 * width : 3 * width]
        c[:b] = cell
        if projection:
            shown = z[:, 3 * width :] * xp.tanh(cell)
            h[:b] = xp.matmul(shown, projection[0].T, out=out[rows])
        else:
            shown = xp.tanh(cell, out=out[rows])
            shown *= z[:, 3 * width :]
            h[:b] = shown
    return [out, h, c, gates, cells]


def _lstm_slopes(gates: Any, before: Any, tanh: Any) -> Any:
    """What the gradients of the gates are multiples of, in their place; and that of the cell."""
    i, _, g, o = (gates[:, k] for k in range(4))
    slopes = 1 - gates
    slopes *= gates
    slopes[:, 0] *= g
    slopes[:, 1] *= before
    slopes[:, 2] = i * (1 - g * g)
    slopes[:, 3] *= tanh
    return slopes, o * (1 - tanh * tanh)


def _lstm_gradients(
    g: Any, tensors: Any, out: Any, gates: Any, cells: Any, sizes: Any, reverse: bool
) -> list[Any]:
    if isinstance(out, Tensor):
        return _by_loop("lstm", g, tensors, sizes, reverse)
    _, h0, c0, w, *projection = tensors
    xp, steps = array_namespace(out), _steps(sizes, reverse)
    count, width = cells.shape
    outer, dh = _backward_steps(g, out, h0, xp)
    dc = xp.zeros(c0.shape, out.dtype) if g[2] is None else g[2].copy()
    tanh = xp.tanh(cells)
    gates = gates.reshape(count, 4, width)
    slopes, slope = _lstm_slopes(gates, _before(xp, c0, cells, steps), tanh)
    flat = slopes.reshape(count, 4 * width)
    forget = gates[:, 1]
    shown = xp.empty(out.shape, out.dtype)  # the gradients of what the cells show
    for rows, b in reversed(steps):
        dh_b = xp.add(dh[:b], outer[rows], out=shown[rows])
        if projection:
            dh_b = xp.matmul(dh_b, projection[0])
        dc_b = dc[:b]
        dc_b += dh_b * slope[rows]
        part = slopes[rows]
        part[:, :3] *= dc_b[:, None]
        part[:, 3] *= dh_b
        dc_b *= forget[rows]
        xp.matmul(flat[rows], w, out=dh[:b])
    found = [flat, dh, dc, xp.matmul(flat.T, _before(xp, h0, out, steps))]
    if projection:
        found.append(xp.matmul(shown.T, gates[:, 3] * tanh))
    return found


lstm_layer.vjp(tensors=_lstm_gradients)


# --- gated recurrent units ------------------------------------------------------------------------


@op(outputs=("out", "h", "gates"), differentiable=2, function=False, method=False)
def gru_layer(xp: Any, tensors: Arrays, sizes: Any, reverse: bool) -> Any:
    """A layer of gated units: for x (N, 3 H), h (B, H), w (3 H, H) and perhaps bias (3 H): all
    outputs (N, H), the last h, and (N, 4, H): the two gates, the new content, and the state's part
    of it."""
    x, h, w, *bias = tensors
    w, h, width = w.T, h.copy(), h.shape[1]
    out = xp.empty((x.shape[0], width), x.dtype)
    gates = xp.empty((x.shape[0], 4, width), x.dtype)
    flat = gates.reshape(x.shape[0], 4 * width)
    for rows, b in _steps(sizes, reverse):
        x_t, z, old = x[rows], flat[rows], h[:b]
        product = xp.matmul(old, w)
        if bias:
            product += bias[0]
        z[:, 3 * width :] = product[:, 2 * width :]
        both = product[:, : 2 * width]
        both += x_t[:, : 2 * width]
        xp.exp(xp.negative(both, out=both), out=both)
        both += 1
        xp.reciprocal(both, out=z[:, : 2 * width])
        content = product[:, 2 * width :]
        content *= z[:, :width]
        content += x_t[:, 2 * width :]
        content = xp.tanh(content, out=z[:, 2 * width : 3 * width])
        result = xp.subtract(old, content, out=out[rows])
        result *= z[:, width : 2 * width]
        result += content
        h[:b] = result
    return [out, h, gates]


def _gru_gradients(
    g: Any, tensors: Any, out: Any, gates: Any, sizes: Any, reverse: bool
) -> list[Any]:
    if isinstance(out, Tensor):
        return _by_loop("gru", g, tensors, sizes, reverse)
    _, h0, w, *bias = tensors
    xp, steps = array_namespace(out), _steps(sizes, reverse)
    count, width = out.shape
    outer, dh = _backward_steps(g, out, h0, xp)
    before = _before(xp, h0, out, steps)
    r, z, n, part_of_state = (gates[:, k] for k in range(4))
    # What the gradients are multiples of: those of r, z, the state's part of the content, content.
    slopes = 1 - gates
    slopes *= gates
    content = xp.multiply(1 - z, 1 - n * n, out=slopes[:, 3])
    slopes[:, 1] *= before - n
    slopes[:, 0] *= part_of_state * content
    slopes[:, 2] = r * content
    hidden = slopes.reshape(count, 4 * width)[:, : 3 * width]
    for rows, b in reversed(steps):
        dh_b = dh[:b]
        dh_b += outer[rows]
        part = slopes[rows]
        part *= dh_b[:, None]
        dh_b *= z[rows]
        dh_b += xp.matmul(hidden[rows], w)
    dx = xp.concatenate([hidden[:, : 2 * width], slopes[:, 3]], axis=1)
    found = [dx, dh, xp.matmul(hidden.T, before)]
    if bias:
        found.append(xp.add.reduce(hidden, axis=0))
    return found


gru_layer.vjp(tensors=_gru_gradients)
