"""Hooks on tensors, nodes and saved tensors; anomaly mode: the same programs in both libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from test_function import Program, leaf, outcome, plain

import devgrad

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

PROGRAMS: list[Any] = []


def program(function: Program) -> Program:
    PROGRAMS.append(pytest.param(function, id=function.__name__))
    return function


@pytest.mark.parametrize("function", PROGRAMS)
def test_program(function: Program) -> None:
    (ours, our_warnings), (theirs, their_warnings) = (
        outcome(devgrad, function),
        outcome(torch, function),
    )
    if isinstance(theirs, tuple) and len(theirs) == 2 and isinstance(theirs[1], str):
        assert ours[0] == theirs[0], ours
        assert ours[1].startswith(theirs[1][:50]), (ours, theirs)
    else:
        assert ours == theirs
    assert [w[0] for w in our_warnings] == [w[0] for w in their_warnings]


def noting(log: list[Any], label: Any = None, answer: Callable[[Any], Any] = lambda g: None) -> Any:
    """A hook that writes down what it is given."""

    def hook(*given: Any) -> Any:
        log.append((label, plain(given)))
        return answer(*given)

    return hook


# --- tensors --------------------------------------------------------------------------------------


@program
def hook_on_a_leaf(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    x.register_hook(noting(log, "first", lambda g: g * 2))
    x.register_hook(noting(log, "second"))
    (x * x).sum().backward()
    (x * 3).sum().backward()
    return [log, x.grad]


@program
def hook_on_a_non_leaf(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    y = x * 2
    y.retain_grad()
    y.register_hook(noting(log, "y", lambda g: g + 1))
    (y * y).sum().backward()
    return [log, x.grad, y.grad]


@program
def hooks_of_a_tensor_come_before_those_of_its_node(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    y = x * 2
    y.grad_fn.register_prehook(noting(log, "node"))
    y.grad_fn.register_hook(noting(log, "after"))
    y.retain_grad()
    y.register_hook(noting(log, "tensor", lambda g: g * 10))
    y.sum().backward()
    return [log, y.grad, x.grad]


@program
def handles(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    first, second = x.register_hook(noting(log, 1)), x.register_hook(noting(log, 2))
    x.sum().backward()
    first.remove()
    first.remove()
    with second:
        x.sum().backward()
    x.sum().backward()
    return log


@program
def hook_before_and_after_a_change_in_place(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    y = x * 1
    y.register_hook(noting(log, "before"))
    y.mul_(5)
    y.register_hook(noting(log, "after"))
    (y * 2).sum().backward()
    return [log, x.grad]


@program
def hook_on_one_of_several_outputs(lib: Any) -> Any:
    log: list[Any] = []
    x = lib.tensor([[1.0, 5.0], [4.0, 2.0]], requires_grad=True)
    a, b = x.unbind(0)
    a.register_hook(noting(log, "a", lambda g: g * 3))
    (a * 2 + b).sum().backward()
    return [log, x.grad]


@program
def hook_that_is_recorded(lib: Any) -> Any:
    x = leaf(lib)
    y = x * x
    y.register_hook(lambda g: g * x)
    (first,) = lib.autograd.grad((y * x).sum(), x, create_graph=True)
    return [first, lib.autograd.grad(first.sum(), x)]


@program
def hook_of_another_shape(lib: Any) -> Any:
    x = leaf(lib)
    x.register_hook(lambda g: g[:1])
    x.sum().backward()


@program
def hook_that_returns_a_number(lib: Any) -> Any:
    x = leaf(lib)
    x.register_hook(lambda g: 3)
    x.sum().backward()


@program
def hook_where_nothing_requires_grad(lib: Any) -> Any:
    lib.ones(2).register_hook(lambda g: g)


@program
def after_accumulation(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    handle = x.register_post_accumulate_grad_hook(lambda t: log.append(plain([t is x, t.grad])))
    (x * x).sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    x.sum().backward()
    return [log, x.grad]


@program
def after_accumulation_gradients_may_be_freed(lib: Any) -> Any:
    x = leaf(lib)

    def step(t: Any) -> None:
        with lib.no_grad():
            t.sub_(0.5 * t.grad)
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    for _ in range(3):
        (x * x).sum().backward()
    return [x, x.grad]


@program
def after_accumulation_of_a_non_leaf(lib: Any) -> Any:
    (leaf(lib) * 2).register_post_accumulate_grad_hook(lambda t: None)


@program
def after_accumulation_without_grad(lib: Any) -> Any:
    lib.ones(2).register_post_accumulate_grad_hook(lambda t: None)


def _retaining(lib: Any) -> Any:
    x = leaf(lib)
    y = x * 2
    y.retain_grad()
    return x, y


@program
def a_retained_gradient_follows_a_change_in_place(lib: Any) -> Any:
    x, y = _retaining(lib)
    y.mul_(3)
    (y * y).sum().backward()
    return [x.grad, y.grad]


@program
def a_retained_gradient_follows_changes_of_parts(lib: Any) -> Any:
    log: list[Any] = []
    x, y = _retaining(lib)
    y.register_hook(noting(log, "of the former values"))
    y[0] = 5
    y[1] = 6
    y.retain_grad()
    (y * y).sum().backward()
    return [log, x.grad, y.grad]


@program
def a_retained_gradient_of_a_view_follows_a_change_of_its_base(lib: Any) -> Any:
    x, y = _retaining(lib)
    view = y[1:]
    view.retain_grad()
    y.mul_(3)
    (view * view).sum().backward()
    return [x.grad, y.grad, view.grad]


@program
def a_retained_gradient_of_a_view_follows_a_change_of_another(lib: Any) -> Any:
    x, y = _retaining(lib)
    one, other = y[:2], y[1:]
    one.retain_grad()
    other.mul_(3)
    (one * one).sum().backward()
    return [x.grad, y.grad, one.grad]


@program
def a_retained_gradient_of_a_changed_view_that_is_used_no_more(lib: Any) -> Any:
    x, y = _retaining(lib)
    view = y[1:]
    view.retain_grad()
    view.mul_(3)
    (y * y).sum().backward()
    return [x.grad, y.grad, view.grad]


def _hooked_product(lib: Any, hook: Callable[..., Any], b_requires_grad: bool = True) -> Any:
    a, b = leaf(lib), leaf(lib).detach().requires_grad_(b_requires_grad)
    y = a * b
    y.grad_fn.register_hook(hook)
    y.sum().backward()
    return [a.grad, b.grad]


@program
def a_nodes_hook_may_take_a_gradient_away(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (inputs[0] * 2, None))


@program
def a_nodes_hook_gives_too_few_gradients(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (inputs[0],))


@program
def a_nodes_hook_gives_too_many_gradients(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (*inputs, inputs[0]))


@program
def a_nodes_hook_gives_a_tensor_for_a_tuple(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: inputs[0])


@program
def a_nodes_hook_gives_a_number(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (1.0, inputs[1]))


@program
def a_nodes_hook_changes_the_size(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (inputs[0][:1], inputs[1]))


@program
def a_nodes_hook_changes_the_dtype(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (inputs[0].half(), inputs[1]))


@program
def a_nodes_hook_puts_a_gradient_where_none_is(lib: Any) -> Any:
    return _hooked_product(lib, lambda inputs, outputs: (inputs[0], outputs[0]), False)


@program
def a_nodes_hook_sees_gradients_of_the_inputs_shapes(lib: Any) -> Any:
    log: list[Any] = []
    a, b = leaf(lib).reshape(-1, 1), leaf(lib)
    y = a * b
    y.grad_fn.register_hook(noting(log, "after"))
    y.sum().backward()
    return log


# --- nodes ----------------------------------------------------------------------------------------


@program
def hooks_of_a_node(lib: Any) -> Any:
    log: list[Any] = []
    x, y = leaf(lib), leaf(lib, 5.0, 7.0)
    z = x * y
    z.grad_fn.register_hook(noting(log, "kept"))
    z.grad_fn.register_hook(lambda grads, outs: (grads[0] * 0, grads[1]))
    z.sum().backward()
    return [log, x.grad, y.grad]


@program
def prehooks_of_a_node(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    z = x * 2
    z.grad_fn.register_prehook(noting(log, "pre", lambda grads: (grads[0] * 10,)))
    z.sum().backward()
    return [log, x.grad]


@program
def prehook_with_too_many_values(lib: Any) -> Any:
    z = leaf(lib) * 2
    z.grad_fn.register_prehook(lambda grads: (grads[0], grads[0]))
    z.sum().backward()


@program
def several_tensors_at_once(lib: Any) -> Any:
    log: list[Any] = []
    a, b, c = leaf(lib), leaf(lib), leaf(lib)
    d = a * b
    handle = lib.autograd.graph.register_multi_grad_hook([a, d, c], noting(log, "all"))
    (d * 2).sum().backward(retain_graph=True)
    (d * c).sum().backward(retain_graph=True)
    handle.remove()
    (d * c).sum().backward()
    return log


@program
def the_first_of_several_tensors(lib: Any) -> Any:
    log: list[Any] = []
    a, b = leaf(lib), leaf(lib)
    d = a * b
    lib.autograd.graph.register_multi_grad_hook([a, d], noting(log, "any"), mode="any")
    (d * 2).sum().backward()
    return log


@program
def gradient_edges(lib: Any) -> Any:
    x = leaf(lib)
    y = x * 2
    edge = lib.autograd.graph.get_gradient_edge(y)
    return [edge.node is y.grad_fn, edge.output_nr,
            lib.autograd.graph.get_gradient_edge(x).node.name()]  # fmt: skip


@program
def no_gradient_edge(lib: Any) -> Any:
    lib.autograd.graph.get_gradient_edge(lib.ones(2))


# --- saved tensors --------------------------------------------------------------------------------


def saved_hooks(lib: Any, pack: Any, unpack: Any) -> Any:
    return lib.autograd.graph.saved_tensors_hooks(pack, unpack)


@program
def packing(lib: Any) -> Any:
    log: list[Any] = []

    def pack(t: Any) -> Any:
        log.append(("pack", plain(t.detach().tolist())))
        return t.detach().tolist()

    def unpack(values: Any) -> Any:
        log.append(("unpack", plain(values)))
        return lib.tensor(values)

    x, y = leaf(lib), leaf(lib, 0.5, 0.7)
    with saved_hooks(lib, pack, unpack):
        z = (x * y).exp()
        with lib.enable_grad():
            z = z.sin()
    (z * x).sum().backward()
    return [sorted(log), x.grad, y.grad]


@program
def packed_second_derivatives(lib: Any) -> Any:
    x = leaf(lib)
    with saved_hooks(lib, lambda t: t * 1, lambda t: t):
        (first,) = lib.autograd.grad((x**3).sum(), x, create_graph=True)
    return lib.autograd.grad(first.sum(), x)


@program
def nested_packing(lib: Any) -> Any:
    log: list[Any] = []
    x = leaf(lib)
    with saved_hooks(lib, lambda t: log.append("outer") or t, lambda t: t):
        with saved_hooks(lib, lambda t: log.append("inner") or t, lambda t: t):
            y = x.exp()
        y = y.sin()
    y = y.cos()
    y.sum().backward()
    return [log, x.grad]


@program
def unpacking_something_else(lib: Any) -> Any:
    with saved_hooks(lib, lambda t: 3, lambda t: t):
        y = leaf(lib).exp()
    y.sum().backward()


@program
def packing_in_place(lib: Any) -> Any:
    with saved_hooks(lib, lambda t: t.mul_(2), lambda t: t):
        leaf(lib).exp()


@program
def packing_what_a_function_saves(lib: Any) -> Any:
    from test_function import power

    x = leaf(lib)
    with saved_hooks(lib, lambda t: t * 10, lambda t: t):
        y = power(lib).apply(x, 2)
    y.sum().backward()
    return x.grad


@program
def disabled(lib: Any) -> Any:
    with lib.autograd.graph.disable_saved_tensors_hooks("not here"):
        saved_hooks(lib, lambda t: t, lambda t: t).__enter__()


@program
def saving_on_the_cpu(lib: Any) -> Any:
    x = leaf(lib)
    with lib.autograd.graph.save_on_cpu():
        y = (x * x * x).sum()
    y.backward()
    return x.grad


@program
def mutation_allowed(lib: Any) -> Any:
    x = leaf(lib)
    with lib.autograd.graph.allow_mutation_on_saved_tensors():
        y = x * 1
        z = (y * y).sum()
        y.mul_(0)
        z.backward()
    return x.grad


@program
def a_version_more(lib: Any) -> Any:
    x = leaf(lib)
    y = x * 1
    z = (y * y).sum()
    lib.autograd.graph.increment_version(y)
    z.backward()


# --- anomaly mode ---------------------------------------------------------------------------------


@program
def nan_is_found(lib: Any) -> Any:
    x = lib.tensor([0.0, 1.0], requires_grad=True)
    with lib.autograd.detect_anomaly():
        (x.sqrt() * 0).sum().backward()


@program
def nan_is_not_looked_for(lib: Any) -> Any:
    x = lib.tensor([0.0, 1.0], requires_grad=True)
    with lib.autograd.set_detect_anomaly(True, check_nan=False):
        (x.sqrt() * 0).sum().backward()
    return x.grad


@program
def infinity_is_no_anomaly(lib: Any) -> Any:
    x = lib.tensor([0.0, 1.0], requires_grad=True)
    with lib.autograd.set_detect_anomaly(True):
        x.sqrt().sum().backward()
    return [x.grad, lib.is_anomaly_enabled()]


def test_an_anomaly_names_the_line() -> None:
    x = devgrad.tensor([0.0, 1.0], requires_grad=True)
    y = x.sqrt()
    z = (y * 0).sum()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with devgrad.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=r"`y = x\.sqrt"):
            z.backward()
    assert x.grad is None
