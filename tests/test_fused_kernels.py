"""Kernels in the place of formulas: each against the formula it stands for.

They run on the host here (`host_kernels`): with all threads of a block, which meet at barriers,
and, on the stand-in for CuPy, with one; with ``-m gpu`` they run on a GPU.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import host_kernels
import numpy as np
import pytest
import torch
from placement import numpy_of

import devgrad
from devgrad.device import CPU, _kernels, resolve
from devgrad.device._formulas import FORMULAS, formula

pytestmark = [
    pytest.mark.skipif(host_kernels.COMPILER is None, reason="no C++ compiler"),
    pytest.mark.cuda_only,
]

KINDS = ("float32", "float64")
TOLERANCES = {"float32": 3e-6, "float64": 1e-14}


@pytest.fixture
def xp(device: str) -> Any:
    return resolve(device).xp


def _random(seed: int, shape: Any, kind: str) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(kind)


def _with_extremes(x: Any) -> Any:
    """The same with infinities, NaN and numbers that overflow in it."""
    x = x.copy()
    flat = x.reshape(-1)
    for i, value in enumerate((-math.inf, math.inf, math.nan, 1e4, -1e4, 88.0, -104.0, 0.0)):
        flat[(7 * i + 1) % flat.size] = value
    return x


def _agree(found: Any, wanted: Any, kind: str, factor: float = 1.0) -> None:
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    finite = np.abs(wanted[np.isfinite(wanted)])
    tolerance = TOLERANCES[kind] * factor
    scale = max(1.0, finite.max()) if finite.size else 1.0
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale)


def _both(xp: Any, name: str, *arguments: Any) -> Iterator[tuple[Any, Any]]:
    """Results on the device and of the formula on the host, as NumPy's arrays, one by one."""
    there = [xp.from_host(a, 0) if isinstance(a, np.ndarray) else a for a in arguments]
    found, wanted = getattr(xp, name)(*there), formula(CPU.xp, name)(*arguments)
    if not isinstance(found, tuple):
        found, wanted = (found,), (wanted,)
    for a, b in zip(found, wanted, strict=True):
        yield xp.to_host(a), np.asarray(b)


