"""Copies and pickles of tensors, memory formats, and the count of changes, against PyTorch."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import devgrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

LIBRARIES = [lib for lib in (devgrad, torch) if lib is not None]
each_library = pytest.mark.parametrize("lib", LIBRARIES, ids=lambda lib: lib.__name__)
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
}
each_copy = pytest.mark.parametrize("how", COPIES)
# PyTorch keeps together what shares memory in deep copies and `torch.save`, not in plain pickles.
each_that_keeps = pytest.mark.parametrize(
    ("lib", "how"),
    [(devgrad, "deepcopy"), (devgrad, "pickle"), *[(lib, "deepcopy") for lib in LIBRARIES[1:]]],
    ids=lambda x: getattr(x, "__name__", x),
)


@each_that_keeps
def test_what_shares_memory_goes_on_sharing_it(lib: Any, how: str) -> None:
    whole = lib.arange(6.0)
    views = [whole, whole.view(2, 3), whole[2:4], whole.view(2, 3).t(), whole.detach()]
    first, *others = COPIES[how](views)
    first.fill_(9)
    assert all(x.eq(9).all() for x in others)
    assert whole.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    others[1].zero_()
    assert first.tolist() == [9.0, 9.0, 0.0, 0.0, 9.0, 9.0]


@each_copy
def test_a_change_of_shared_memory_is_counted_for_all(how: str) -> None:
    first, second = COPIES[how]([x := devgrad.ones(3), x.view(-1)])
    w = devgrad.ones(3, requires_grad=True)
    y = (w * first).sum()
    second.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@each_that_keeps
def test_tied_parameters_stay_tied(lib: Any, how: str) -> None:
    w = lib.ones(3, requires_grad=True)
    a, b = COPIES[how]([w, w])
    assert a is b and a is not w
    leaf, seen = COPIES[how]([w, w.detach()])
    seen.fill_(5)
    assert leaf.tolist() == [5.0, 5.0, 5.0] and leaf.requires_grad and leaf.is_leaf
    assert not seen.requires_grad


@needs_torch
@each_copy
@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.arange(6.0).view(2, 3),
        lambda lib: lib.arange(6.0).view(2, 3).t(),
        lambda lib: lib.arange(6.0)[::2],
        lambda lib: lib.arange(6.0)[1:3],
        lambda lib: lib.ones(1, 3).expand(4, 3),
        lambda lib: lib.zeros(0, 3),
        lambda lib: lib.tensor(3),
        lambda lib: lib.tensor([True, False]),
        lambda lib: lib.tensor([1 + 2j, 3j]).real,
        lambda lib: lib.tensor([1.0, 2.0], dtype=lib.float16),
        lambda lib: lib.ones(2, 3, 4, 5).to(memory_format=lib.channels_last),
    ],
)
def test_a_copy_has_the_same_layout(how: str, make: Any) -> None:
    mine, wanted = (COPIES[how](make(lib)) for lib in (devgrad, torch))
    assert mine.tolist() == wanted.tolist() == make(devgrad).tolist()
    assert str(mine.dtype) == str(wanted.dtype) and mine.shape == tuple(wanted.shape)
    assert mine.storage_offset() == wanted.storage_offset()
    if mine.numel():
        assert mine.stride() == wanted.stride()


@each_library
def test_pickles_of_what_was_computed_are_leaves(lib: Any) -> None:
    w = lib.ones(3, requires_grad=True)
    read = pickle.loads(pickle.dumps(w * 2))
    assert read.tolist() == [2.0, 2.0, 2.0]
    assert read.requires_grad and read.is_leaf and read.grad_fn is None
    again = copy.copy(w * 2)
    assert again.is_leaf and again.requires_grad
    with pytest.raises(RuntimeError, match="^Only Tensors created explicitly by the user"):
        copy.deepcopy(w * 2)


@each_library
def test_gradients_and_attributes(lib: Any) -> None:
    w = lib.ones(2, requires_grad=True)
    w.grad, w.note = lib.tensor([3.0, 4.0]), ["kept"]
    made = copy.deepcopy(w)
    assert made.grad.tolist() == [3.0, 4.0] and made.grad is not w.grad
    assert made.note == ["kept"] and made.note is not w.note
    read = pickle.loads(pickle.dumps(w))
    assert read.grad is None and read.note == ["kept"]
    shallow = copy.copy(w)
    with lib.no_grad():
        shallow.fill_(7)
    assert w.tolist() == [7.0, 7.0]


@each_library
def test_version(lib: Any) -> None:
    x = lib.zeros(3)
    assert x._version == 0 and type(x._version) is int
    x.add_(1)
    view = x[1:]
    view.mul_(2)
    assert (x._version, view._version, x.detach()._version, x.data._version) == (2, 2, 2, 0)
    with pytest.raises(AttributeError):
        x._version = 5
    with lib.inference_mode():
        y = lib.ones(2)
        with pytest.raises(RuntimeError, match="^Inference tensors do not track version counter"):
            _ = y._version


# --- memory formats -------------------------------------------------------------------------------

IMAGES: dict[str, Callable[[Any, Any], Any]] = {
    "contiguous": lambda lib, x: x.contiguous(memory_format=lib.channels_last),
    "to": lambda lib, x: x.to(memory_format=lib.channels_last),
    "to a dtype": lambda lib, x: x.to(lib.float64, memory_format=lib.channels_last),
    "double": lambda lib, x: x.double(memory_format=lib.channels_last),
    "clone": lambda lib, x: x.clone(memory_format=lib.channels_last),
    "clone of it": lambda lib, x: x.to(memory_format=lib.channels_last).clone(),
    "and back": lambda lib, x: x.to(memory_format=lib.channels_last).contiguous(),
    "empty": lambda lib, x: lib.empty(2, 3, 4, 5, memory_format=lib.channels_last),
    "zeros_like": lambda lib, x: lib.zeros_like(x, memory_format=lib.channels_last),
    "zeros_like it": lambda lib, x: lib.zeros_like(x.to(memory_format=lib.channels_last)),
    "zeros_like, in order": lambda lib, x: lib.zeros_like(
        x.to(memory_format=lib.channels_last), memory_format=lib.contiguous_format
    ),
    "full_like": lambda lib, x: lib.full_like(x, 2.0, memory_format=lib.channels_last),
    "transposed": lambda lib, x: lib.ones_like(x.transpose(0, 1)),
    "preserved": lambda lib, x: x.transpose(0, 1).clone(memory_format=lib.preserve_format),
    "cpu": lambda lib, x: x.cpu(memory_format=lib.channels_last),
    "resize_": lambda lib, x: x.resize_((3, 2, 4, 5), memory_format=lib.channels_last),
    "3d": lambda lib, x: x[None].contiguous(memory_format=lib.channels_last_3d),
}


@needs_torch
@pytest.mark.parametrize("name", IMAGES)
def test_memory_format(name: str) -> None:
    made = {}
    for lib in (devgrad, torch):
        x = lib.arange(120.0).view(2, 3, 4, 5)
        y = made[lib.__name__] = IMAGES[name](lib, x)
        for form in (lib.contiguous_format, lib.channels_last, lib.channels_last_3d):
            made[f"{lib.__name__} {form}"] = y.is_contiguous(memory_format=form)
    mine, wanted = made["devgrad"], made["torch"]
    assert mine.stride() == tuple(wanted.stride()) and mine.shape == tuple(wanted.shape)
    if name != "empty":
        assert mine.tolist() == wanted.tolist()
    for form in ("contiguous_format", "channels_last", "channels_last_3d"):
        assert made[f"devgrad torch.{form}"] == made[f"torch torch.{form}"]


def test_memory_formats_by_name() -> None:
    for name in ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d"):
        form = getattr(devgrad, name)
        assert repr(form) == f"torch.{name}" and isinstance(form, devgrad.memory_format)
        assert pickle.loads(pickle.dumps(form)) is form


@needs_torch
def test_gradients_through_a_memory_format() -> None:
    for lib in LIBRARIES:
        x = lib.arange(24.0).view(1, 2, 3, 4).requires_grad_()
        y = x.contiguous(memory_format=lib.channels_last)
        (y * y).sum().backward()
        assert x.grad.tolist() == (2 * x.detach()).tolist()


def test_threads() -> None:
    before = devgrad.get_num_threads()
    try:
        devgrad.set_num_threads(1)
        assert devgrad.get_num_threads() == 1
        assert devgrad.ones(9, 9).mm(devgrad.ones(9, 9)).sum() == 729
    finally:
        devgrad.set_num_threads(before)
    assert devgrad.get_num_threads() == before
