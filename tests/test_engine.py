"""The engine: the graph, the backward pass, grad modes, in-place bookkeeping, memory, threads.

Tests that take ``lib`` run against devgrad and, where it is installed, against PyTorch: so the
behaviour that they ask for is PyTorch's and not our idea of it.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import sys
import threading
import tracemalloc
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


@pytest.fixture(params=["devgrad", "torch"])
def lib(request: pytest.FixtureRequest) -> Any:
    if request.param == "torch" and torch is None:
        pytest.skip("PyTorch, the oracle, is not installed")
    return devgrad if request.param == "devgrad" else torch


def leaf(lib: Any, *values: float) -> Any:
    return lib.tensor(list(values), requires_grad=True)


def here() -> int:
    """The line number of the caller."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def names(x: Any) -> str:
    return type(x.grad_fn).__name__


# --- leaves and others ----------------------------------------------------------------------------


def test_leaves(lib: Any) -> None:
    x, c = leaf(lib, 1.0, 2.0), lib.tensor([3.0, 4.0])
    assert x.is_leaf and x.requires_grad and x.grad_fn is None and x.grad is None
    assert c.is_leaf and not c.requires_grad and c.grad_fn is None
    y = x * c
    assert not y.is_leaf and y.requires_grad and names(y) == "MulBackward0"
    z = c * c
    assert z.is_leaf and not z.requires_grad and z.grad_fn is None
    assert z.detach().is_leaf and y.detach().is_leaf and not y.detach().requires_grad


def test_only_floats_can_require_grad(lib: Any) -> None:
    with pytest.raises(RuntimeError, match="^Only Tensors of floating point and complex dtype can"):
        lib.tensor([1, 2], requires_grad=True)
    x = lib.tensor([1, 2])
    with pytest.raises(RuntimeError, match="^only Tensors of floating point dtype can require"):
        x.requires_grad_()
    assert not x.requires_grad
    assert lib.tensor([1j]).requires_grad_().requires_grad


def test_requires_grad_cannot_be_taken_from_what_was_computed(lib: Any) -> None:
    y = leaf(lib, 1.0) * 2
    y.requires_grad_()  # it does already
    with pytest.raises(RuntimeError, match="^you can only change requires_grad flags of leaf"):
        y.requires_grad = False
    assert y.requires_grad


def test_requires_grad_turned_off_and_on(lib: Any) -> None:
    x = leaf(lib, 3.0)
    (x * x).sum().backward()
    x.requires_grad_(False)
    assert not (x * x).requires_grad and x.grad.tolist() == [6.0]
    x.requires_grad_()
    (x * x).sum().backward()
    assert x.grad.tolist() == [12.0]


def test_backward_on_the_leaf_itself(lib: Any) -> None:
    x = lib.tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2.0


def test_grad_of_a_non_leaf_warns(lib: Any) -> None:
    y = leaf(lib, 1.0) * 2
    with pytest.warns(UserWarning, match=r"^The \.grad attribute of a Tensor that is not a leaf"):
        assert y.grad is None


def test_grad_is_checked_on_assignment(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"^attempting to assign a gradient of size '\[1\]'"):
        x.grad = lib.tensor([1.0])
    with pytest.raises(TypeError, match="^assigned grad expected to be a Tensor or None but got"):
        x.grad = 3
    assert x.grad is None
    x.grad = lib.tensor([1.0, 1.0])
    (x * x).sum().backward()
    assert x.grad.tolist() == [3.0, 5.0]
    del x.grad
    assert x.grad is None


# --- accumulation ---------------------------------------------------------------------------------


