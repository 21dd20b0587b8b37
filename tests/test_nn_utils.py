"""``nn.utils``: clipping, vectors, parametrizations, calls with other parameters."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch
from placement import placed

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def numbers(lib: Any, *shape: int, seed: int = 0, dtype: str = "float64") -> Any:
    return placed(lib, np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def with_gradients(lib: Any, scale: float = 3.0, dtype: str = "float64") -> list[Any]:
    params = [numbers(lib, *s, dtype=dtype).requires_grad_() for s in [(3, 4), (5,), (2, 2)]]
    for k, p in enumerate(params[:2]):
        p.grad = numbers(lib, *p.shape, seed=k + 1, dtype=dtype) * scale
    return params


# --- clipping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
@pytest.mark.parametrize("order", [2.0, 1.0, 3, 0.5, 0.0, math.inf, -math.inf])
def test_clip_grad_norm(order: float, max_norm: float, dtype: str) -> None:
    def program(lib: Any) -> Any:
        params = with_gradients(lib, dtype=dtype)
        norm = lib.nn.utils.clip_grad_norm_(params, max_norm, norm_type=order)
        return norm, [p.grad for p in params]

    assert_agrees(program, rtol=1e-5 if dtype == "float32" else 1e-12)


def test_clip_grad_norm_of_whatever_is_given() -> None:
    def program(lib: Any) -> Any:
        params = with_gradients(lib)
        clip = lib.nn.utils.clip_grad_norm_
        kept = params[0].grad
        return (
            clip(params[0], 1.0), clip((p for p in params), 0.5), clip([], 1.0), kept,
            clip([params[2]], 1.0), lib.nn.utils.get_total_norm(params),
            lib.nn.utils.clip_grads_with_norm_(params, 0.1, lib.tensor(2.0)),
            [p.grad for p in params], clip((p for p in []), 1.0),
        )  # fmt: skip

    assert_agrees(program, rtol=1e-6)


def test_clip_complex_gradients() -> None:
    def program(lib: Any) -> Any:
        p = placed(lib, np.array([3 + 4j, 1j])).requires_grad_()
        p.grad = p.detach() * 2
        return lib.nn.utils.clip_grad_norm_(p, 1.0), p.grad

    assert_agrees(program, rtol=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_that_are_not_finite(bad: float) -> None:
    def program(lib: Any, refuse: bool) -> Any:
        params = with_gradients(lib)
        params[0].grad[0, 0] = bad
        norm = lib.nn.utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=refuse)
        return norm, [p.grad for p in params]

    assert_agrees(lambda lib: program(lib, False), rtol=1e-9)
    assert isinstance(assert_agrees(lambda lib: program(lib, True)), RuntimeError)


def test_clip_grad_value() -> None:
    def program(lib: Any) -> Any:
        params = with_gradients(lib)
        lib.nn.utils.clip_grad_value_(params, 0.7)
        lib.nn.utils.clip_grad_value_(params[0], 0.2)
        return [p.grad for p in params]

    assert_agrees(program)


def test_clipping_counts_as_a_change_in_place() -> None:
    p = devgrad.ones(2, requires_grad=True)
    p.grad = devgrad.ones(2)
    before = p.grad._version
    devgrad.nn.utils.clip_grad_norm_(p, 0.1)
    devgrad.nn.utils.clip_grad_value_(p, 0.01)
    assert p.grad._version == before + 2


# --- vectors --------------------------------------------------------------------------------------


def test_parameters_to_vector_and_back() -> None:
    def program(lib: Any) -> Any:
        utils = lib.nn.utils
        params = [numbers(lib, *s).requires_grad_() for s in [(2, 3), (4,), (1, 1)]]
        vector = utils.parameters_to_vector(params)
        (vector * vector).sum().backward()
        utils.vector_to_parameters(vector.detach() * 2, params)
        return vector, [p.grad for p in params], params, [p.requires_grad for p in params]

    assert_agrees(program)
    assert_agrees(lambda lib: lib.nn.utils.vector_to_parameters([1.0], []))


# --- other parameters for a call ------------------------------------------------------------------


def tied(lib: Any) -> Any:
    class Tied(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = lib.nn.Linear(2, 2)
            self.b = lib.nn.Linear(2, 2)
            self.b.weight = self.a.weight
            self.register_buffer("shift", lib.zeros(2))

        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return self.b(self.a(x)) * scale + self.shift

    module = Tied()
    with lib.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_(lib.arange(p.numel()).view(p.shape) + k)
    return module


@pytest.mark.parametrize("tie", [True, False])
def test_functional_call(tie: bool) -> None:
    def program(lib: Any) -> Any:
        module, x = tied(lib), lib.ones(1, 2)
        weight = lib.full((2, 2), 3.0, requires_grad=True)
        call, given = lib.func.functional_call, {"a.weight": weight}
        results = [
            call(module, given, x, tie_weights=tie),
            call(module, given, (x,), {"scale": 2.0}, tie_weights=tie),
            call(module, ({"a.weight": weight}, {"shift": lib.ones(2)}), x, tie_weights=tie),
        ]
        results[0].sum().backward()
        return results, weight.grad, module.a.weight.grad, module(x), dict(module.state_dict())

    assert_agrees(program, rtol=1e-6)


CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "twice": lambda lib, m, call: call(m, ({"shift": lib.ones(2)},) * 2, lib.ones(1, 2)),
    "strict": lambda lib, m, call: call(m, {"shift": lib.ones(2)}, lib.ones(1, 2), strict=True),
    "strict with others": lambda lib, m, call: call(
        m, {**dict(m.named_parameters()), **dict(m.named_buffers()), "x": lib.ones(1)},
        lib.ones(1, 2), strict=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_functional_call_refusals(name: str) -> None:
    def program(lib: Any) -> Any:
        return CALLS[name](lib, tied(lib), lib.func.functional_call)

    assert isinstance(assert_agrees(program), Exception)


def test_functional_call_leaves_the_module_as_it_was_after_an_error() -> None:
    module = tied(devgrad)
    before = module.a.weight
    with pytest.raises(Exception, match=r".+"):
        devgrad.func.functional_call(module, {"a.weight": devgrad.ones(2, 2)}, "x")
    assert module.a.weight is before


def test_functional_call_by_its_former_name() -> None:
    def program(lib: Any) -> Any:
        given = {"a.weight": lib.zeros(2, 2)}
        return lib.nn.utils.stateless.functional_call(tied(lib), given, lib.ones(1, 2))

    assert_agrees(program)


# --- parametrizations -----------------------------------------------------------------------------


def linear(lib: Any, n: int = 3, m: int = 4) -> Any:
    layer = lib.nn.Linear(n, m).double()
    with lib.no_grad():
        layer.weight.copy_(numbers(lib, m, n))
        layer.bias.copy_(numbers(lib, m, seed=1))
    return layer


def symmetric(lib: Any) -> Any:
    class Symmetric(lib.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.triu() + x.triu(1).t()

        def right_inverse(self, x: Any) -> Any:
            return x.triu()

    return Symmetric()


def doubling(lib: Any, inverse: bool = True) -> Any:
    class Double(lib.nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2

    if inverse:
        Double.right_inverse = lambda self, x: x / 2
    return Double()


def test_parametrizing() -> None:
    def program(lib: Any) -> Any:
        parametrize = lib.nn.utils.parametrize
        layer = linear(lib, 3, 3)
        cls = type(layer)
        assert parametrize.register_parametrization(layer, "weight", symmetric(lib)) is layer
        seen = [layer.weight, layer.parametrizations.weight.original, repr(layer)]
        parametrize.register_parametrization(layer, "weight", doubling(lib))
        seen += [layer.weight, list(layer.state_dict()), [n for n, _ in layer.named_parameters()]]
        (layer(numbers(lib, 2, 3)) ** 2).sum().backward()
        seen += [layer.parametrizations.weight.original.grad]
        layer.weight = lib.ones(3, 3).double()
        seen += [layer.weight, layer.parametrizations.weight.original]
        seen += [parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias")]
        seen += [parametrize.type_before_parametrizations(layer) is cls, type(layer).__name__]
        with parametrize.cached():
            seen += [layer.weight is layer.weight]
        other = copy.deepcopy(layer)
        parametrize.remove_parametrizations(layer, "weight")
        seen += [layer.weight, type(layer) is cls, isinstance(layer.weight, lib.nn.Parameter)]
        parametrize.remove_parametrizations(other, "weight", leave_parametrized=False)
        return [*seen, other.weight, list(other.state_dict())]

    assert_agrees(program, rtol=1e-12)


def test_parametrizing_a_buffer_and_by_several_tensors() -> None:
    def program(lib: Any) -> Any:
        class Product(lib.nn.Module):
            def forward(self, a: Any, b: Any) -> Any:
                return a @ b

            def right_inverse(self, x: Any) -> Any:
                return x, lib.eye(x.shape[1], dtype=x.dtype)

        parametrize = lib.nn.utils.parametrize
        layer = linear(lib)
        layer.register_buffer("table", numbers(lib, 2, 2))
        parametrize.register_parametrization(layer, "table", doubling(lib))
        parametrize.register_parametrization(layer, "weight", Product())
        state = layer.state_dict()
        before = layer.weight
        parametrize.remove_parametrizations(layer, "weight")
        return dict(state), layer.table, before, type(layer.weight) is lib.nn.Parameter

    assert_agrees(program, rtol=1e-12)


def bad(lib: Any, change: Callable[[Any], Any]) -> Any:
    class Bad(lib.nn.Module):
        def forward(self, x: Any) -> Any:
            return change(x)

    return Bad()


PARAMETRIZING: dict[str, Callable[[Any, Any, Any], Any]] = {
    "no such": lambda lib, P, m: P.register_parametrization(m, "what", doubling(lib)),
    "shape": lambda lib, P, m: P.register_parametrization(m, "weight", bad(lib, lambda x: x[0])),
    "dtype": lambda lib, P, m: P.register_parametrization(
        m, "weight", bad(lib, lambda x: x.float())
    ),
    "no tensor": lambda lib, P, m: P.register_parametrization(m, "weight", bad(lib, lambda x: 1)),
    "second shape": lambda lib, P, m: P.register_parametrization(
        P.register_parametrization(m, "weight", doubling(lib)), "weight", bad(lib, lambda x: x[0])
    ),
    "assign without inverse": lambda lib, P, m: setattr(
        P.register_parametrization(m, "weight", doubling(lib, False)), "weight", lib.ones(4, 3)
    ),
    "assign another dtype": lambda lib, P, m: setattr(
        P.register_parametrization(m, "weight", doubling(lib)), "weight", lib.ones(4, 3)
    ),
    "remove nothing": lambda lib, P, m: P.remove_parametrizations(m, "weight"),
    "pickle": lambda lib, P, m: pickle.dumps(
        P.register_parametrization(m, "weight", doubling(lib))
    ),
    "empty list": lambda lib, P, m: P.ParametrizationList([], lib.ones(1)),
}


@pytest.mark.parametrize("name", PARAMETRIZING)
def test_parametrizing_refusals(name: str) -> None:
    def program(lib: Any) -> Any:
        PARAMETRIZING[name](lib, lib.nn.utils.parametrize, linear(lib))

    assert isinstance(assert_agrees(program), Exception)


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("old", [True, False])
def test_weight_norm(old: bool, dim: Any) -> None:
    def program(lib: Any) -> Any:
        utils = lib.nn.utils
        layer = linear(lib)
        make = utils.weight_norm if old else utils.parametrizations.weight_norm
        layer = make(layer, dim=dim)
        y = layer(numbers(lib, 2, 3, seed=5))
        (y * y).sum().backward()
        grads = {n: p.grad for n, p in layer.named_parameters()}
        state = dict(layer.state_dict())
        if old:
            utils.remove_weight_norm(layer)
        else:
            utils.parametrize.remove_parametrizations(layer, "weight")
        return y, grads, state, dict(layer.state_dict()), layer

    assert_agrees(program, rtol=1e-10)


def test_weight_norm_of_an_old_checkpoint() -> None:
    def program(lib: Any) -> Any:
        old = lib.nn.utils.weight_norm(linear(lib))
        new = lib.nn.utils.parametrizations.weight_norm(linear(lib))
        return repr(new.load_state_dict(old.state_dict())), new.weight

    assert_agrees(program, rtol=1e-12)


@pytest.mark.parametrize("old", [True, False])
def test_spectral_norm(old: bool, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")

    def program(lib: Any) -> Any:
        lib.manual_seed(3)
        utils = lib.nn.utils
        layer = linear(lib)
        make = utils.spectral_norm if old else utils.parametrizations.spectral_norm
        layer = make(layer, n_power_iterations=2)
        seen = []
        for _ in range(3):
            y = layer(numbers(lib, 2, 3, seed=5))
            seen.append(y)
        (y * y).sum().backward()
        layer.eval()
        seen.append(layer(numbers(lib, 2, 3, seed=5)))
        grads = {n: p.grad for n, p in layer.named_parameters()}
        state = layer.state_dict()
        if old:
            utils.remove_spectral_norm(layer)
            layer(numbers(lib, 2, 3))
        return seen, grads, dict(state), dict(state._metadata), dict(layer.state_dict())

    assert_agrees(program, rtol=1e-9)


@pytest.mark.parametrize("use", [True, False])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder", None])
@pytest.mark.parametrize("size", [(3, 3), (3, 5), (5, 3)])
def test_orthogonal(size: tuple[int, int], kind: Any, use: bool, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")

    def program(lib: Any) -> Any:
        lib.manual_seed(3)
        layer = linear(lib, *size)
        if kind == "householder" or use:
            with lib.no_grad():
                q, _ = lib.linalg.qr(numbers(lib, max(size), max(size), seed=4))
                layer.weight.copy_(q[: size[1], : size[0]])
        lib.nn.utils.parametrizations.orthogonal(layer, "weight", kind, use_trivialization=use)
        w = layer.weight
        (w * numbers(lib, *w.shape, seed=9)).sum().backward()
        return w, layer.parametrizations.weight.original.grad

    assert_agrees(program, rtol=1e-7)


def test_orthogonal_refusals() -> None:
    def program(lib: Any, *args: Any) -> Any:
        lib.nn.utils.parametrizations.orthogonal(linear(lib), *args)

    for args in (("bias",), ("weight", "other"), ("what",)):
        assert_agrees(lambda lib, args=args: program(lib, *args))


OLD: dict[str, Callable[[Any, Any, Any], Any]] = {
    "weight norm twice": lambda lib, u, m: u.weight_norm(u.weight_norm(m)),
    "no weight norm": lambda lib, u, m: u.remove_weight_norm(m),
    "spectral norm twice": lambda lib, u, m: u.spectral_norm(u.spectral_norm(m)),
    "no spectral norm": lambda lib, u, m: u.remove_spectral_norm(m),
    "no iterations": lambda lib, u, m: u.spectral_norm(m, n_power_iterations=0),
    "of no weight": lambda lib, u, m: u.parametrizations.spectral_norm(m, "what"),
    "of no dimension": lambda lib, u, m: u.parametrizations.spectral_norm(m, dim=5),
}


@pytest.mark.parametrize("name", OLD)
def test_norm_refusals(name: str) -> None:
    assert isinstance(
        assert_agrees(lambda lib: OLD[name](lib, lib.nn.utils, linear(lib))), Exception
    )