@pytest.fixture
def launched(xp: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the kernels that are launched."""
    names: list[str] = []
    for module in ("_cupy_fused", "_cupy_scatter"):
        home = importlib.import_module(f"devgrad.device.{module}")
        get: Callable[..., Any] = home.kernel

        def told(source: str, name: str, get: Callable[..., Any] = get) -> Any:
            names.append(name)
            return get(source, name)

        monkeypatch.setattr(home, "kernel", told)
    return names


SHAPES = [((1, 1), 1), ((3, 7), 1), ((3, 7), 0), ((2, 33, 5), 1), ((300,), 0), ((2, 1031), 1),
          ((41, 3), 0), ((2, 3, 4, 5), 2)]  # fmt: skip


# --- softmax and its like -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(xp: Any, launched: list[str], name: str, shape: Any, dim: int, kind: str) -> None:
    x, g = _random(0, shape, kind) * 30, _random(1, shape, kind)
    for found, wanted in _both(xp, name, x, dim):
        _agree(found, wanted, kind)
    y = formula(CPU.xp, name)(x, dim)
    for found, wanted in _both(xp, f"{name}_backward", g, y, dim):
        _agree(found, wanted, kind)
    assert launched == [f"{name}_{kind}", f"{name}_backward_{kind}"]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_extremes(xp: Any, name: str) -> None:
    rows = [[-math.inf, 0.0, 1.0], [math.inf, 0.0, 1.0], [math.nan, 0.0, 1.0], [-math.inf] * 3,
            [1e30, -1e30, 1e30], [88.0, 104.0, -104.0], [0.0, 1.0, math.nan]]  # fmt: skip
    x = np.array(rows, np.float32)
    function = getattr(torch, name)
    (found, _), = _both(xp, name, x, 1)  # fmt: skip
    _agree(found, function(torch.from_numpy(x), 1).numpy(), "float32")


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "kind"), [((0, 3), "float32"), ((3, 0), "float64"),
                                             ((3, 4), "float16"), ((), "float32")])  # fmt: skip
def test_softmax_without_a_kernel(
    xp: Any, launched: list[str], name: str, shape: Any, kind: str
) -> None:
    x = _random(0, shape, "float64").astype(kind)
    for found, wanted in _both(xp, name, x, max(len(shape) - 1, 0)):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
        assert found.dtype == wanted.dtype
    assert not launched


# --- activations ----------------------------------------------------------------------------------

ACTIVATIONS = [("silu", ()), ("gelu", (False,)), ("gelu", (True,))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
@pytest.mark.parametrize("shape", [(1,), (3, 5, 7), (1031,)])
def test_activations(
    xp: Any, launched: list[str], name: str, options: Any, shape: Any, kind: str
) -> None:
    x, g = _random(0, shape, kind) * 4, _random(1, shape, kind)
    for found, wanted in _both(xp, name, x, *options):
        _agree(found, wanted, kind)
    for found, wanted in _both(xp, f"{name}_backward", g, x, *options):
        _agree(found, wanted, kind)
    assert len(launched) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_activations_of_extremes(xp: Any, name: str, options: Any, kind: str) -> None:
    x = _with_extremes(_random(0, (4, 20), kind))
    for found, wanted in _both(xp, name, x, *options):
        _agree(found, wanted, kind)
    for found, wanted in _both(xp, f"{name}_backward", np.ones_like(x), x, *options):
        _agree(found, wanted, kind)


# --- cross entropy --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("shape", "target"), [((5,), ()), ((1, 1), (1,)), ((37, 11), (37,)),
                                               ((3, 40, 5, 2), (3, 5, 2))])  # fmt: skip
def test_cross_entropy(
    xp: Any, launched: list[str], shape: Any, target: Any, weighted: bool, reduction: str, kind: str
) -> None:
    x = _random(0, shape, kind) * 20
    classes = shape[0 if len(shape) == 1 else 1]
    chosen = np.random.default_rng(2).integers(0, classes, target)
    chosen = np.where(np.arange(chosen.size).reshape(target) % 5 == 1, -100, chosen)
    weight = np.abs(_random(3, (classes,), kind)) if weighted else None
    options = (weight, reduction, -100)
    for found, wanted in _both(xp, "cross_entropy", x, chosen, *options):
        _agree(found, wanted, kind, 4)
    _, probabilities = formula(CPU.xp, "cross_entropy")(x, chosen, *options)
    g = _random(4, target if reduction == "none" else (), kind)
    for found, wanted in _both(
        xp, "cross_entropy_backward", np.asarray(g), x, probabilities, chosen, *options
    ):
        _agree(found, wanted, kind, 4)
    assert f"cross_entropy_{kind}" in launched
    assert f"cross_entropy_backward_{kind}" in launched


def test_cross_entropy_ignores_what_is_infinite(xp: Any) -> None:
    x = np.array([[math.nan, 1.0], [math.inf, 0.0], [0.0, 1.0], [-math.inf, 0.0]], np.float32)
    target = np.array([-1, -1, 0, 1])
    for found, wanted in _both(xp, "cross_entropy", x, target, None, "mean", -1):
        _agree(found, wanted, "float32")
    _, shares = formula(CPU.xp, "cross_entropy")(x, target, None, "mean", -1)
    g = np.ones((), np.float32)
    (slope, wanted), = _both(
        xp, "cross_entropy_backward", g, x, shares, target, None, "mean", -1
    )  # fmt: skip
    _agree(slope, wanted, "float32")
    assert np.isfinite(slope).all()


def test_cross_entropy_of_nothing_that_counts(xp: Any) -> None:
    x, target = np.ones((2, 3), np.float32), np.array([-100, -100])
    (loss, wanted), _ = _both(xp, "cross_entropy", x, target, None, "mean", -100)
    assert math.isnan(loss)
    assert math.isnan(wanted)


# --- normalisation --------------------------------------------------------------------------------

F = devgrad.nn.functional
NORMALISATIONS: dict[str, tuple[Any, Any, Callable[..., Any]]] = {
    "layer": ((5, 7), (7,), lambda f, x, w, b: f.layer_norm(x, (7,), w, b)),
    "layer, long": ((2, 1031), (1031,), lambda f, x, w, b: f.layer_norm(x, (1031,), w, b)),
    "layer of two": ((3, 4, 5), (4, 5), lambda f, x, w, b: f.layer_norm(x, (4, 5), w, b)),
    "layer of all": ((9,), (9,), lambda f, x, w, b: f.layer_norm(x, (9,), w, b)),
    "rms": ((4, 2, 9), (9,), lambda f, x, w, b: f.rms_norm(x, (9,), w) + b),
    "batch": ((37, 5), (5,), lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True)),
    "batch 2d": ((3, 5, 4, 7), (5,), lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True)),
    "group": ((3, 6, 5), (6,), lambda f, x, w, b: f.group_norm(x, 2, w, b)),
    "instance": ((3, 4, 11), (4,), lambda f, x, w, b: f.instance_norm(x, None, None, w, b)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalisation(xp: Any, launched: list[str], name: str, affine: bool, kind: str) -> None:
    shape, of_weight, function = NORMALISATIONS[name]
    arrays = (
        _random(0, shape, kind) * 3 + 1,
        _random(1, of_weight, kind),
        _random(2, of_weight, kind),
    )
    g = _random(3, shape, kind)
    results = []
    for lib in (devgrad, torch):
        x, w, b = (lib.tensor(a, requires_grad=True) for a in arrays)
        no_bias = lib.tensor(0.0) if name == "rms" else None
        out = function(lib.nn.functional, x, *((w, b) if affine else (None, no_bias)))
        out.backward(lib.tensor(g))
        results.append([numpy_of(v) for v in (out, x.grad, *((w.grad, b.grad) if affine else ()))])
    for found, wanted in zip(*results, strict=True):
        _agree(found, wanted, kind, 20)
    used = ["standardize", "standardize_backward", "standardize_weight_backward"]
    assert set(launched) == {f"{n}_{kind}" for n in used[: 3 if affine else 2]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 4, 7)])
def test_normalisation_by_given_statistics(
    xp: Any, launched: list[str], shape: Any, affine: bool, kind: str
) -> None:
    arrays = _random(0, shape, kind), *(np.abs(_random(i, (3,), kind)) for i in range(1, 5))
    results = []
    for lib in (devgrad, torch):
        x, mean, var, w, b = (lib.tensor(a, requires_grad=i == 0) for i, a in enumerate(arrays))
        if not affine:
            w = b = None
        out = lib.nn.functional.batch_norm(x, mean, var, w, b)
        (out * out).sum().backward()
        results.append([numpy_of(out), numpy_of(x.grad)])
    for found, wanted in zip(*results, strict=True):
        _agree(found, wanted, kind, 20)
    assert launched == [f"normalize_by_{kind}"]


def test_normalisation_without_a_kernel(xp: Any, launched: list[str]) -> None:
    x = devgrad.ones(3, 4, dtype=devgrad.float16)
    assert devgrad.nn.functional.layer_norm(x, (4,)).dtype is devgrad.float16
    assert devgrad.nn.functional.layer_norm(devgrad.ones(0, 4), (4,)).shape == (0, 4)
    assert not launched


# --- optimizers -----------------------------------------------------------------------------------

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
]


def _trained(name: str, options: dict[str, Any], kind: str, where: str) -> tuple[list[Any], Any]:
    shapes = ((3, 5), (1031,), (), (0, 2), (7,))
    params = [
        devgrad.tensor(_random(i, s, kind), device=where, requires_grad=True)
        for i, s in enumerate(shapes)
    ]
    optimizer = getattr(devgrad.optim, name)(params, **options)
    for step in range(4):
        for i, (p, s) in enumerate(zip(params, shapes, strict=True)):
            p.grad = devgrad.tensor(_random(10 * step + i, s, kind), device=where)
        if step == 2:
            params[3].grad = None  # another set of parameters
        optimizer.step()
    return params, optimizer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_optimizers_bit_for_bit(
    xp: Any, launched: list[str], name: str, options: Any, kind: str
) -> None:
    found, one = _trained(name, options, kind, "cuda")
    wanted, other = _trained(name, options, kind, "cpu")
    for a, b in zip(found, wanted, strict=True):
        assert numpy_of(a).tobytes() == numpy_of(b).tobytes()
        assert list(one.state[a]) == list(other.state[b])
        for key, value in other.state[b].items():
            assert numpy_of(one.state[a][key]).tobytes() == numpy_of(value).tobytes(), key
    # Launched once for each step, for all parameters; the third has two sets at different steps.
    assert len(launched) == 4
    assert set(launched) == {f"{'sgd' if name == 'SGD' else 'adam'}_{kind}"}


def test_optimizers_take_what_lies_otherwise(xp: Any, launched: list[str]) -> None:
    """A parameter with gaps, whose memory a kernel does not know, is updated by the rule."""
    results = []
    for where in ("cuda", "cpu"):
        whole = devgrad.tensor(_random(0, (4, 6), "float32"), device=where)
        p = whole.t().detach().requires_grad_()
        q = devgrad.ones(3, device=where, requires_grad=True)
        p.grad, q.grad = devgrad.ones(6, 4, device=where), devgrad.ones(3, device=where)
        devgrad.optim.Adam([p, q]).step()
        results.append([numpy_of(p), numpy_of(q)])
    for a, b in zip(*results, strict=True):
        assert a.tobytes() == b.tobytes()
    assert not launched


def test_complex_parameters(xp: Any, launched: list[str]) -> None:
    results = []
    for where in ("cuda", "cpu"):
        p = devgrad.tensor([1 + 2j, 3 - 1j], device=where, requires_grad=True)
        p.grad = devgrad.tensor([1j, 2.0 + 0j], device=where)
        devgrad.optim.Adam([p], lr=0.1).step()
        results.append(numpy_of(p))
    assert results[0].tobytes() == results[1].tobytes()
    assert launched == ["adam_float32"]


def test_the_table_is_kept(xp: Any) -> None:
    """As long as gradients lie where they lay, nothing is copied to the device."""
    p = devgrad.ones(5, device="cuda", requires_grad=True)
    p.grad = devgrad.ones(5, device="cuda")
    optimizer = devgrad.optim.SGD([p], lr=0.5)
    optimizer.step()
    ((_, (pieces,)),) = optimizer._plans.values()
    table = pieces.table["table"]
    optimizer.step()
    assert pieces.table["table"] is table
    p.grad = devgrad.ones(5, device="cuda")
    kept = p.grad
    optimizer.step()
    assert pieces.table["table"] is not table
    assert numpy_of(p).tolist() == [-0.5] * 5
    assert kept.tolist() == [1.0] * 5


# --- sums at indices ------------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["atomic", "sorted"])
def deterministic(request: pytest.FixtureRequest) -> Iterator[bool]:
    devgrad.use_deterministic_algorithms(request.param)
    try:
        yield request.param
    finally:
        devgrad.use_deterministic_algorithms(False)


SCATTERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "embedding": lambda lib, x, i: lib.nn.functional.embedding(i, x),
    "index_select": lambda lib, x, i: lib.index_select(x, 1, i % 7),
    "rows": lambda lib, x, i: x[i],
    "pairs": lambda lib, x, i: x[i, i % 7],
    "negative": lambda lib, x, i: x[:, i % 7 - 7],
    "apart": lambda lib, x, i: x.reshape(11, 7, 1)[i, :, i * 0],
    "gather": lambda lib, x, i: lib.gather(x, 0, i.reshape(-1, 1).expand(-1, 5)),
    "unfolded": lambda lib, x, i: x.unfold(0, 3, 1),
    "mask": lambda lib, x, i: x[x > 0],
}


@pytest.mark.parametrize("kind", ["float32", "float64", "complex64", "float16"])
@pytest.mark.parametrize("name", SCATTERS)
def test_gradients_at_indices(
    xp: Any, launched: list[str], deterministic: bool, name: str, kind: str
) -> None:
    if kind == "complex64" and name in ("mask", "embedding"):
        pytest.skip("not for complex numbers in PyTorch")
    index = np.random.default_rng(0).integers(0, 11, 40)
    values = _random(0, (11, 7), "float64").astype(kind)
    results = []
    for lib in (devgrad, torch):
        x = lib.tensor(values, requires_grad=True)
        out = SCATTERS[name](lib, x, lib.tensor(index))
        g = _random(1, tuple(out.shape), "float64").astype(kind)
        out.backward(lib.tensor(g))
        results.append(numpy_of(x.grad))
    tolerance = {"float16": 2e-2, "float64": 1e-13}.get(kind, 1e-5)
    np.testing.assert_allclose(*results, rtol=tolerance, atol=tolerance)
    names = {n.rpartition("_")[0] for n in launched}
    assert names <= ({"add_sorted"} if deterministic else {"add_at"})
    if name in ("embedding", "index_select", "rows", "gather") and (deterministic or kind in KINDS):
        assert names


def test_sums_at_indices_in_place(xp: Any, deterministic: bool) -> None:
    """Into memory with gaps, and of one row that all go to."""
    index = np.zeros(1000, np.int64)
    for lib, keep in ((devgrad, []), (torch, [])):  # type: ignore[var-annotated]
        target = lib.zeros(3, 8, dtype=lib.float64)[:, ::2]
        target.index_add_(0, lib.tensor(index), lib.tensor(_random(0, (1000, 4), "float64")))
        keep.append(numpy_of(target))
        if lib is devgrad:
            found = keep[0]
    np.testing.assert_allclose(found, keep[0], rtol=1e-12)


def test_sums_of_integers_and_of_nothing(xp: Any, deterministic: bool) -> None:
    empty = devgrad.zeros(0, dtype=devgrad.int64)
    whole = devgrad.zeros(3, 2).index_add(0, empty, devgrad.zeros(0, 2))
    assert whole.tolist() == [[0.0, 0.0]] * 3
    counts = devgrad.zeros(3, dtype=devgrad.int64)
    index = devgrad.tensor([0, 2, 2])
    assert counts.scatter_add(0, index, devgrad.ones(3, dtype=devgrad.int64)).tolist() == [1, 0, 2]


def test_weighted_bincount(xp: Any, deterministic: bool) -> None:
    x, weights = np.array([0, 3, 3, 1]), np.array([0.5, 1.0, 2.0, 4.0], np.float32)
    found = devgrad.bincount(devgrad.tensor(x), devgrad.tensor(weights), minlength=6)
    wanted = torch.bincount(torch.tensor(x), torch.tensor(weights), minlength=6)
    assert found.tolist() == wanted.tolist()
    assert str(found.dtype) == str(wanted.dtype)


@pytest.mark.parametrize(("call", "error"), [
    (lambda lib: lib.use_deterministic_algorithms(1), TypeError),
    (lambda lib: lib.set_deterministic_debug_mode("loud"), RuntimeError),
    (lambda lib: lib.set_deterministic_debug_mode(3), RuntimeError),
    (lambda lib: lib.set_deterministic_debug_mode(None), TypeError),
])  # fmt: skip
@pytest.mark.host_only("a switch")
def test_refused_modes(call: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call(torch)
    with pytest.raises(error):
        call(devgrad)


@pytest.mark.host_only("a switch")
def test_modes_are_pytorchs() -> None:
    def seen(lib: Any) -> tuple[Any, ...]:
        return (
            lib.are_deterministic_algorithms_enabled(),
            lib.is_deterministic_algorithms_warn_only_enabled(),
            lib.get_deterministic_debug_mode(),
        )

    for lib in (torch, devgrad):
        assert seen(lib) == (False, False, 0)
    try:
        for lib in (torch, devgrad):
            lib.use_deterministic_algorithms(True, warn_only=True)
        assert seen(devgrad) == seen(torch) == (True, True, 1)
        for mode in ("error", "warn", "default", 2, 1, 0):
            for lib in (torch, devgrad):
                lib.set_deterministic_debug_mode(mode)
            assert seen(devgrad) == seen(torch)
    finally:
        for lib in (torch, devgrad):
            lib.use_deterministic_algorithms(False)


# --- arrays with gaps -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_with_gaps(xp: Any, launched: list[str], kind: str) -> None:
    """Operands whose elements lie in another order, or are one number repeated."""
    array = _random(0, (9, 2, 6), kind) * 3
    chosen = np.arange(12).reshape(6, 2).T % 9
    functions: list[Callable[[Any, Any], Any]] = [
        lambda f, x: f.softmax(x, 1), lambda f, x: f.log_softmax(x, 2), lambda f, x: f.gelu(x),
        lambda f, x: f.silu(x), lambda f, x: f.layer_norm(x, (9,), x[0, 0]),
        lambda f, x: f.batch_norm(x, None, None, x[0, :, 0], x[0, :, 1], True),
    ]  # fmt: skip
    for function in functions:
        results = []
        for lib in (devgrad, torch):
            x = lib.tensor(array, requires_grad=True)
            moved = x.permute(1, 2, 0)
            out = function(lib.nn.functional, moved)
            (out + out * 0.5).sum().backward()
            results.append([numpy_of(out), numpy_of(x.grad)])
        for found, wanted in zip(*results, strict=True):
            _agree(found, wanted, kind, 40)
    results = []
    for lib in (devgrad, torch):
        x, target = lib.tensor(array, requires_grad=True), lib.tensor(chosen)
        losses = lib.nn.functional.cross_entropy(x.permute(1, 0, 2), target, reduction="none")
        losses.sum().backward()
        results.append([numpy_of(losses), numpy_of(x.grad)])
    for found, wanted in zip(*results, strict=True):
        _agree(found, wanted, kind, 4)
    assert len(launched) >= 2 * len(functions) + 2


# --- waiting --------------------------------------------------------------------------------------


def test_nothing_waits(device: str, deterministic: bool) -> None:
    """A training step through all kernels looks at no number."""
    if device != "cuda" or not resolve("cuda").xp.device_name(0).startswith("the stand-in"):
        pytest.skip("the stand-in counts what waits")
    import cuda_stand_in

    x = devgrad.randn(6, 4, 8, device=device)
    weight, bias = (devgrad.ones(8, device=device, requires_grad=True) for _ in "wb")
    table = devgrad.randn(9, 8, device=device, requires_grad=True)
    index = devgrad.tensor([[1, 2, 8, 1]] * 6, device=device)
    target = devgrad.tensor([0, 1, -100, 3, 4, 5], device=device)
    optimizer = devgrad.optim.AdamW([weight, bias, table])
    f = devgrad.nn.functional
    with cuda_stand_in.no_waits():
        y = f.layer_norm(x + f.embedding(index, table), (8,), weight, bias)
        y = f.batch_norm(f.dropout(f.silu(f.gelu(y)), 0.5), None, None, training=True)
        loss = f.cross_entropy(f.softmax(y, -1).sum(1), target)
        (loss + f.log_softmax(y, 1).mean()).backward()
        optimizer.step()
    assert bool(devgrad.isfinite(table).all())


# --- what the threads of a block do together ------------------------------------------------------


def _launch(source: str, name: str, grid: Any, block: Any, *arguments: Any) -> None:
    module = host_kernels.RawModule(_kernels.source(source), options=_kernels.OPTIONS, threads=True)
    given = [np.int64(a) if isinstance(a, int) else a for a in arguments]
    given = [np.uint64(0) if a is None else a for a in given]
    module.get_function(name)(grid, block, tuple(given))


BLOCKS = [(1, 1), (1, 8), (4, 1), (2, 4)]


@pytest.mark.host_only("threads of the host")
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("grid", [(1,), (3,)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_teams_of_softmax(name: str, grid: Any, block: Any) -> None:
    """Rows that do not divide among the teams, and numbers that do not among the threads."""
    for shape, dim in (((5, 13), 1), ((2, 13, 5), 1)):
        x, g = _random(0, shape, "float64") * 9, _random(1, shape, "float64")
        n, inner = 13, math.prod(shape[dim + 1 :])
        rows = x.size // n
        out, back = np.full_like(x, 7), np.full_like(x, 7)
        _launch("softmax", f"{name}_float64", grid, block, x, out, rows, n, inner)
        _agree(out, formula(CPU.xp, name)(x, dim), "float64")
        _launch("softmax", f"{name}_backward_float64", grid, block, g, out, back, rows, n, inner)
        _agree(back, formula(CPU.xp, f"{name}_backward")(g, out, dim), "float64")


@pytest.mark.host_only("threads of the host")
@pytest.mark.parametrize("block", BLOCKS)
def test_teams_of_cross_entropy(block: Any) -> None:
    x, weight = _random(0, (7, 11), "float64") * 9, np.abs(_random(1, (11,), "float64"))
    target = np.array([3, 10, -100, 0, 3, -100, 7])
    probabilities, losses, scales = np.empty_like(x), np.empty(7), np.empty(7)
    _launch("cross_entropy", "cross_entropy_float64", (2,), block, x, target, weight,
            probabilities, losses, scales, 7, 11, 1, -100)  # fmt: skip
    loss, divisor, out = np.empty(1), np.empty(1), np.full_like(x, 7)
    team = (1, block[1])
    _launch("cross_entropy", "reduced_loss_float64", (1,), team, losses, scales, loss, 7)
    _launch("cross_entropy", "weight_of_targets_float64", (1,), team, target, weight, divisor, 7,
            11, -100)  # fmt: skip
    wanted, shares = formula(CPU.xp, "cross_entropy")(x, target, weight, "mean", -100)
    _agree(loss, np.array([wanted]), "float64")
    _agree(probabilities, shares, "float64")
    _agree(divisor, scales.sum(keepdims=True), "float64")
    g = np.array([1.5])
    _launch("cross_entropy", "cross_entropy_backward_float64", (2,), block, g, probabilities,
            target, weight, divisor, out, 0, 7, 11, 1, -100)  # fmt: skip
    slope = formula(CPU.xp, "cross_entropy_backward")
    _agree(out, slope(g[0], x, shares, target, weight, "mean", -100), "float64")


@pytest.mark.host_only("threads of the host")
@pytest.mark.parametrize("block", BLOCKS)
def test_teams_of_normalisation(block: Any) -> None:
    """Batch normalisation: rows in parts, one number of the scale for each."""
    x, g = _random(0, (5, 3, 7), "float64"), _random(1, (5, 3, 7), "float64")
    weight, bias = _random(2, (3,), "float64"), _random(3, (3,), "float64")
    layout = _layout_of((5, 3, 7), (0, 2), (3, 1), 1e-5)
    numbers = (3, 5, 7, 21, 3, 1, 35)
    out, back, of_weight = np.empty_like(x), np.empty_like(x), np.empty(3)
    mean, r, var = np.empty(3), np.empty(3), np.empty(3)
    _launch("standardize", "standardize_float64", (2,), block, x, weight, bias, out, mean, r, var,
            np.float64(1e-5), 1, *numbers)  # fmt: skip
    wanted = formula(CPU.xp, "standardize")(x, weight, bias, layout)
    for a, b in zip((out, mean, r, var), wanted, strict=True):
        _agree(a, b.reshape(a.shape), "float64", 4)
    _launch("standardize", "standardize_backward_float64", (2,), block, g, x, weight, mean, r,
            back, 1, *numbers)  # fmt: skip
    slope = formula(CPU.xp, "standardize_backward")(g, x, weight, *wanted[1:3], layout)
    _agree(back, slope, "float64", 4)
    _launch("standardize", "standardize_weight_backward_float64", (2,), block, g, x, mean, r,
            of_weight, 1, *numbers)  # fmt: skip
    slope = formula(CPU.xp, "standardize_weight_backward")(g, x, *wanted[1:3], layout, (3,))
    _agree(of_weight, slope, "float64", 4)


def _layout_of(*arguments: Any) -> Any:
    return importlib.import_module("devgrad.ops._standardize").Layout(*arguments)


@pytest.mark.host_only("threads of the host")
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("name", ["add_at", "add_sorted"])
def test_teams_of_sums(name: str, block: Any) -> None:
    places = np.random.default_rng(0).integers(0, 6, 29)
    values, target = _random(0, (2, 29, 5), "float64"), _random(1, (2, 6, 5), "float64")
    wanted = target.copy()
    np.add.at(wanted, (slice(None), places), values)
    if name == "add_at":
        arguments: tuple[Any, ...] = (target, places - 6, values)  # from behind: they wrap
        block = (block[0] * block[1], 1)
    else:
        order = places.argsort(kind="stable")
        arguments = (target, places[order], order, values)
    _launch("scatter", f"{name}_float64", (3,), block, *arguments, 2, 29, 6, 5)
    _agree(target, wanted, "float64", 4)


@pytest.mark.host_only("threads of the host")
def test_teams_of_optimizers() -> None:
    """A grid in two dimensions: parameters, and elements of each."""
    arrays = [_random(i, (n,), "float32") for i, n in enumerate((11, 3, 1, 2, 11, 3, 1, 2))]
    params, grads = arrays[:4], arrays[4:]
    wanted = [p - g * np.float32(0.5) for p, g in zip(params, grads, strict=True)]
    table = np.array(
        [(p.ctypes.data, g.ctypes.data, 0, p.size) for p, g in zip(params, grads, strict=True)]
    )
    numbers = [np.float32(n) for n in (0.5, 0, 0, 0)]
    _launch("optimizers", "sgd_float32", (2, 3), (4, 1), table, 4, None, 0, *numbers)
    for p, w in zip(params, wanted, strict=True):
        assert p.tobytes() == w.tobytes()


@pytest.mark.host_only("names")
def test_every_formula_has_a_kernel() -> None:
    """By its name, so that the tests above are complete."""
    kernels = {n.rpartition("_")[0] for s in _kernels.names() for n in _kernels.functions(s)}
    assert set(FORMULAS) <= kernels
