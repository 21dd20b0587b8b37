"""Recurrent layers and packed sequences, compared with PyTorch's; and the quick operations with
the plain loop over the steps."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch
from placement import placed

import devgrad
from devgrad.ops import recurrent

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def numbers(lib: Any, *shape: int, seed: int = 0) -> Any:
    return placed(lib, np.random.default_rng(seed).standard_normal(shape))


KINDS = {
    "rnn": ("RNN", {}), "relu": ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    "rnn without bias": ("RNN", {"bias": False, "bidirectional": True}),
    "lstm": ("LSTM", {}), "lstm projected": ("LSTM", {"proj_size": 3, "num_layers": 2}),
    "lstm both ways": ("LSTM", {"num_layers": 2, "bidirectional": True, "bias": False}),
    "lstm both ways projected": ("LSTM", {"bidirectional": True, "proj_size": 2}),
    "gru": ("GRU", {}), "gru without bias": ("GRU", {"bias": False}),
    "gru both ways": ("GRU", {"num_layers": 2, "bidirectional": True}),
}  # fmt: skip


def made(lib: Any, kind: str, **more: Any) -> Any:
    name, options = KINDS[kind]
    layer = getattr(lib.nn, name)(5, 4, **options, **more).double()
    with lib.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.copy_(numbers(lib, *p.shape, seed=100 + i) * 0.5)
    return layer


def begin(lib: Any, layer: Any, batch: int | None = None) -> Any:
    """States to begin with, which require grad."""
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = () if batch is None else (batch,)
    h = numbers(lib, rows, *shape, layer.proj_size or 4, seed=7).requires_grad_()
    if layer.mode != "LSTM":
        return h
    return h, numbers(lib, rows, *shape, 4, seed=8).requires_grad_()


def every(output: Any, states: Any) -> list[Any]:
    return [output, *(states if isinstance(states, tuple) else (states,))]


def gradients(lib: Any, results: list[Any], inputs: list[Any]) -> list[Any]:
    """First derivatives, and the second ones of what they add up to."""
    loss = sum((y * y * numbers(lib, *y.shape, seed=i)).sum() for i, y in enumerate(results))
    first = lib.autograd.grad(loss, inputs, create_graph=True)
    total = sum((g * g).sum() for g in first)
    return [*first, *lib.autograd.grad(total, inputs)]


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_layers(kind: str, batch_first: bool) -> None:
    def program(lib: Any) -> Any:
        layer = made(lib, kind, batch_first=batch_first)
        x = numbers(lib, 3, 6, 5).requires_grad_()
        hx = begin(lib, layer, 3 if batch_first else 6)
        states = list(hx) if isinstance(hx, tuple) else [hx]
        results = every(*layer(x, hx))
        inputs = [x, *states, *layer.parameters()]
        found = gradients(lib, results, inputs)
        return repr(layer), results, found, every(*layer(x)), list(layer.state_dict())

    assert_agrees(program, rtol=1e-10)


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_alone(kind: str) -> None:
    def program(lib: Any) -> Any:
        layer = made(lib, kind)
        x = numbers(lib, 6, 5)
        return every(*layer(x)), every(*layer(x, begin(lib, layer)))

    assert_agrees(program, rtol=1e-10)


@needs_torch
@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences(kind: str, is_sorted: bool) -> None:
    lengths = [6, 4, 4, 1] if is_sorted else [4, 1, 6, 4]

    def program(lib: Any) -> Any:
        rnn = lib.nn.utils.rnn
        layer = made(lib, kind)
        x = numbers(lib, 6, 4, 5).requires_grad_()
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=is_sorted)
        hx = begin(lib, layer, 4)
        out, states = layer(packed, hx)
        padded, sizes = rnn.pad_packed_sequence(out, padding_value=2.0)
        inputs = [x, *(hx if isinstance(hx, tuple) else (hx,)), *layer.parameters()]
        found = gradients(lib, every(padded, states), inputs)
        return (
            packed.data,
            packed.batch_sizes,
            every(padded, states),
            sizes,
            found,
            layer(packed)[1],
        )

    assert_agrees(program, rtol=1e-10)


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_default_initialisation_is_pytorchs_bit_for_bit(kind: str, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")
    name, options = KINDS[kind]

    def program(lib: Any) -> Any:
        lib.manual_seed(3)
        layer = getattr(lib.nn, name)(5, 4, **options)
        cell = getattr(lib.nn, f"{name}Cell")(5, 4)
        return dict(layer.state_dict()), dict(cell.state_dict())

    assert_agrees(program, rtol=0)


@needs_torch
def test_dropout_between_layers(device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")

    def program(lib: Any) -> Any:
        found = []
        for kind in ("relu", "lstm both ways", "gru both ways"):
            layer = made(lib, kind, dropout=0.4)
            lib.manual_seed(2)
            x = numbers(lib, 6, 3, 5)
            found += [repr(layer), *every(*layer(x)), *every(*layer.eval()(x))]
        return found

    assert_agrees(program, rtol=1e-10)


def test_copies_and_pickles() -> None:
    layer = made(devgrad, "lstm both ways")
    x = numbers(devgrad, 6, 3, 5)
    wanted = layer(x)[0]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other(x)[0].equal(wanted)
        assert [len(names) for names in other.all_weights] == [2, 2, 2, 2]


def test_halves_are_computed_as_floats() -> None:
    layer = made(devgrad, "gru").half()
    out, h = layer(numbers(devgrad, 6, 3, 5).half())
    wanted, _ = layer.float()(numbers(devgrad, 6, 3, 5).half().float())
    assert out.dtype is devgrad.float16 and h.dtype is devgrad.float16
    assert (out - wanted).abs().max() < 1e-3


def test_other_weights_are_used() -> None:
    layer = made(devgrad, "lstm")
    x = numbers(devgrad, 6, 3, 5)
    before = layer(x)[0]
    devgrad.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    assert devgrad.allclose(layer(x)[0], before)
    with devgrad.no_grad():
        layer.parametrizations.weight_hh_l0.original0.zero_()
    assert not devgrad.allclose(layer(x)[0], before)


# --- the quick operations and the plain loop ------------------------------------------------------

SIZES = ([3, 3, 3], [4, 3, 1])
WIDTHS = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}


def operands(kind: str, sizes: list[int], more: bool) -> list[Any]:
    """What the operations take; ``more``: a projection, or a bias."""
    shown = 2 if kind == "lstm" and more else 3
    shapes = [(sum(sizes), 3 * WIDTHS[kind]), (sizes[0], shown)]
    shapes += [(sizes[0], 3)] if kind == "lstm" else []
    shapes += [(3 * WIDTHS[kind], shown)]
    if more:
        shapes += {"lstm": [(2, 3)], "gru": [(9,)]}.get(kind, [])
    return [numbers(devgrad, *s, seed=i).requires_grad_() for i, s in enumerate(shapes)]


def quick(kind: str, tensors: list[Any], sizes: list[int], reverse: bool) -> list[Any]:
    if kind == "lstm":
        return list(recurrent.lstm_layer.function(tensors, sizes, reverse)[:3])
    if kind == "gru":
        return list(recurrent.gru_layer.function(tensors, sizes, reverse)[:2])
    return list(recurrent.rnn_layer.function(tensors, sizes, reverse, kind == "relu"))


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", WIDTHS)
def test_operations_are_the_plain_loop(
    kind: str, sizes: list[int], reverse: bool, more: bool
) -> None:
    tensors = operands(kind, sizes, more)
    for count in range(1, 4):  # gradients of the first result, of two, of all
        ours = quick(kind, tensors, sizes, reverse)[-count:]
        wanted = recurrent.loop(kind, tensors, sizes, reverse)[-count:]
        for a, b in zip(ours, wanted, strict=True):
            assert devgrad.allclose(a, b, rtol=1e-12, atol=1e-13)
        found = []
        for results in (ours, wanted):
            loss = sum((y * y * (i + 1)).sum() for i, y in enumerate(results))
            found.append(devgrad.autograd.grad(loss, tensors))
        for a, b in zip(*found, strict=True):
            assert devgrad.allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", WIDTHS)
def test_derivatives_by_differences(kind: str) -> None:
    tensors = operands(kind, [2, 1], True)

    def function(*given: Any) -> Any:
        return tuple(quick(kind, list(given), [2, 1], False))

    assert devgrad.autograd.gradcheck(function, tensors)
    assert devgrad.autograd.gradgradcheck(function, tensors)


def test_a_weight_that_the_state_was_computed_from() -> None:
    """The second derivative of the operation is partial: the rest comes by the graph."""

    def second(loop: Any) -> Any:
        x, h, w = operands("tanh", [2, 2], False)
        out = loop("tanh", [x, h @ w, w], [2, 2], False)[0]
        (g,) = devgrad.autograd.grad((out**2).sum(), w, create_graph=True)
        return devgrad.autograd.grad((g**2).sum(), w)[0]

    assert devgrad.allclose(second(quick), second(recurrent.loop), rtol=1e-10)


# --- packing --------------------------------------------------------------------------------------


@needs_torch
def test_packing_and_padding() -> None:
    def program(lib: Any) -> Any:
        rnn = lib.nn.utils.rnn
        sequences = [numbers(lib, n, 2, seed=n) for n in (2, 4, 1)]
        packed = rnn.pack_sequence(sequences, enforce_sorted=False)
        return [
            *packed, *rnn.pad_packed_sequence(packed, batch_first=True, total_length=6),
            *rnn.unpack_sequence(packed),
            rnn.pad_sequence(sequences), rnn.pad_sequence(sequences, True, -1.0, "left"),
            *rnn.unpad_sequence(rnn.pad_sequence(sequences), lib.tensor([2, 4, 1])),
            rnn.invert_permutation(lib.tensor([2, 0, 1])), rnn.invert_permutation(None),
            packed.float().data.dtype, packed.to(lib.float16).data.dtype,
            packed.double() is packed, type(packed).__name__,
        ]  # fmt: skip

    assert_agrees(program)


REFUSED_PACKING = {
    "unsorted": lambda rnn, x: rnn.pack_padded_sequence(x, [1, 2, 3]),
    "none": lambda rnn, x: rnn.pack_padded_sequence(x, [2, 1, 0]),
    "other number": lambda rnn, x: rnn.pack_padded_sequence(x, [2, 1]),
    "empty": lambda rnn, x: rnn.pack_padded_sequence(x[:0], [2, 1, 1]),
    "short": lambda rnn, x: rnn.pad_packed_sequence(
        rnn.pack_padded_sequence(x, [4, 2, 1]), total_length=3
    ),
    "number": lambda rnn, x: rnn.pad_sequence(3),
    "side": lambda rnn, x: rnn.pad_sequence([x], padding_side="top"),
    "one": lambda rnn, x: rnn.PackedSequence(x),
}


@needs_torch
@pytest.mark.parametrize("name", REFUSED_PACKING)
def test_refused_packing(name: str) -> None:
    def program(lib: Any) -> Any:
        return REFUSED_PACKING[name](lib.nn.utils.rnn, numbers(lib, 4, 3, 2))

    assert isinstance(assert_agrees(program), Exception)


REFUSED = {
    "dropout": lambda nn: nn.LSTM(2, 2, dropout=1.5),
    "dropout of a bool": lambda nn: nn.LSTM(2, 2, dropout=True),
    "projection": lambda nn: nn.LSTM(2, 2, proj_size=2),
    "negative projection": lambda nn: nn.LSTM(2, 2, proj_size=-1),
    "projected gru": lambda nn: nn.GRU(2, 3, proj_size=2),
    "projected rnn": lambda nn: nn.RNN(2, 3, proj_size=2),
    "nonlinearity": lambda nn: nn.RNN(2, 3, nonlinearity="exp"),
    "bias": lambda nn: nn.GRU(2, 3, bias=1),
    "batch_first": lambda nn: nn.GRU(2, 3, batch_first=1),
    "input size": lambda nn: nn.GRU(2.0, 3),
    "no input": lambda nn: nn.GRU(0, 3),
    "no state": lambda nn: nn.GRU(2, 0),
    "no layers": lambda nn: nn.GRU(2, 3, num_layers=0),
    "mode": lambda nn: nn.RNNBase("TANH", 2, 3),
}

REFUSED_INPUTS = {
    "dims": lambda layer, x: layer(x[0, 0]),
    "size": lambda layer, x: layer(x[..., :4]),
    "dtype": lambda layer, x: layer(x.float()),
    "state": lambda layer, x: layer(x, begin_for(layer, x[:, :2, :4])),
    "state's dims": lambda layer, x: layer(x, begin_for(layer, x[0, 0, :4])),
    "state's dims alone": lambda layer, x: layer(x[:, 0], begin_for(layer, x[:1, :1, :4])),
}


def begin_for(layer: Any, h: Any) -> Any:
    return (h, h) if layer.mode == "LSTM" else h


@needs_torch
@pytest.mark.parametrize("name", REFUSED)
def test_refused_options(name: str) -> None:
    assert isinstance(assert_agrees(lambda lib: REFUSED[name](lib.nn)), Exception)


@needs_torch
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("name", REFUSED_INPUTS)
def test_refused_inputs(name: str, kind: str) -> None:
    def program(lib: Any) -> Any:
        return REFUSED_INPUTS[name](made(lib, kind), numbers(lib, 6, 3, 5))

    assert isinstance(assert_agrees(program), Exception)


@needs_torch
def test_a_warning_of_dropout_without_effect() -> None:
    assert_agrees(lambda lib: repr(lib.nn.GRU(2, 3, dropout=0.5)))