def test_gradients_add_up(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_accumulation_is_in_place_and_a_kept_gradient_sees_it(lib: Any) -> None:
    x = leaf(lib, 1.0)
    (2 * x).sum().backward()
    kept = x.grad
    (2 * x).sum().backward()
    assert x.grad is kept and kept.tolist() == [4.0]


def test_given_gradient_is_not_taken_over(lib: Any) -> None:
    x, v = leaf(lib, 1.0, 2.0), lib.tensor([1.0, 1.0])
    y = x + 0
    y.backward(v)
    assert x.grad is not v
    x.grad.mul_(10)
    assert v.tolist() == [1.0, 1.0]
    (x + 0).backward(v)
    assert v.tolist() == [1.0, 1.0] and x.grad.tolist() == [11.0, 11.0]


def test_two_leaves_do_not_share_their_gradients(lib: Any) -> None:
    x, y = leaf(lib, 1.0), leaf(lib, 2.0)
    (x + y).sum().backward()
    x.grad.mul_(5)
    assert y.grad.tolist() == [1.0]


def test_diamond(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = x * x
    z = y * y + y * x + y
    z.sum().backward()
    assert x.grad.tolist() == [4 * 8 + 3 * 4 + 2 * 2.0]


def test_same_operand_twice_and_fan_out(lib: Any) -> None:
    x = leaf(lib, 3.0)
    y = x * 1
    total = y + y
    for _ in range(10):
        total = total + y
    total.sum().backward()
    assert x.grad.tolist() == [12.0]


def test_grad_set_to_none_starts_anew(lib: Any) -> None:
    x = leaf(lib, 1.0)
    (x * 2).sum().backward()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0]


# --- what backward() is given ---------------------------------------------------------------------


def test_roots_that_cannot_be_differentiated(lib: Any) -> None:
    with pytest.raises(RuntimeError, match="^element 0 of tensors does not require grad and does"):
        lib.tensor([1.0]).backward()
    x = leaf(lib, 1.0, 2.0)
    with pytest.raises(RuntimeError, match="^grad can be implicitly created only for scalar outp"):
        (x * x).backward()
    with pytest.raises(RuntimeError, match=r"^Mismatch in shape: grad_output\[0\] has a shape of"):
        (x * x).backward(lib.tensor([1.0]))
    assert x.grad is None


def test_one_element_of_any_shape_is_a_scalar(lib: Any) -> None:
    x = lib.tensor([[3.0]], requires_grad=True)
    (x * x).backward()
    assert x.grad.tolist() == [[6.0]]


def test_complex_root_needs_a_gradient(lib: Any) -> None:
    x = lib.tensor(1j, requires_grad=True)
    with pytest.raises(RuntimeError, match="^grad can be implicitly created only for real scalar"):
        (x * x).backward()


def test_several_roots(lib: Any) -> None:
    x = leaf(lib, 2.0)
    a, b = x * x, x * 3
    lib.autograd.backward([a, b], [lib.tensor([1.0]), lib.tensor([10.0])])
    assert x.grad.tolist() == [34.0]


def test_backward_into_chosen_inputs(lib: Any) -> None:
    x, y = leaf(lib, 2.0), leaf(lib, 3.0)
    (x * y).sum().backward(inputs=[x])
    assert x.grad.tolist() == [3.0] and y.grad is None
    with pytest.raises(
        RuntimeError, match="^`inputs` argument to `backward\\(\\)` cannot be empty"
    ):
        (x * y).sum().backward(inputs=[])


# --- the graph given back -------------------------------------------------------------------------


def test_second_backward_is_refused(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    first = here() - 1
    with pytest.raises(
        RuntimeError, match=r"^Trying to backward through the graph a second time \(or directly"
    ) as caught:
        y.backward()
    assert x.grad.tolist() == [2.0, 4.0]
    if lib is devgrad:
        assert f"{__file__}:{first}" in str(caught.value)
        assert f"{__file__}:{first - 1}" in str(caught.value)
        assert "y = (x * x).sum()" in str(caught.value)


def test_retain_graph(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [6.0, 12.0]
    with pytest.raises(RuntimeError, match="^Trying to backward"):
        y.backward()


def test_linear_graphs_save_nothing_and_run_again(lib: Any) -> None:
    x = leaf(lib, 1.0)
    y = x + 1
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0]


def test_what_the_second_pass_shares_with_the_first_is_gone(lib: Any) -> None:
    x = leaf(lib, 2.0)
    shared = x * x
    (shared * 2).sum().backward()
    with pytest.raises(RuntimeError, match="^Trying to backward"):
        (shared * 3).sum().backward()


def test_saved_memory_is_given_back_by_backward() -> None:
    x = devgrad.ones(1000, requires_grad=True)
    y = x * 2
    array = weakref.ref(y._array)
    z = (y * y).sum()
    del y
    assert array() is not None
    z.backward()
    assert array() is None, "backward() has not given back what the graph saved"


# --- create_graph ---------------------------------------------------------------------------------


def test_derivatives_of_higher_order(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = x * x * x * x
    expected = [32.0, 48.0, 48.0, 24.0]
    for value in expected:
        (y,) = lib.autograd.grad(y.sum(), x, create_graph=True)
        assert y.tolist() == [value]
    assert x.grad is None


def test_gradient_is_not_recorded_without_create_graph(lib: Any) -> None:
    x = leaf(lib, 2.0)
    (g,) = lib.autograd.grad((x * x).sum(), x)
    assert not g.requires_grad and g.grad_fn is None and g.is_leaf
    with lib.no_grad():
        pass
    (g,) = lib.autograd.grad((x * x).sum(), x, create_graph=True)
    assert g.requires_grad


def test_create_graph_records_even_within_no_grad_and_restores_the_mode(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = (x * x).sum()
    with lib.no_grad():
        (g,) = lib.autograd.grad(y, x, create_graph=True)
        assert not lib.is_grad_enabled()
    assert g.requires_grad
    (h,) = lib.autograd.grad(g.sum(), x)
    assert h.tolist() == [2.0] and lib.is_grad_enabled()


def test_backward_with_create_graph(lib: Any) -> None:
    x = leaf(lib, 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (x * x * x).sum().backward(create_graph=True)
    assert x.grad.tolist() == [27.0] and x.grad.requires_grad
    (h,) = lib.autograd.grad(x.grad.sum(), x)
    assert h.tolist() == [18.0]
    x.grad = None


def test_backward_with_create_graph_warns_at_the_users_line() -> None:
    x = leaf(devgrad, 3.0)
    with pytest.warns(UserWarning, match=r"^Using backward\(\) with create_graph=True") as caught:
        (x * x).sum().backward(create_graph=True)
    assert caught[0].filename == __file__
    x.grad = None


def test_gradient_penalty(lib: Any) -> None:
    x, w = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
    (g,) = lib.autograd.grad((x * x * w).sum(), x, create_graph=True)
    ((g * g).sum()).backward()  # sum (2 x w)^2
    assert w.grad.tolist() == [24.0, 128.0]
    assert x.grad.tolist() == [72.0, 256.0]


# --- grad() ---------------------------------------------------------------------------------------


def test_grad_touches_no_grad_attribute(lib: Any) -> None:
    x, y = leaf(lib, 2.0), leaf(lib, 3.0)
    (g,) = lib.autograd.grad((x * y).sum(), [x])
    assert g.tolist() == [3.0] and x.grad is None and y.grad is None


def test_grad_of_non_leaves_and_of_several_inputs(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = x * x
    z = y * y
    gz, gy, gx = lib.autograd.grad(z.sum(), [z, y, x])
    assert (gz.tolist(), gy.tolist(), gx.tolist()) == ([1.0], [8.0], [32.0])


def test_the_same_input_twice(lib: Any) -> None:
    x = leaf(lib, 2.0)
    a, b = lib.autograd.grad((x * x).sum(), [x, x])
    assert a.tolist() == b.tolist() == [4.0]


def test_unused_inputs(lib: Any) -> None:
    x, unused = leaf(lib, 2.0), leaf(lib, 1.0)
    with pytest.raises(RuntimeError, match="^The differentiated Tensor at index 1 appears to not"):
        lib.autograd.grad((x * x).sum(), [x, unused])
    g, none = lib.autograd.grad((x * x).sum(), [x, unused], allow_unused=True)
    assert g.tolist() == [4.0] and none is None
    _, zero = lib.autograd.grad((x * x).sum(), [x, unused], materialize_grads=True)
    assert zero.tolist() == [0.0]
    with pytest.raises(RuntimeError, match="^One of the differentiated Tensors does not require"):
        lib.autograd.grad((x * x).sum(), [lib.tensor([1.0])])
    with pytest.raises(ValueError, match="^Expected allow_unused to be True or not passed"):
        lib.autograd.grad((x * x).sum(), x, allow_unused=False, materialize_grads=True)


def test_only_the_path_to_the_inputs_runs(lib: Any) -> None:
    ran: list[str] = []
    x, y = leaf(lib, 2.0), leaf(lib, 3.0)
    a, b = x * x, y * y
    older = x * 5
    a.register_hook(lambda g: ran.append("a"))
    b.register_hook(lambda g: ran.append("b"))
    older.register_hook(lambda g: ran.append("older"))
    out = (a + b + older).sum()
    lib.autograd.grad(out, y, retain_graph=True)
    assert ran == ["b"]
    ran.clear()
    lib.autograd.grad(out, a, retain_graph=True)
    assert ran == ["a"]
    ran.clear()
    out.backward()
    assert sorted(ran) == ["a", "b", "older"]


def test_nodes_off_the_path_do_not_run_and_keep_what_they_saved() -> None:
    x, y = leaf(devgrad, 2.0), leaf(devgrad, 3.0)
    a, b = x * x, y * y
    out = (a + b).sum()
    ran: list[str] = []
    for name, node in (("a", a.grad_fn), ("b", b.grad_fn)):
        kind = type(node)

        class Spy(kind):  # type: ignore[misc, valid-type]
            __slots__ = ()
            title = name

            def vjp(self, g: Any, edges: Any) -> Any:
                ran.append(self.title)
                return super().vjp(g, edges)

        node.__class__ = Spy
    devgrad.autograd.grad(out, x, retain_graph=False)
    assert ran == ["a"]
    assert len(b.grad_fn.saved), "a node that was not asked for gave back what it saved"
    (g,) = devgrad.autograd.grad(b.sum(), y)
    assert g.tolist() == [6.0]


# --- grad modes -----------------------------------------------------------------------------------


def test_no_grad_and_enable_grad_nest(lib: Any) -> None:
    x = leaf(lib, 1.0)
    with lib.no_grad():
        assert not lib.is_grad_enabled() and not (x * 2).requires_grad
        with lib.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_modes_are_restored_by_an_error(lib: Any) -> None:
    with contextlib.suppress(ZeroDivisionError), lib.no_grad():
        raise ZeroDivisionError
    assert lib.is_grad_enabled()


def test_modes_as_decorators(lib: Any) -> None:
    x = leaf(lib, 1.0)

    @lib.no_grad()
    def off(n: int) -> Any:
        """Its text."""
        return off(n - 1) if n else x * 2

    @lib.no_grad
    def bare() -> Any:
        return x * 2

    @lib.set_grad_enabled(False)
    def off_by_flag() -> Any:
        return x * 2

    @lib.inference_mode()
    def inference() -> Any:
        return x * 2

    @lib.enable_grad()
    def on() -> Any:
        return x * 2

    assert off.__name__ == "off" and off.__doc__ == "Its text."
    assert lib.is_grad_enabled()
    assert not any(
        f().requires_grad for f in (functools.partial(off, 3), bare, off_by_flag, inference)
    )
    with lib.no_grad():
        assert on().requires_grad
    assert lib.is_grad_enabled() and on().requires_grad


def test_set_grad_enabled_by_call(lib: Any) -> None:
    try:
        lib.set_grad_enabled(False)
        assert not lib.is_grad_enabled()
        with lib.set_grad_enabled(True):
            assert lib.is_grad_enabled()
        assert not lib.is_grad_enabled()
    finally:
        lib.set_grad_enabled(True)
    with lib.set_grad_enabled(False):
        assert not lib.is_grad_enabled()
    assert lib.is_grad_enabled()


def test_one_context_object_entered_again(lib: Any) -> None:
    context = lib.no_grad()
    with context:
        assert not lib.is_grad_enabled()
    with context:
        assert not lib.is_grad_enabled()
    assert lib.is_grad_enabled()


def test_generators(lib: Any) -> None:
    @lib.no_grad()
    def numbers() -> Iterator[bool]:
        for _ in range(2):
            got = yield lib.is_grad_enabled()
            assert got is None
        try:
            yield lib.is_grad_enabled()
        finally:
            closed.append(lib.is_grad_enabled())

    closed: list[bool] = []
    seen = []
    generator = numbers()
    for _ in range(3):
        seen.append(next(generator))
        assert lib.is_grad_enabled(), "the mode leaked out of a waiting generator"
    generator.close()
    assert seen == [False] * 3 and closed == [False] and lib.is_grad_enabled()


def test_inference_mode(lib: Any) -> None:
    x = leaf(lib, 1.0)
    with lib.inference_mode():
        assert lib.is_inference_mode_enabled() and not lib.is_grad_enabled()
        y = x * 2
        y.mul_(3)
    assert y.is_inference() and not y.requires_grad and not x.is_inference()
    with pytest.raises(RuntimeError, match="^Inplace update to inference tensor outside Inference"):
        y.mul_(2)
    if lib is devgrad:  # PyTorch refuses after the fact
        assert y.tolist() == [6.0]
    with pytest.raises(RuntimeError, match="^Inference tensors cannot be saved for backward"):
        x * y
    assert (x + y).requires_grad
    with pytest.raises(RuntimeError, match="^Setting requires_grad=True on inference tensor outsi"):
        y.requires_grad_()
    with lib.inference_mode(False):
        assert lib.is_grad_enabled() and (x * 2).requires_grad


def test_modes_belong_to_the_thread(lib: Any) -> None:
    seen: list[bool] = []
    with lib.no_grad():
        thread = threading.Thread(target=lambda: seen.append(lib.is_grad_enabled()))
        thread.start()
        thread.join()
        assert not lib.is_grad_enabled()
    assert seen == [True]


# --- in place -------------------------------------------------------------------------------------


def test_leaf_is_refused_and_left_as_it_was(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    before = x._version
    with pytest.raises(
        RuntimeError, match="^a leaf Variable that requires grad is being used in an in-place oper"
    ) as caught:
        x.mul_(2)
    if lib is devgrad:
        assert f"{__file__}:{here() - 2}" in str(caught.value)
    assert x.tolist() == [1.0, 2.0] and x.is_leaf and x._version == before
    with lib.no_grad():
        x.mul_(2)
    assert x.tolist() == [2.0, 4.0] and x.is_leaf and x.requires_grad


def test_view_of_a_leaf_is_refused(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    view = x[0]
    with pytest.raises(RuntimeError, match="^a view of a leaf Variable that requires grad is bei"):
        view.mul_(2)
    assert x.tolist() == [1.0, 2.0]


def test_changed_saved_input(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = x * 1
    z = y * y
    made = here() - 1
    y.add_(1)
    with pytest.raises(
        RuntimeError,
        match=r"^one of the variables needed for gradient computation has been modified by an "
        r"inplace operation: \[torch\.(cuda\.)?FloatTensor \[2\]\], which is output 0 of \w+, is "
        "at version 1; expected version 0 instead",
    ) as caught:
        z.sum().backward()
    assert x.grad is None
    if lib is devgrad:
        text = str(caught.value)
        assert f"{__file__}:{made}" in text and "z = y * y" in text
        assert f"{__file__}:{made + 2}" in text and "y.add_(1)" in text


def test_changed_saved_output(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = x.exp()
    y.add_(1)
    with pytest.raises(
        RuntimeError, match="^one of the variables needed for gradient computation has been modif"
    ) as caught:
        y.sum().backward()
    assert "which is output 0 of Exp" in str(caught.value)


def test_a_change_that_no_derivative_minds(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = x + 1
    z = y + y
    y.mul_(100)
    z.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_change_through_another_view_and_through_detach(lib: Any) -> None:
    for change in (lambda y: y[0].add_(1), lambda y: y.detach().add_(1)):
        x = leaf(lib, 1.0, 2.0)
        y = x * 1
        z = y * y
        change(y)
        with pytest.raises(RuntimeError, match="^one of the variables needed"):
            z.sum().backward()


def test_change_through_data_goes_unseen(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = x * x
    x.data.mul_(10)
    y.sum().backward()
    assert x.grad.tolist() == [20.0, 40.0]


def test_in_place_history(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    y = x * 1
    y.mul_(3)
    y.add_(x)
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_in_place_on_own_square(lib: Any) -> None:
    x = leaf(lib, 3.0)
    y = x * 1
    y.mul_(y)
    outcome = None
    try:
        y.sum().backward()
    except RuntimeError as error:
        outcome = str(error)[:40]
    assert outcome == "one of the variables needed for gradient"


def test_change_of_a_view_changes_the_base(lib: Any) -> None:
    x, v = leaf(lib, 1.0, 2.0, 3.0), leaf(lib, 5.0)
    y = x * 1
    part = y[1:]
    part.mul_(v)
    assert y.tolist() == [1.0, 10.0, 15.0] and names(y) == "CopySlices"
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 5.0, 5.0] and v.grad.tolist() == [5.0]


def test_change_of_the_base_changes_its_views(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0, 3.0)
    y = x * 1
    part = y[1:]
    y.mul_(2)
    assert part.tolist() == [4.0, 6.0]
    part.sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 2.0]


def test_a_constant_buffer_filled_by_recorded_writes(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    buffer = lib.zeros(3)
    first = buffer[0]
    buffer[1:] = x * 2
    assert buffer.requires_grad and not buffer.is_leaf
    assert first.requires_grad
    buffer.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_setitem_on_a_leaf_is_refused(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad is being used"):
        x[0] = 3.0
    assert x.tolist() == [1.0, 2.0]


def test_output_of_split_is_refused(lib: Any) -> None:
    x = leaf(lib, 1.0, 2.0)
    first, _ = (x * 1).split(1)
    with pytest.raises(
        RuntimeError, match="^Output 0 of Split.* is a view and is being modified in"
    ):
        first.mul_(2)
    assert first.tolist() == [1.0]


def test_view_made_in_no_grad_is_refused(lib: Any) -> None:
    y = leaf(lib, 1.0, 2.0) * 1
    with lib.no_grad():
        view = y[0]
    with pytest.raises(
        RuntimeError, match="^A view was created in no_grad mode and is being modif"
    ):
        view.mul_(2)
    with lib.no_grad():
        view.mul_(2)
    assert y.tolist() == [2.0, 2.0]


def test_expanded_tensor_is_refused(lib: Any) -> None:
    x = lib.ones(1).expand(3)
    with pytest.raises(RuntimeError, match="^unsupported operation: more than one element of the"):
        x.mul_(2)
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_shape_and_dtype_that_do_not_fit_are_refused(lib: Any) -> None:
    x, wide = lib.ones(2), lib.ones(3, 2)
    with pytest.raises(RuntimeError, match=r"^output with shape \[2\] doesn't match the broadcast"):
        x.add_(wide)
    n = lib.ones(2, dtype=lib.int64)
    with pytest.raises(
        RuntimeError, match="^result type Float can't be cast to the desired output"
    ):
        n.mul_(1.5)
    assert x.tolist() == [1.0, 1.0] and n.tolist() == [1, 1]


# --- broadcast shapes that do not meet ------------------------------------------------------------


def test_shapes_that_do_not_broadcast(lib: Any) -> None:
    with pytest.raises(
        RuntimeError,
        match=r"^The size of tensor a \(3\) must match the size of tensor b \(4\) at non-singleton "
        "dimension 1",
    ) as caught:
        lib.ones(2, 3) + lib.ones(2, 4)
    if lib is devgrad:
        assert __file__ in str(caught.value)


# --- deep and wide graphs -------------------------------------------------------------------------


@pytest.fixture
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def rss() -> int:
    """Resident memory now, in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_graph_a_million_nodes_deep(no_gc: None) -> None:
    depth = 1_000_000
    limit = sys.getrecursionlimit()
    x = devgrad.tensor(1.0, requires_grad=True)
    start = rss() if sys.platform == "linux" else 0
    y = x
    for _ in range(depth):
        y = y + 1.0
    node = weakref.ref(y.grad_fn.next_functions[0][0])
    high = rss() if sys.platform == "linux" else 0
    y.backward()
    assert x.grad.item() == 1.0 and y.item() == depth + 1
    assert sys.getrecursionlimit() == limit
    assert node() is not None
    del y
    assert node() is None, "the graph is held by a reference cycle"
    if sys.platform == "linux":
        kept = (rss() - start) / max(high - start, 1)
        assert kept < 0.25, f"{kept:.0%} of the graph's memory was not given back"


def test_deep_graph_that_saves_is_given_back_without_backward(no_gc: None) -> None:
    x = devgrad.ones(4, requires_grad=True)
    y = x
    for _ in range(200_000):
        y = y * x
    node = weakref.ref(y.grad_fn.next_functions[0][0])
    array = weakref.ref(y._array)
    del y
    assert node() is None and array() is None


def test_deep_graph_under_create_graph() -> None:
    x = devgrad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y * x
    (g,) = devgrad.autograd.grad(y, x, create_graph=True)
    (h,) = devgrad.autograd.grad(g, x)
    assert g.item() == 20_001.0 and h.item() == pytest.approx(20_001.0 * 20_000.0, rel=1e-3)


@pytest.mark.host_only("the host's memory, to which the stand-in adds its own")
def test_training_step_leaves_no_cycles_and_no_memory(no_gc: None) -> None:
    w = devgrad.ones(50, 50, requires_grad=True)
    x = devgrad.ones(50, 50)

    def step() -> None:
        h = x * w + 1
        part = h[1:3]
        part.mul_(w[1:3])
        loss = (h * h).sum()
        loss.backward()
        with devgrad.no_grad():
            w.sub_(w.grad * 1e-9)
        w.grad = None

    step()
    gc.collect()
    tracemalloc.start()
    try:
        step()
        base = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            step()
        grown = tracemalloc.get_traced_memory()[0] - base
    finally:
        tracemalloc.stop()
    assert grown < 20_000, f"{grown} bytes more after 20 steps"
    assert gc.collect() == 0, "a training step left reference cycles"


def test_second_order_leaves_no_cycles(no_gc: None) -> None:
    x = devgrad.ones(3, requires_grad=True)

    def step() -> None:
        y = (x * x * x).sum()
        (g,) = devgrad.autograd.grad(y, x, create_graph=True)
        (g * g).sum().backward()
        x.grad = None

    step()
    gc.collect()
    step()
    assert gc.collect() == 0


def test_refused_calls_leave_no_cycles(no_gc: None) -> None:
    x = devgrad.ones(3, requires_grad=True)

    def refused() -> None:
        y = (x * x).sum()
        y.backward()
        for action in (y.backward, lambda: x.mul_(2), lambda: x + devgrad.ones(4)):
            try:
                action()
            except RuntimeError:
                continue
            raise AssertionError("not refused")
        x.grad = None

    refused()
    gc.collect()
    refused()
    assert gc.collect() == 0


def test_a_leaf_goes_with_its_last_name_although_the_graph_lives(no_gc: None) -> None:
    x = leaf(devgrad, 1.0, 2.0)
    y = x + 1
    gone = weakref.ref(x)
    del x
    assert gone() is None
    y.sum().backward()  # the gradient has nowhere to go


# --- threads --------------------------------------------------------------------------------------


def test_threads_with_graphs_of_their_own() -> None:
    errors: list[BaseException] = []
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        try:
            start.wait()
            for n in range(30):
                x = devgrad.tensor([float(seed), float(n)], requires_grad=True)
                y = x
                for _ in range(40):
                    y = y * 1.0 + x
                y.sum().backward()
                assert x.grad is not None and x.grad.tolist() == [41.0, 41.0]
                if n % 2:
                    with devgrad.no_grad():
                        assert not (x * x).requires_grad
                else:
                    assert (x * x).requires_grad
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]


# --- nodes, hooks ---------------------------------------------------------------------------------


def test_nodes_can_be_walked(lib: Any) -> None:
    x, c = leaf(lib, 2.0), lib.tensor([5.0])
    y = x * c + x
    node = y.grad_fn
    assert node.name() == "AddBackward0"
    (product, index), (end, _) = node.next_functions
    assert product.name() == "MulBackward0" and index == 0
    assert type(end).__name__ == "AccumulateGrad" and end.variable is x
    (onward, _), (nothing, zero) = product.next_functions
    assert onward is end and nothing is None and zero == 0
    assert product.next_functions[0][0] is end
    assert product._sequence_nr() < node._sequence_nr()
    node.metadata["mine"] = 1
    assert y.grad_fn.metadata["mine"] == 1


def test_output_numbers_of_several_outputs(lib: Any) -> None:
    parts = (leaf(lib, 1.0, 2.0) * 1).split(1)
    assert [p.output_nr for p in parts] == [0, 1]
    assert [p.grad_fn.name() for p in parts] == ["SplitBackward0"] * 2
    assert (parts[1] * 2).grad_fn.next_functions[0][1] == 1


def test_retain_grad(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = x * x
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [8.0] and x.grad.tolist() == [32.0]
    x.retain_grad()  # nothing for a leaf
    with pytest.raises(RuntimeError, match="^can't retain_grad on Tensor that has requires_grad=F"):
        lib.tensor([1.0]).retain_grad()


def test_hooks_see_and_change_the_gradient(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = x * x
    seen: list[Any] = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (y * 3).sum().backward(retain_graph=True)
    assert seen == [[3.0]] and x.grad.tolist() == [121.0]
    handle.remove()
    x.grad = None
    (y * 3).sum().backward()
    assert x.grad.tolist() == [13.0]
    with pytest.raises(RuntimeError, match="^cannot register a hook on a tensor that doesn't requ"):
        lib.tensor([1.0]).register_hook(print)


def test_what_a_hook_keeps_or_gives_is_not_changed_later(lib: Any) -> None:
    x, given = leaf(lib, 2.0), lib.tensor([5.0])
    kept: list[Any] = []
    handle = x.register_hook(lambda g: kept.append(g))
    for _ in range(3):
        (x * x * 1.0).sum().backward()
    assert [g.tolist() for g in kept] == [[4.0]] * 3
    handle.remove()
    x.register_hook(lambda g: given)
    x.grad = None
    for _ in range(3):
        (x * x).sum().backward()
    assert given.tolist() == [5.0] and x.grad.tolist() == [15.0]


def test_given_gradients_are_not_changed(lib: Any) -> None:
    x = leaf(lib, 2.0)
    given = [lib.tensor([1.0]), lib.tensor([10.0])]
    lib.autograd.backward([x, x], given)
    lib.autograd.backward([x, x * 1], given)
    lib.autograd.grad([x, x], x, given)
    assert [g.tolist() for g in given] == [[1.0], [10.0]] and x.grad.tolist() == [22.0]


def test_hook_runs_once_on_the_whole_gradient(lib: Any) -> None:
    x = leaf(lib, 2.0)
    y = x * 1
    seen: list[Any] = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 2 + y * 3 + y).sum().backward()
    assert seen == [[6.0]]


def test_values_and_gradients_are_numpys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(4,))
    x = placed(devgrad, a).requires_grad_()
    w = placed(devgrad, b).requires_grad_()
    ((x * w + x / w) * x).sum().backward()
    np.testing.assert_allclose(numpy_of(x.grad), 2 * a * b + 2 * a / b, rtol=1e-13)
    np.testing.assert_allclose(numpy_of(w.grad), (a * a - a * a / b**2).sum(0), rtol=1e-12)


def test_gradients_in_batches() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
    found = []
    for lib in (devgrad, torch):
        x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
        y = x * x[0]
        unused = lib.ones(2, requires_grad=True)
        (jacobian, none) = lib.autograd.grad(
            y, (x, unused), lib.eye(3), is_grads_batched=True, allow_unused=True
        )
        assert none is None
        found.append(jacobian.tolist())
    assert found[0] == found[1]
