"""`autograd.Function` against PyTorch's: the same programs, the same results, warnings, errors."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import devgrad

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

Program = Callable[[Any], Any]
PROGRAMS: list[Any] = []


def program(function: Program) -> Program:
    """A program that is run with each library in turn."""
    PROGRAMS.append(pytest.param(function, id=function.__name__))
    return function


def leaf(lib: Any, *values: float) -> Any:
    return lib.tensor(list(values or (2.0, 3.0)), requires_grad=True)


def plain(x: Any) -> Any:
    """What can be compared between libraries."""
    if isinstance(x, (list, tuple)):
        return [plain(part) for part in x]
    if isinstance(x, float):
        return f"{x:.5g}"  # float32, computed with another exp()
    if isinstance(x, (bool, int, str, type(None))):
        return x
    if hasattr(x, "grad_fn"):
        name = None if x.grad_fn is None else x.grad_fn.name()
        return (plain(x.detach().tolist()), x.requires_grad, name, str(x.dtype).rpartition(".")[2])
    return type(x).__name__


def outcome(lib: Any, function: Program) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result: Any = plain(function(lib))
        except Exception as error:
            # PyTorch's phrase stands first in ours, and may be followed by more.
            result = (type(error).__name__, str(error))
    return result, [(w.category.__name__, str(w.message)) for w in caught]


@pytest.mark.parametrize("function", PROGRAMS)
def test_program(function: Program) -> None:
    (ours, our_warnings), (theirs, their_warnings) = (
        outcome(devgrad, function),
        outcome(torch, function),
    )
    if isinstance(theirs, tuple) and len(theirs) == 2 and isinstance(theirs[1], str):
        assert ours[0] == theirs[0], ours
        phrase = re.split(r"\. |: \[|\n", theirs[1])[0].removesuffix(".")
        assert ours[1].startswith(phrase), (ours, theirs)
    else:
        assert ours == theirs
    assert [w[0] for w in our_warnings] == [w[0] for w in their_warnings]
    for mine, other in zip(our_warnings, their_warnings, strict=True):
        assert mine[1][:60].replace("devgrad", "torch") == other[1][:60].replace(
            __name__, "torch"
        ) or (mine[1].partition(">")[2] == other[1].partition(">")[2])


def grad(lib: Any) -> Any:
    return lib.autograd.grad


def once_differentiable(lib: Any) -> Any:
    return importlib.import_module(f"{lib.__name__}.autograd.function").once_differentiable


def power(lib: Any) -> Any:
    class Power(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, n: Any) -> Any:
            ctx.save_for_backward(x)
            ctx.n = n
            return x**n

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * ctx.n * x ** (ctx.n - 1), None

    return Power


def answering(lib: Any, answer: Callable[[Any], Any]) -> Any:
    class Product(lib.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return answer(g)

    return Product


def simple(lib: Any, forward: Callable[..., Any], backward: Any = None) -> Any:
    members = {"forward": staticmethod(forward)}
    if backward is not None:
        members["backward"] = staticmethod(backward)
    return type("Simple", (lib.autograd.Function,), members)


# --- as it should be used -------------------------------------------------------------------------


@program
def values_names_and_edges(lib: Any) -> Any:
    x = leaf(lib)
    y = power(lib).apply(x, 3)
    node = y.grad_fn
    y.sum().backward()
    return [
        y, x.grad, node.name(), len(node.next_functions), node.next_functions[0][0].name(),
        node.needs_input_grad, node.n, type(node).__name__,
    ]  # fmt: skip


@program
def the_node_is_the_context(lib: Any) -> Any:
    x = leaf(lib)
    y = power(lib).apply(x, 3)
    return [
        y.grad_fn.saved_tensors[0] is x,
        isinstance(y.grad_fn, lib.autograd.function.FunctionCtx),
    ]


@program
def second_and_third_derivatives(lib: Any) -> Any:
    x = leaf(lib)
    (first,) = grad(lib)(power(lib).apply(x, 4).sum(), x, create_graph=True)
    (second,) = grad(lib)(first.sum(), x, create_graph=True)
    (third,) = grad(lib)(second.sum(), x)
    return [first, second, third]


@program
def keywords(lib: Any) -> Any:
    x = leaf(lib)
    y = power(lib).apply(x, n=3)
    y.sum().backward()
    return [y, x.grad]


@program
def without_grad(lib: Any) -> Any:
    x = leaf(lib)
    with lib.no_grad():
        inside = power(lib).apply(x, 2)
    return [inside, power(lib).apply(x.detach(), 2), power(lib).apply(lib.tensor([2]), 2)]


@program
def separate_context(lib: Any) -> Any:
    seen = []

    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        x, n = inputs
        seen.append(n)
        ctx.save_for_backward(x, output)
        ctx.n = n

    def backward(ctx: Any, g: Any) -> Any:
        x, out = ctx.saved_tensors
        seen.append(out.grad_fn.name())
        return g * ctx.n * x ** (ctx.n - 1), None

    Separate = simple(lib, lambda x, n=2: x**n, backward)
    Separate.setup_context = staticmethod(setup_context)
    x = leaf(lib)
    y = Separate.apply(x)
    y.sum().backward()
    return [y, Separate.apply(x, n=3), x.grad, seen]


@program
def several_outputs(lib: Any) -> Any:
    Two = simple(lib, lambda ctx, x: (x * 2, x * 3), lambda ctx, a, b: a * 2 + b * 3)
    x = leaf(lib)
    a, b = Two.apply(x)
    (a * b).sum().backward()
    return [a, b, a.output_nr, b.output_nr, x.grad]


@program
def one_of_several_outputs(lib: Any) -> Any:
    seen = []

    def backward(ctx: Any, a: Any, b: Any) -> Any:
        seen.append([a, b])
        return a * 2 if b is None else a * 2 + b * 3

    def without_zeros(ctx: Any, x: Any) -> Any:
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    x = leaf(lib)
    simple(lib, lambda ctx, x: (x * 2, x * 3), backward).apply(x)[0].sum().backward()
    simple(lib, without_zeros, backward).apply(x)[0].sum().backward()
    return [seen, x.grad]


@program
def outputs_that_are_no_tensors(lib: Any) -> Any:
    seen = []

    def backward(ctx: Any, g: Any, *rest: Any) -> Any:
        seen.append(rest)
        return g * 2

    x = leaf(lib)
    outputs = simple(lib, lambda ctx, x: (x * 2, 5, "a"), backward).apply(x)
    outputs[0].sum().backward()
    return [outputs, seen, simple(lib, lambda ctx, x: 5, backward).apply(x)]


@program
def a_list_of_outputs_is_no_tuple(lib: Any) -> Any:
    return simple(lib, lambda ctx, x: [x * 2, x * 3]).apply(leaf(lib))


@program
def outputs_without_derivative(lib: Any) -> Any:
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        twice, mask, thrice = x * 2, x > 2, x * 3
        ctx.mark_non_differentiable(thrice)
        return twice, mask, thrice

    def backward(ctx: Any, *grads: Any) -> Any:
        seen.append(grads)
        return grads[0] * 2

    x = leaf(lib)
    outputs = simple(lib, forward, backward).apply(x)
    outputs[0].sum().backward()
    return [outputs, seen, x.grad]


@program
def gradients_are_summed_and_cast(lib: Any) -> Any:
    x, y = leaf(lib), lib.tensor(3.0, requires_grad=True)
    answering(lib, lambda g: (g.double(), g * 2)).apply(x, y).sum().backward()
    return [x.grad, y.grad]


@program
def no_gradient(lib: Any) -> Any:
    x, y = leaf(lib), leaf(lib)
    answering(lib, lambda g: (None, g)).apply(x, y).sum().backward()
    return [x.grad, y.grad]


@program
def saved_none(lib: Any) -> Any:
    seen = []

    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x, None)
        return x * 1

    def backward(ctx: Any, g: Any) -> Any:
        seen.append(ctx.saved_tensors)
        return g

    x = leaf(lib)
    simple(lib, forward, backward).apply(x).sum().backward()
    return seen


@program
def tensors_in_lists_are_not_seen(lib: Any) -> Any:
    x = leaf(lib)
    return simple(lib, lambda ctx, a, b: a * b[0], lambda ctx, g: (g, None)).apply(x.detach(), [x])


@program
def leaves_are_not_changed_by_what_backward_returns(lib: Any) -> Any:
    kept = lib.ones(2)
    x = leaf(lib)
    Kept = simple(lib, lambda ctx, x: x * 1, lambda ctx, g: kept)
    (Kept.apply(x) + Kept.apply(x)).sum().backward()
    (Kept.apply(x) * 2).sum().backward()
    return [x.grad, kept]


@program
def once(lib: Any) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**2

    @once_differentiable(lib)
    def backward(ctx: Any, g: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * g

    x = leaf(lib)
    y = simple(lib, forward, backward).apply(x) * x
    (first,) = grad(lib)(y.sum(), x, create_graph=True)
    first.sum().backward()  # (Of grad(first.sum(), x) PyTorch gives a part, in silence.)


@program
def vjp_instead_of_backward(lib: Any) -> Any:
    Other = simple(lib, lambda ctx, x: x * 2)
    Other.vjp = staticmethod(lambda ctx, g: g * 2)
    x = leaf(lib)
    Other.apply(x).sum().backward()
    return x.grad


# --- views and changes in place -------------------------------------------------------------------


@program
def an_input_returned_as_it_is(lib: Any) -> Any:
    x = leaf(lib)
    y = simple(lib, lambda ctx, x: x, lambda ctx, g: g * 10).apply(x)
    y.sum().backward()
    return [y is x, y, y._is_view(), x.grad, x.is_leaf]


@program
def changing_an_input_returned_as_it_is(lib: Any) -> Any:
    return simple(lib, lambda ctx, x: x, lambda ctx, g: g).apply(leaf(lib)).mul_(2)


@program
def a_view(lib: Any) -> Any:
    x = leaf(lib)
    y = simple(lib, lambda ctx, x: x[:1], lambda ctx, g: lib.cat([g, g])).apply(x * 1)
    y.sum().backward()
    return [y, y._is_view(), x.grad]


@program
def changing_a_view(lib: Any) -> Any:
    Part = simple(lib, lambda ctx, x: x[:1], lambda ctx, g: lib.cat([g, g]))
    return Part.apply(leaf(lib) * 1).mul_(2)


def doubling(lib: Any, result: Callable[[Any], Any] = lambda x: x) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        x.mul_(2)
        ctx.mark_dirty(x)
        return result(x)

    return simple(lib, forward, lambda ctx, g: g * 2)


@program
def an_input_changed_in_place(lib: Any) -> Any:
    x = leaf(lib)
    z = x * 1
    y = doubling(lib).apply(z)
    (z * z).sum().backward()
    return [y is z, y, z._version, x.grad]


@program
def a_view_changed_in_place(lib: Any) -> Any:
    x = leaf(lib)
    z = x * 1
    doubling(lib).apply(z[:1])
    (z * z).sum().backward()
    return [z, x.grad]


@program
def a_leaf_changed_in_place(lib: Any) -> Any:
    return doubling(lib).apply(leaf(lib))


@program
def changed_and_not_returned(lib: Any) -> Any:
    return doubling(lib, lambda x: x + 1).apply(leaf(lib) * 1)


@program
def dirty_but_no_input(lib: Any) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        y = x * 2
        ctx.mark_dirty(y)
        return y

    return simple(lib, forward, lambda ctx, g: g).apply(leaf(lib))


@program
def outputs_of_two_may_be_changed(lib: Any) -> Any:
    a, _ = simple(lib, lambda ctx, x: (x * 2, x * 3), lambda ctx, a, b: a * 2 + b * 3).apply(
        leaf(lib)
    )
    return a.mul_(2)


# --- mistakes -------------------------------------------------------------------------------------


@program
def saved_tensor_changed(lib: Any) -> Any:
    z = leaf(lib) * 1
    y = power(lib).apply(z, 2)
    z.add_(1)
    y.sum().backward()


@program
def backward_twice(lib: Any) -> Any:
    y = power(lib).apply(leaf(lib), 2)
    y.sum().backward()
    y.sum().backward()


@program
def saved_tensors_after_backward(lib: Any) -> Any:
    y = power(lib).apply(leaf(lib), 2)
    y.sum().backward()
    return y.grad_fn.saved_tensors


@program
def too_few_gradients(lib: Any) -> Any:
    answering(lib, lambda g: g).apply(leaf(lib), leaf(lib)).sum().backward()


@program
def too_many_gradients(lib: Any) -> Any:
    answering(lib, lambda g: (g, None, g)).apply(leaf(lib), leaf(lib)).sum().backward()


@program
def further_nones(lib: Any) -> Any:
    x = leaf(lib)
    answering(lib, lambda g: (g, None, None)).apply(x, leaf(lib)).sum().backward()
    return x.grad


@program
def a_number_for_a_gradient(lib: Any) -> Any:
    answering(lib, lambda g: (2, g)).apply(leaf(lib), leaf(lib)).sum().backward()


@program
def a_gradient_of_another_shape(lib: Any) -> Any:
    answering(lib, lambda g: (g[:1].expand(5), None)).apply(leaf(lib), leaf(lib)).sum().backward()


@program
def saving_a_number(lib: Any) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x, 3)
        return x * 1

    return simple(lib, forward, lambda ctx, g: g).apply(leaf(lib))


@program
def no_backward(lib: Any) -> Any:
    simple(lib, lambda ctx, x: x * 2).apply(leaf(lib)).sum().backward()


@program
def both_backward_and_vjp(lib: Any) -> Any:
    Both = simple(lib, lambda ctx, x: x * 2, lambda ctx, g: g)
    Both.vjp = staticmethod(lambda ctx, g: g)
    Both.apply(leaf(lib)).sum().backward()


@program
def no_forward(lib: Any) -> Any:
    return type("Empty", (lib.autograd.Function,), {}).apply(leaf(lib))


@program
def an_instance(lib: Any) -> Any:
    return power(lib)()(leaf(lib))


def test_nothing_is_kept_alive(request: pytest.FixtureRequest) -> None:
    import gc
    import weakref

    def forward(ctx: Any, x: Any) -> Any:
        y = x.exp()
        ctx.save_for_backward(x, y)
        return y

    Exp = simple(devgrad, forward, lambda ctx, g: g * ctx.saved_tensors[1])
    gc.collect()
    gc.disable()
    try:
        x = devgrad.ones(2, requires_grad=True)
        y = Exp.apply(x)
        gone = weakref.ref(y.grad_fn), weakref.ref(y)
        del y
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


def test_errors_name_the_line() -> None:
    z = devgrad.ones(2, requires_grad=True) * 1
    y = power(devgrad).apply(z, 2)
    z.add_(1)
    with pytest.raises(RuntimeError, match=r"(?s)`y = power\(devgrad\).*`z\.add_\(1\)`"):
        y.sum().backward()
