"""Square brackets: random indices, read and written, against PyTorch or, without it, NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement import numpy_of, placed

import devgrad

try:
    import torch
except ImportError:  # pragma: no cover
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is the judge of this")


@st.composite
def cases(draw: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape, and an index of it; arrays in the index stand for tensors."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    items: list[Any] = []
    together = draw(st.sampled_from([(2,), (1,), (3, 1), (1, 2), ()]))
    masked = advanced = False
    dim = 0
    while dim < len(shape) and draw(st.integers(0, 5)):
        n = shape[dim]
        kind = draw(st.sampled_from(["int", "slice", "slice", "none", "array", "array", "mask"]))
        if (kind == "mask" and advanced) or (kind == "array" and masked):
            kind = "slice"  # how many a mask selects would have to fit the others
        if kind == "none":
            items.append(None)
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-n - 1, n + 1)
            items.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2]))))
        elif kind == "array":
            advanced = True
            values = draw(st.lists(st.integers(-n, n - 1), min_size=6, max_size=6))
            items.append(np.resize(np.array(values), together))
        else:
            masked = advanced = True
            size = draw(st.integers(1, len(shape) - dim))
            part = shape[dim : dim + size]
            seed = draw(st.integers(0, 100))
            items.append(np.random.default_rng(seed).random(part) < 0.5)
            dim += size - 1
        dim += 1
    if draw(st.booleans()) and dim == sum(
        0 if x is None else x.ndim if getattr(x, "dtype", None) == np.dtype(bool) else 1
        for x in items
    ):
        items.append(...)
    return shape, tuple(items)


def _index(library: Any, items: tuple[Any, ...]) -> Any:
    if library is np:
        return items
    made = tuple(library.tensor(x) if isinstance(x, np.ndarray) else x for x in items)
    return made[0] if len(made) == 1 else made


def _numpy_differs(items: tuple[Any, ...]) -> bool:
    """Whether NumPy lets an int join the arrays, and so places the result differently."""
    arrays = any(isinstance(x, np.ndarray) and x.ndim for x in items)
    return arrays and any(
        isinstance(x, int) or (isinstance(x, np.ndarray) and not x.ndim) for x in items
    )


def _values(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(float(np.prod(shape))).reshape(shape)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_reading(case: Any) -> None:
    shape, items = case
    x = devgrad.tensor(_values(shape), requires_grad=True)
    y = x[_index(devgrad, items)]
    weights = np.cos(np.arange(y.numel())).reshape(tuple(y.shape))
    g = devgrad.autograd.grad((y * y * devgrad.tensor(weights)).sum(), x, create_graph=True)[0]
    (second,) = devgrad.autograd.grad((g * g).sum(), x)
    if torch is None:
        if not _numpy_differs(items):
            np.testing.assert_array_equal(numpy_of(y), _values(shape)[items])
        return
    tx = torch.tensor(_values(shape), requires_grad=True)
    ty = tx[_index(torch, items)]
    assert tuple(y.shape) == tuple(ty.shape)
    np.testing.assert_array_equal(numpy_of(y), numpy_of(ty))
    assert y._is_view() == ty._is_view()
    assert y.grad_fn.name() == ty.grad_fn.name()
    (tg,) = torch.autograd.grad((ty * ty * torch.tensor(weights)).sum(), tx, create_graph=True)
    np.testing.assert_allclose(numpy_of(g), numpy_of(tg), rtol=1e-12)
    (tsecond,) = torch.autograd.grad((tg * tg).sum(), tx)
    np.testing.assert_allclose(numpy_of(second), numpy_of(tsecond), rtol=1e-12)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_view_shares_memory(case: Any) -> None:
    shape, items = case
    x = devgrad.tensor(_values(shape))
    y = x[_index(devgrad, items)]
    before = numpy_of(x)
    y += 100
    basic = not any(isinstance(i, np.ndarray) and (i.ndim or i.dtype == bool) for i in items)
    assert y._is_view() is basic
    changed = int((numpy_of(x) != before).sum())
    assert changed == (y.numel() if basic else 0)


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(["number", "whole", "last", "leading"]), st.booleans())
def test_writing(case: Any, how: str, recorded: bool) -> None:
    shape, items = case
    judge = torch if torch is not None else np
    if judge is np and _numpy_differs(items):
        return
    part = (torch.tensor(_values(shape)) if torch else _values(shape))[_index(judge, items)].shape
    size = {"number": (), "whole": tuple(part), "last": tuple(part[-1:])}.get(how, (1, *part))
    if any(isinstance(x, np.ndarray) and x.dtype != bool and x.ndim for x in items):
        size = ()  # which of several values for one place stays is not laid down
    values = -1.0 - np.random.default_rng(0).random(size)

    def run(library: Any) -> list[Any]:
        if library is np:
            x = _values(shape)
            x[items] = values
            return [x]
        leaf = library.tensor(_values(shape), requires_grad=recorded)
        v = library.tensor(values, requires_grad=recorded)
        x = leaf * 1
        x[_index(library, items)] = -7 if how == "number" else v
        if not recorded:
            return [numpy_of(x)]
        weights = library.tensor(np.cos(_values(shape)))
        wanted = [leaf] if how == "number" else [leaf, v]
        grads = library.autograd.grad((x * x * weights).sum(), wanted)
        return [numpy_of(x), *[numpy_of(g) for g in grads]]

    if judge is np and how == "number":
        values = np.array(-7.0)
    ours = run(devgrad)
    theirs = run(judge)
    for mine, wanted in zip(ours, theirs, strict=judge is not np):
        np.testing.assert_allclose(mine, wanted, rtol=1e-12)


LONG = [0, 5]
ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda t, x: x[5], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda t, x: x[0, -9], IndexError, "index -9 is out of bounds for dimension 1 with size 3"),
    (lambda t, x: x[[0, 5]], IndexError, "index 5 is out of bounds for dimension 0 with size 2"),
    (lambda t, x: x[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
    (lambda t, x: x[::-1], ValueError, "step must be greater than zero"),
    (lambda t, x: x[1.0], IndexError, "only integers, slices"),
    (lambda t, x: x[t.tensor([0.0])],
     IndexError, "tensors used as indices must be long, int, byte"),
    (lambda t, x: x[t.tensor([True, False, True])],
     IndexError, "The shape of the mask [3] at index 0"),
    (lambda t, x: x[0][0][0], IndexError, "invalid index of a 0-dim tensor."),
    (lambda t, x: x[t.tensor([0, 1]), t.tensor([0, 1, 2])],
     IndexError, "shape mismatch: indexing tensors"),
    (lambda t, x: x.__setitem__(5, 1), IndexError, "index 5 is out of bounds for dimension 0"),
    (lambda t, x: x.__setitem__([0, 5], 1), IndexError, "index 5 is out of bounds for dimension 0"),
    (lambda t, x: x.__setitem__(0, [1]), TypeError, "can't assign a list to a torch.FloatTensor"),
    (lambda t, x: x.__setitem__(0, t.ones(2)),
     RuntimeError, "The expanded size of the tensor (3) must"),
    (lambda t, x: x.__setitem__([0, 1], t.ones(2)),
     RuntimeError, "shape mismatch: value tensor of shape [2]"),
    (lambda t, x: x.__setitem__(x > 9, t.ones(2)),
     RuntimeError, "shape mismatch: value tensor of shape [2]"),
    (lambda t, x: x.index_select(0, t.tensor([5])), IndexError, "index out of range in self"),
    (lambda t, x: x.index_add_(0, t.tensor(LONG), t.ones(2, 3)),
     RuntimeError, "index 5 is out of bounds"),
    (lambda t, x: x.index_copy_(0, t.tensor(LONG), t.ones(2, 3)),
     IndexError, "index_copy_(): index 5"),
    (lambda t, x: x.index_fill_(0, t.tensor(LONG), 1), IndexError, "index 5 is out of bounds"),
    (lambda t, x: x.gather(0, t.tensor([[5]])),
     RuntimeError, "index 5 is out of bounds for dimension 0"),
    (lambda t, x: x.scatter_(0, t.tensor([LONG]), 1), RuntimeError, "index 5 is out of bounds"),
    (lambda t, x: x.scatter_add_(0, t.tensor([LONG]), t.ones(1, 2)),
     RuntimeError, "index 5 is out of"),
    (lambda t, x: x.put_(t.tensor([0, 6]), t.ones(2)),
     IndexError, "out of range: tried to access index 6"),
    (lambda t, x: x.take(t.tensor([6])), IndexError, "out of range: tried to access index 6"),
    (lambda t, x: x.masked_fill_(t.tensor([1, 0, 1]), 1),
     RuntimeError, "masked_fill_ only supports bool"),
    (lambda t, x: x.index_put_((t.tensor(LONG),), t.tensor(1.0)),
     IndexError, "index 5 is out of bounds"),
]  # fmt: skip


@pytest.fixture
def debug() -> Iterator[None]:
    # On CUDA the host does not look at elements, which positions may be, unless it is told to.
    devgrad.cuda.set_debug(True)
    yield
    devgrad.cuda.set_debug(False)


@pytest.mark.parametrize("number", range(len(ERRORS)))
@pytest.mark.usefixtures("debug")
def test_errors_come_before_changes(number: int) -> None:
    call, error, phrase = ERRORS[number]
    for library in [devgrad] if torch is None else [devgrad, torch]:
        x = library.ones(2, 3)
        with pytest.raises(error) as caught:
            call(library, x)
        title = "torch.cuda.FloatTensor" if x.is_cuda else "torch.FloatTensor"
        assert str(caught.value).startswith(phrase.replace("torch.FloatTensor", title))
        if library is devgrad:  # PyTorch has written up to the bad index by then
            assert (numpy_of(x) == 1).all()


def test_scatter_add_counts_every_repetition() -> None:
    rng = np.random.default_rng(0)
    for count, width, rows in [(50, 1, 7), (50, 3, 7), (5000, 8, 100), (5000, 1, 100)]:
        i, v = rng.integers(-rows, rows, count), rng.random((count, width))
        x = devgrad.zeros(rows, width, dtype=devgrad.float64, requires_grad=True)
        (g,) = devgrad.autograd.grad(x[devgrad.tensor(i)], x, devgrad.tensor(v))
        wanted = np.zeros((rows, width))
        np.add.at(wanted, i, v)
        np.testing.assert_allclose(numpy_of(g), wanted)


def test_index_changed_after_use_is_noticed() -> None:
    x = devgrad.ones(3, requires_grad=True)
    i = devgrad.tensor([0, 1])
    y = x[i].sum()
    i += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_import_leaves_scipy_alone() -> None:
    import subprocess
    import sys

    code = "import sys, devgrad; assert not any(m.startswith('scipy') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_torch
def test_leaf_is_protected() -> None:
    for library in (devgrad, torch):
        x = library.ones(3, requires_grad=True)
        with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
            x[0] = 1
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            x[x > 0] = 1
        with library.no_grad():
            x[0] = 5
        assert x.tolist() == [5, 1, 1]


@pytest.mark.parametrize("name", ["scatter", "scatter_add", "scatter_reduce"])
def test_src_larger_than_index(name: str) -> None:
    # What no index is for gets a gradient of zero. (PyTorch's backward raises an error there.)
    x = devgrad.zeros(3, requires_grad=True)
    src = devgrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    extra = ("sum",) if name == "scatter_reduce" else ()
    y = getattr(devgrad, name)(x, 0, devgrad.tensor([2, 0]), src, *extra)
    assert y.tolist() == [2.0, 0.0, 1.0]
    (g,) = devgrad.autograd.grad((y * devgrad.tensor([5.0, 6.0, 7.0])).sum(), src)
    assert g.tolist() == [7.0, 5.0, 0.0]


@needs_torch
@pytest.mark.parametrize("how", ["index_add", "sum", "prod", "amax", "amin"])
@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
     "complex64", "complex128"],
)  # fmt: skip
def test_scatters_of_every_dtype(dtype: str, how: str) -> None:
    if how in ("amax", "amin") and dtype.startswith("complex"):
        pytest.skip("complex numbers have no order")
    rng = np.random.default_rng(0)
    start, values = (rng.integers(0, 3, (n, 2)).astype(dtype) for n in (4, 9))
    positions = rng.integers(0, 4, 9)
    found = []
    for lib in (devgrad, torch):
        x, v, i = (placed(lib, a) for a in (start, values, positions))
        if how == "index_add":
            found.append(x.index_add(0, i, v))
        else:
            found.append(x.scatter_reduce(0, i[:, None].expand(9, 2), v, how))
    ours, theirs = found
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(numpy_of(ours), numpy_of(theirs), rtol=1e-3)
