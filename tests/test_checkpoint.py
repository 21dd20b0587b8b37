"""Checkpointing: PyTorch's gradients, with less kept in between."""

from __future__ import annotations

import gc
import re
import weakref
from dataclasses import dataclass
from typing import Any

import pytest

import devgrad
from devgrad.autograd._walk import kept_arrays, nodes_from
from devgrad.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)

try:
    import torch
    import torch.utils.checkpoint as torch_checkpoint
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is missing")
both_ways = pytest.mark.parametrize("reentrant", [False, True])


def kept_bytes(*outputs: devgrad.Tensor) -> int:
    nodes = nodes_from(y._own_edge() for y in outputs)
    arrays = {id(a): a for node in nodes for a, _, _ in kept_arrays(node.saved)}
    return sum(a.nbytes for a in arrays.values())


def layers(m: Any, x: Any) -> Any:
    for _ in range(5):
        x = m.tanh(x) * m.exp(-x) + x
    return x


def numbers(x: Any) -> Any:
    return None if x is None else x.detach().tolist()


@needs_torch
@both_ways
def test_gradients_are_pytorchs(reentrant: bool) -> None:
    found = []
    for m, way in ((devgrad, checkpoint), (torch, torch_checkpoint.checkpoint)):
        x = m.tensor([0.1, 0.7], dtype=m.float64, requires_grad=True)
        y = m.tensor([0.4, 0.2], dtype=m.float64, requires_grad=True)
        w = m.tensor([0.3, 0.6], dtype=m.float64, requires_grad=True)
        a, b = way(lambda x, y, n, m=m, w=w: (layers(m, x * w) * n, y * x), x, y, 3,
                   use_reentrant=reentrant)  # fmt: skip
        (a * b).sum().backward()
        found.append([numbers(t) for t in (a, b, x.grad, y.grad, w.grad)])
    for ours, theirs in zip(*found, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_nothing_is_kept_inside() -> None:
    x = devgrad.ones(1000, requires_grad=True)
    plain = kept_bytes(layers(devgrad, x))
    y = checkpoint(layers, devgrad, x, use_reentrant=False)
    assert plain > 5 * x.nbytes
    assert kept_bytes(y) == 0
    y.sum().backward()
    expected = devgrad.ones(1000, requires_grad=True)
    layers(devgrad, expected).sum().backward()
    assert devgrad.equal(x.grad, expected.grad)


def test_memory_goes_with_the_names() -> None:
    x = devgrad.ones(10, requires_grad=True)
    y = checkpoint(layers, devgrad, x * 2, use_reentrant=False)
    node = weakref.ref(y.grad_fn)
    gc.disable()
    try:
        y.sum().backward()
        del y
        assert node() is None  # no cycle: nothing waits for the garbage collector
    finally:
        gc.enable()


def test_runs_once_more_for_each_backward_pass() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(x.requires_grad)
        return layers(devgrad, x)

    x = devgrad.ones(3, requires_grad=True)
    y = checkpoint(f, x, use_reentrant=False).sum()
    assert len(calls) == 1
    y.backward(retain_graph=True)
    assert len(calls) == 2
    first = x.grad.clone()
    y.backward()
    assert len(calls) == 3 and all(calls)
    assert devgrad.equal(x.grad, 2 * first)
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()


def test_grad_and_second_derivatives() -> None:
    x = devgrad.tensor([0.3, 0.5], dtype=devgrad.float64, requires_grad=True)

    def f(x: Any) -> Any:
        return checkpoint(lambda x: layers(devgrad, x), x, use_reentrant=False)

    assert devgrad.autograd.gradcheck(f, x)
    assert devgrad.autograd.gradgradcheck(f, x)


def test_checkpoints_within_checkpoints() -> None:
    counts = {"outer": 0, "inner": 0}

    def inner(x: Any) -> Any:
        counts["inner"] += 1
        return layers(devgrad, x)

    def outer(x: Any) -> Any:
        counts["outer"] += 1
        h = x.exp()
        h = checkpoint(inner, h, use_reentrant=False)
        return checkpoint(inner, h.sin(), use_reentrant=False) * h

    results = []
    for f in (outer, lambda x: checkpoint(outer, x, use_reentrant=False)):
        x = devgrad.full((3,), 0.2, dtype=devgrad.float64, requires_grad=True)
        counts.update(outer=0, inner=0)
        y = f(x)
        if f is not outer:
            assert kept_bytes(y) == 0
        y.sum().backward()
        results.append(x.grad)
    assert devgrad.equal(*results)
    # Forward: outer once, inner twice. Backward: outer once (inner twice), then each inner once.
    assert counts == {"outer": 2, "inner": 6}


@both_ways
@pytest.mark.parametrize("preserve", [True, False])
def test_random_numbers_are_drawn_again(reentrant: bool, preserve: bool) -> None:
    masks = []

    def dropout(x: Any) -> Any:
        masks.append(devgrad.rand(8))
        return x * (masks[-1] > 0.5)

    devgrad.manual_seed(1)
    x = devgrad.ones(8, requires_grad=True)
    y = checkpoint(dropout, x, use_reentrant=reentrant, preserve_rng_state=preserve)
    where = devgrad.cuda if x.is_cuda else devgrad
    state = where.get_rng_state()
    y.sum().backward()
    assert len(masks) == 2
    assert devgrad.equal(*masks) is preserve
    assert devgrad.equal(state, where.get_rng_state()) is preserve
    assert devgrad.equal(x.grad, y.detach()) is preserve


def test_structures_and_keywords() -> None:
    @dataclass
    class Pair:
        first: Any
        second: Any

    def f(x: Any, *, factor: Any) -> Any:
        return {"a": [x.exp(), (x.sin() * factor,)], "pair": Pair(x.cos(), factor.exp())}

    x = devgrad.tensor([0.3], requires_grad=True)
    k = devgrad.tensor([2.0], requires_grad=True)
    out = checkpoint(f, x, factor=k, use_reentrant=False)
    tensors = [out["a"][0], out["a"][1][0], out["pair"].first, out["pair"].second]
    assert kept_bytes(*tensors) == 0
    sum(tensors).backward()
    plain = devgrad.tensor([0.3], requires_grad=True), devgrad.tensor([2.0], requires_grad=True)
    expected = f(plain[0], factor=plain[1])
    (expected["a"][0] + expected["a"][1][0] + expected["pair"].first
     + expected["pair"].second).backward()  # fmt: skip
    assert numbers(x.grad) == numbers(plain[0].grad)
    assert numbers(k.grad) == numbers(plain[1].grad)


def test_a_backward_pass_inside() -> None:
    def f(x: Any) -> Any:
        y = x.sin()
        (slope,) = devgrad.autograd.grad(y.cos().sum(), x)
        return x.cos() * slope

    x = devgrad.tensor([0.3, 0.7], requires_grad=True)
    checkpoint(f, x * 1, use_reentrant=False).sum().backward()
    x2 = devgrad.tensor([0.3, 0.7], requires_grad=True)
    f(x2 * 1).sum().backward()
    assert devgrad.equal(x.grad, x2.grad)


def test_contexts_surround_the_runs() -> None:
    log = []

    class Note:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> None:
            log.append(f"enter {self.name}")

        def __exit__(self, *exc: object) -> None:
            log.append(f"leave {self.name}")

    x = devgrad.ones(2, requires_grad=True)
    y = checkpoint(
        lambda x: log.append("run") or x.exp(), x, use_reentrant=False,
        context_fn=lambda: (Note("first"), Note("second")),
    )  # fmt: skip
    y.sum().backward()
    assert log == ["enter first", "run", "leave first", "enter second", "run", "leave second"]


def test_without_grad_mode_it_is_the_function() -> None:
    x = devgrad.ones(2, requires_grad=True)
    with devgrad.no_grad():
        assert not checkpoint(devgrad.exp, x, use_reentrant=False).requires_grad
        assert not checkpoint(devgrad.exp, x, use_reentrant=True).requires_grad


def test_an_argument_changed_in_place_is_noticed() -> None:
    x = devgrad.ones(2, requires_grad=True)
    h = x * 2
    y = checkpoint(devgrad.exp, h, use_reentrant=False)
    h.mul_(3)  # the harm
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        y.sum().backward()
    assert "the harm" in str(caught.value)
    assert x.grad is None


def test_a_parameter_changed_in_place_is_noticed() -> None:
    """PyTorch silently gives the gradient at the new parameter."""
    x = devgrad.ones(2)
    w = devgrad.ones(2, requires_grad=True)
    y = checkpoint(lambda x: (x * w) * w, x, use_reentrant=False)
    with devgrad.no_grad():
        w += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def differing(second: Any) -> tuple[Any, Any]:
    """A checkpoint of a function that does something else the second time."""
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return x.exp().sin() if len(calls) == 1 else second(x)

    x = devgrad.ones(3, requires_grad=True)
    return x, lambda **options: checkpoint(f, x, use_reentrant=False, **options).sum()


def test_fewer_tensors_are_an_error() -> None:
    x, run = differing(lambda x: x.exp())
    loss = run()
    with pytest.raises(CheckpointError, match="A different number of tensors was saved") as caught:
        loss.backward()
    text = str(caught.value)
    assert "Number of tensors saved during forward: 2" in text
    assert "Number of tensors saved during recomputation: 1" in text
    assert "test_checkpoint.py" in text
    assert x.grad is None


def test_other_shapes_are_an_error() -> None:
    _, run = differing(lambda x: x[:2].exp().sin())
    with pytest.raises(CheckpointError, match="have different metadata") as caught:
        run().backward()
    text = str(caught.value)
    assert "saved metadata: {'shape': torch.Size([3]), 'dtype': torch.float32, 'device': " in text
    assert "recomputed metadata: {'shape': torch.Size([2]), 'dtype': torch.float32" in text


def test_the_check_can_be_left_out() -> None:
    x, run = differing(lambda x: (x.double()).exp().sin())
    run(determinism_check="none").backward()
    assert x.grad is not None
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        run(determinism_check="all")


def test_more_tensors_are_an_error_unless_it_stops_early() -> None:
    x, run = differing(lambda x: x.exp().sin().cos().tanh())
    run().backward()
    assert x.grad is not None
    _, run = differing(lambda x: x.exp().sin().cos().tanh())
    with pytest.raises(CheckpointError, match="trying to save more tensors during recomputation"):
        run(early_stop=False).backward()
    _, run = differing(lambda x: x.exp().sin().cos().tanh())
    with set_checkpoint_early_stop(False):
        loss = run()
    with pytest.raises(CheckpointError, match="trying to save more tensors"):
        loss.backward()


@needs_torch
@pytest.mark.parametrize("early_stop", [True, False])
def test_the_second_run_stops_where_pytorchs_does(early_stop: bool) -> None:
    logs = []
    for m, way in ((devgrad, checkpoint), (torch, torch_checkpoint.checkpoint)):
        log: list[str] = []

        def f(x: Any, m: Any = m, log: Any = log) -> Any:
            y = x.exp()
            log.append("exp")
            z = y.sin()
            log.append("sin")
            z = z + 1  # saves nothing
            log.append("add")
            return z

        x = m.tensor([0.5, 1.0], requires_grad=True)
        y = way(f, x, use_reentrant=False, early_stop=early_stop)
        y.sum().backward()
        logs.append(log)
    assert logs[0] == logs[1]
    assert ("add" in logs[0][3:]) is not early_stop


def test_tensors_that_leave_otherwise_are_covered() -> None:
    left = []
    x = devgrad.tensor([0.5, 1.0], requires_grad=True)

    def f(x: Any) -> Any:
        h = x.exp()
        left.append(h.sin())
        return h.cos()

    y = checkpoint(f, x, use_reentrant=False)
    assert kept_bytes(y, left[0]) == 0
    (y + left[0]).sum().backward()
    first = x.grad
    x.grad = None
    (x.exp().cos() + x.exp().sin()).sum().backward()
    assert devgrad.allclose(first, x.grad)


def test_saved_tensors_hooks_inside_have_their_way() -> None:
    x = devgrad.tensor([0.5, 1.0], requires_grad=True)
    packed = []

    def f(x: Any) -> Any:
        h = x.exp()
        with devgrad.autograd.graph.saved_tensors_hooks(
            lambda t: packed.append(t) or t, lambda t: t
        ):
            h = h.sin()
        return h.cos()

    checkpoint(f, x, use_reentrant=False).sum().backward()
    assert len(packed) == 2  # of both runs
    first = x.grad
    x.grad = None
    x.exp().sin().cos().sum().backward()
    assert devgrad.equal(first, x.grad)


def test_a_custom_function_inside() -> None:
    class Cube(devgrad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    x = devgrad.tensor([0.5, 1.0], requires_grad=True)
    y = checkpoint(lambda x: Cube.apply(x.exp()).sin(), x, use_reentrant=False)
    assert kept_bytes(y) == 0
    y.sum().backward()
    first = x.grad
    x.grad = None
    (x.exp() ** 3).sin().sum().backward()
    assert devgrad.allclose(first, x.grad)


@pytest.mark.parametrize("globally", [False, True])
def test_debug_lists_the_operations(globally: bool) -> None:
    _, run = differing(lambda x: x.exp())
    if globally:
        with set_checkpoint_debug_enabled(True):
            loss = run()
    else:
        loss = run(debug=True)
    with pytest.raises(CheckpointError) as caught:
        loss.backward()
    first, second = str(caught.value).split("Operations executed during recomputation")
    assert re.search(r"ExpBackward0, at .*test_checkpoint\.py:\d+", first)
    assert "SinBackward0" in first
    assert "ExpBackward0" in second and "SinBackward0" not in second


def test_refused_options() -> None:
    x = devgrad.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: k"):
        checkpoint(devgrad.exp, x, use_reentrant=True, k=1)
    with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
        checkpoint(devgrad.exp, x, use_reentrant=True, debug=True)
    with pytest.raises(ValueError, match="incompatible with non-default context_fn"):
        checkpoint(devgrad.exp, x, use_reentrant=False, debug=True, context_fn=lambda: None)
    with pytest.warns(UserWarning, match="the use_reentrant parameter should be passed explicitly"):
        checkpoint(devgrad.exp, x)
    with pytest.warns(UserWarning, match="checkpoint_sequential: the use_reentrant"):
        checkpoint_sequential([devgrad.exp, devgrad.sin], 1, x)


def test_reentrant_refuses_what_pytorch_refuses() -> None:
    x = devgrad.ones(2, requires_grad=True)
    y = checkpoint(devgrad.exp, x, use_reentrant=True)
    assert repr(y.grad_fn).startswith("<CheckpointFunctionBackward")
    with pytest.raises(RuntimeError, match="incompatible with .grad\\(\\) or passing an `inputs`"):
        devgrad.autograd.grad(y.sum(), x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint(devgrad.exp, x.detach(), use_reentrant=True)
    y = checkpoint(lambda x: x.detach(), x, use_reentrant=True)
    with pytest.raises(RuntimeError, match="none of output has requires_grad=True"):
        y.sum().backward()


@needs_torch
@both_ways
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequential(reentrant: bool, segments: int) -> None:
    found = []
    theirs = torch_checkpoint.checkpoint_sequential
    for m, way in ((devgrad, checkpoint_sequential), (torch, theirs)):
        calls = []

        def note(f: Any, calls: Any = calls) -> Any:
            return lambda value: calls.append(f.__name__) or f(value)

        x = m.tensor([0.1, 0.7], dtype=m.float64, requires_grad=True)
        y = way([note(f) for f in (m.exp, m.sin, m.tanh, m.cos, m.exp, m.sigmoid, m.sin)],
                segments, x, use_reentrant=reentrant)  # fmt: skip
        y.sum().backward()
        found.append((numbers(x.grad), calls if reentrant else calls[:7]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    assert found[0][1] == found[1][1]
