"""Initialisation: the same seed gives PyTorch's numbers."""

from __future__ import annotations

from typing import Any

import pytest
from agreement import assert_agrees, torch

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

SHAPES = [(3, 4), (20, 30), (4, 3, 3), (6, 2, 3, 5), (1, 1)]
UNIFORM = {
    "uniform_": {}, "xavier_uniform_": {}, "kaiming_uniform_": {}, "constant_": {"val": 0.3},
    "ones_": {}, "zeros_": {},
}  # fmt: skip
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "uniform_": [{}, {"a": -2.0, "b": 3.0}],
    "normal_": [{}, {"mean": 3.0, "std": 0.1}],
    "constant_": [{"val": 0.3}],
    "ones_": [{}],
    "zeros_": [{}],
    "xavier_uniform_": [{}, {"gain": 2.0}],
    "xavier_normal_": [{}, {"gain": 0.5}],
    "kaiming_uniform_": [
        {}, {"a": 5**0.5}, {"mode": "fan_out", "nonlinearity": "relu"}, {"nonlinearity": "tanh"},
    ],
    "kaiming_normal_": [{}, {"mode": "fan_out"}, {"nonlinearity": "selu"}],
    "trunc_normal_": [
        {}, {"std": 0.02}, {"mean": 1.0, "a": 0.0, "b": 1.5}, {"a": 1.0, "b": 2.0},
        {"a": 3.0, "b": 5.0, "mean": 2.0},
    ],
    "orthogonal_": [{}, {"gain": 3.0}],
}  # fmt: skip
CASES = [
    (name, options, shape)
    for name, choices in OPTIONS.items() for options in choices for shape in SHAPES
]  # fmt: skip
EXACT = {"uniform_", "xavier_uniform_", "kaiming_uniform_", "constant_", "ones_", "zeros_"}


def _near(name: str, dtype: str) -> float:
    """How near the numbers must be: uniform ones are the same, of normal ones a last bit may
    differ, and an orthogonal matrix is computed."""
    if name in EXACT:
        return 0.0
    eps = {"float32": 1.2e-7, "float64": 2.3e-16}[dtype]
    return 200 * eps if name == "orthogonal_" else 4 * eps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options", "shape"), CASES, ids=str)
def test_same_numbers(name: str, options: dict[str, Any], shape: Any, dtype: str) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(11)
        tensor = lib.empty(shape, dtype=getattr(lib, dtype), requires_grad=True)
        returned = getattr(lib.nn.init, name)(tensor, **options)
        assert returned is tensor
        return tensor, tensor.grad_fn, lib.rand(2)  # and the stream goes on alike

    assert_agrees(program, rtol=_near(name, dtype))


@pytest.mark.parametrize("name", ["uniform_", "normal_", "kaiming_uniform_", "trunc_normal_"])
def test_generators(name: str) -> None:
    def program(lib: Any) -> Any:
        generator = lib.Generator().manual_seed(5)
        tensor = getattr(lib.nn.init, name)(lib.empty(5, 7), generator=generator)
        return tensor, lib.rand(1, generator=generator)

    assert_agrees(program, rtol=1e-6)


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9])
def test_sparse(sparsity: float) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(11)
        return lib.nn.init.sparse_(lib.empty(7, 5), sparsity)

    assert_agrees(program, rtol=5e-7)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 2, 3), (2, 3, 3, 4), (4, 4, 1, 2, 3), (6, 2, 2)])
def test_dirac(shape: Any, groups: int) -> None:
    assert_agrees(lambda lib: lib.nn.init.dirac_(lib.empty(shape), groups))


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)])
def test_eye(shape: Any) -> None:
    assert_agrees(lambda lib: lib.nn.init.eye_(lib.empty(shape)))


GAINS = [
    ("linear", None), ("conv2d", None), ("sigmoid", None), ("tanh", None), ("relu", None),
    ("leaky_relu", None), ("leaky_relu", 0.3), ("leaky_relu", 1), ("selu", None),
    ("leaky_relu", True), ("leaky_relu", "a"), ("swish", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "param"), GAINS)
def test_gains(name: str, param: Any) -> None:
    assert_agrees(lambda lib: lib.nn.init.calculate_gain(name, param))


REFUSED = {
    "one dimension": lambda lib: lib.nn.init.xavier_uniform_(lib.empty(3)),
    "one dimension for kaiming": lambda lib: lib.nn.init.kaiming_normal_(lib.empty(3)),
    "unknown mode": lambda lib: lib.nn.init.kaiming_uniform_(lib.empty(3, 3), mode="fan"),
    "eye of three dimensions": lambda lib: lib.nn.init.eye_(lib.empty(1, 1, 1)),
    "dirac of two": lambda lib: lib.nn.init.dirac_(lib.empty(1, 1)),
    "dirac of odd groups": lambda lib: lib.nn.init.dirac_(lib.empty(3, 1, 1), 2),
    "sparse of three": lambda lib: lib.nn.init.sparse_(lib.empty(1, 1, 1), 0.5),
    "orthogonal of one": lambda lib: lib.nn.init.orthogonal_(lib.empty(3)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    assert isinstance(assert_agrees(REFUSED[name]), ValueError)


def test_warnings() -> None:
    assert_agrees(lambda lib: lib.nn.init.kaiming_uniform_(lib.empty(0, 3)))
    assert_agrees(lambda lib: lib.nn.init.uniform(lib.zeros(0)))

    def far(lib: Any) -> Any:
        lib.manual_seed(0)
        return lib.nn.init.trunc_normal_(lib.empty(3), mean=-10.0)

    assert_agrees(far, rtol=1e-6)


def test_truncated_normal_numbers_over_what_is_not_filled_yet() -> None:
    weight = devgrad.full((50,), devgrad.nan)
    devgrad.nn.init.trunc_normal_(weight, a=1.0, b=2.0)
    assert bool(((weight >= 1) & (weight <= 2)).all())
