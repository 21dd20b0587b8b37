"""What the CPU's random functions refuse, and that they say so in PyTorch's words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from devgrad.device._mt19937 import MersenneTwister

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is the oracle of this test")

A = np.array
REFUSED: list[tuple[str, Callable[[MersenneTwister], Any], Callable[[Any, Any], Any]]] = [
    ("seed", lambda g: g.manual_seed(2**64), lambda t, g: g.manual_seed(2**64)),
    ("seed", lambda g: g.manual_seed(-(2**63) - 1), lambda t, g: g.manual_seed(-(2**63) - 1)),
    ("seed", lambda g: g.manual_seed(1.5), lambda t, g: g.manual_seed(1.5)),
    ("seed", lambda g: g.manual_seed(True), lambda t, g: g.manual_seed(True)),
    ("state", lambda g: g.set_state([1]), lambda t, g: g.set_state([1])),
    ("state", lambda g: g.set_state(A([1.0])), lambda t, g: g.set_state(t.ones(1))),
    ("state", lambda g: g.set_state(A([1], "uint8")),
     lambda t, g: g.set_state(t.ones(1, dtype=t.uint8))),
    ("state", lambda g: g.set_state(np.zeros(5056, "uint8")),
     lambda t, g: g.set_state(t.zeros(5056, dtype=t.uint8))),
    ("uniform", lambda g: g.uniform((3,), "float32", 2, 1), lambda t, g: t.empty(3).uniform_(2, 1)),
    ("uniform", lambda g: g.uniform((0,), "float32", 2, 1), lambda t, g: t.empty(0).uniform_(2, 1)),
    ("uniform", lambda g: g.uniform((3,), "float32", -1e39, 1),
     lambda t, g: t.empty(3).uniform_(-1e39, 1)),
    ("uniform", lambda g: g.uniform((3,), "float64", math.nan, 1),
     lambda t, g: t.empty(3, dtype=t.float64).uniform_(math.nan, 1)),
    ("uniform", lambda g: g.uniform((3,), "float16", -6e4, 6e4),
     lambda t, g: t.empty(3, dtype=t.float16).uniform_(-6e4, 6e4)),
    ("uniform", lambda g: g.uniform((3,), "float64", -1.7e308, 1.7e308),
     lambda t, g: t.empty(3, dtype=t.float64).uniform_(-1.7e308, 1.7e308)),
    ("uniform", lambda g: g.uniform((0,), "int64"),
     lambda t, g: t.empty(0, dtype=t.int64).uniform_()),
    ("normal", lambda g: g.normal((0,), "float32", 0, -1), lambda t, g: t.empty(0).normal_(0, -1)),
    ("normal", lambda g: g.normal((3,), "float32", 0, math.nan),
     lambda t, g: t.empty(3).normal_(0, math.nan)),
    ("normal", lambda g: g.normal((3,), "int64"), lambda t, g: t.empty(3, dtype=t.int64).normal_()),
    ("normal", lambda g: g.normal((2,), "float32", A([0.0, 0.0]), -1.0),
     lambda t, g: t.normal(t.zeros(2), -1.0)),
    ("normal", lambda g: g.normal((2,), "float32", 0.0, A([1.0, -1.0])),
     lambda t, g: t.normal(0.0, t.tensor([1.0, -1.0]))),
    ("normal", lambda g: g.normal((2,), "float32", 0.0, A([1j, 1.0])),
     lambda t, g: t.normal(t.zeros(2), t.tensor([1j, 1.0]))),
    ("randint", lambda g: g.randint(3, 3, (0,), "int64"), lambda t, g: t.randint(3, 3, (0,))),
    ("randint", lambda g: g.randint(0, 300, (2,), "uint8"),
     lambda t, g: t.randint(0, 300, (2,), dtype=t.uint8)),
    ("randint", lambda g: g.randint(-1, 3, (2,), "uint64"),
     lambda t, g: t.randint(-1, 3, (2,), dtype=t.uint64)),
    ("randint", lambda g: g.randint(0, 3, (2,), "bool"),
     lambda t, g: t.randint(0, 3, (2,), dtype=t.bool)),
    ("randint", lambda g: g.randint(-200, 3, (2,), "int8"),
     lambda t, g: t.randint(-200, 3, (2,), dtype=t.int8)),
    ("randint", lambda g: g.randint(0, 70000, (2,), "float16"),
     lambda t, g: t.randint(0, 70000, (2,), dtype=t.float16)),
    ("randint", lambda g: g.randint(0, 2**63, (2,), "int64"),
     lambda t, g: t.randint(0, 2**63, (2,))),
    ("randint", lambda g: g.randint(0, 5, (2,), "complex64"),
     lambda t, g: t.randint(0, 5, (2,), dtype=t.complex64)),
    ("random_", lambda g: g.random_((2,), "uint16"),
     lambda t, g: t.empty(2, dtype=t.uint16).random_()),
    ("random_", lambda g: g.random_((2,), "uint64", 0),
     lambda t, g: t.empty(2, dtype=t.uint64).random_(0, None)),
    ("random_", lambda g: g.random_((2,), "float32", 2**25),
     lambda t, g: t.empty(2).random_(2**25, None)),
    ("random_", lambda g: g.random_((2,), "uint8", 300),
     lambda t, g: t.empty(2, dtype=t.uint8).random_(300, None)),
    ("random_", lambda g: g.random_((2,), "complex64", 1),
     lambda t, g: t.empty(2, dtype=t.complex64).random_(1, None)),
    ("random_", lambda g: g.random_((2,), "uint8", -(2**63)),
     lambda t, g: t.empty(2, dtype=t.uint8).random_(-(2**63), None)),
    ("random_", lambda g: g.random_((2,), "float16", -(2**63)),
     lambda t, g: t.empty(2, dtype=t.float16).random_(-(2**63), None)),
    ("randperm", lambda g: g.randperm(-1, "int64"), lambda t, g: t.randperm(-1)),
    ("randperm", lambda g: g.randperm(257, "uint8"), lambda t, g: t.randperm(257, dtype=t.uint8)),
    ("randperm", lambda g: g.randperm(2**31 + 1, "int32"),
     lambda t, g: t.randperm(2**31 + 1, dtype=t.int32)),
    ("randperm", lambda g: g.randperm(3000, "float16"),
     lambda t, g: t.randperm(3000, dtype=t.float16)),
    ("randperm", lambda g: g.randperm(2**24 + 2, "float32"),
     lambda t, g: t.randperm(2**24 + 2, dtype=t.float32)),
    ("randperm", lambda g: g.randperm(3, "bool"), lambda t, g: t.randperm(3, dtype=t.bool)),
    ("bernoulli", lambda g: g.bernoulli(1.5, (0,), "float32"),
     lambda t, g: t.empty(0).bernoulli_(1.5)),
    ("bernoulli", lambda g: g.bernoulli(math.nan, (3,), "float32"),
     lambda t, g: t.empty(3).bernoulli_(math.nan)),
    ("bernoulli", lambda g: g.bernoulli(0.5, (3,), "complex64"),
     lambda t, g: t.empty(3, dtype=t.complex64).bernoulli_(0.5)),
    ("bernoulli", lambda g: g.bernoulli(A([0.5], "float32"), (3,), "uint16"),
     lambda t, g: t.empty(3, dtype=t.uint16).bernoulli_(t.tensor([0.5]))),
    ("bernoulli", lambda g: g.bernoulli(A([0.5, 1.5]), (2,), "float64"),
     lambda t, g: t.bernoulli(t.tensor([0.5, 1.5]))),
    ("bernoulli", lambda g: g.bernoulli(A([0.5, math.nan]), (2,), "float64"),
     lambda t, g: t.bernoulli(t.tensor([0.5, math.nan]))),
    ("bernoulli", lambda g: g.bernoulli(A([0, 1]), (2,), "int64"),
     lambda t, g: t.bernoulli(t.tensor([0, 1]))),
    ("bernoulli", lambda g: g.bernoulli(A([[0.5], [0.5]]), (4, 3), "float32"),
     lambda t, g: t.empty(4, 3).bernoulli_(t.tensor([[0.5], [0.5]]))),
    ("bernoulli", lambda g: g.bernoulli(A([[0.5], [0.5]], "float32"), (3,), "float32"),
     lambda t, g: t.empty(3).bernoulli_(t.tensor([[0.5], [0.5]]))),
    ("exponential", lambda g: g.exponential((0,), "float32", 0.0),
     lambda t, g: t.empty(0).exponential_(0.0)),
    ("exponential", lambda g: g.exponential((3,), "int64"),
     lambda t, g: t.empty(3, dtype=t.int64).exponential_()),
    ("cauchy", lambda g: g.cauchy((3,), "float32", 0, 0), lambda t, g: t.empty(3).cauchy_(0, 0)),
    ("cauchy", lambda g: g.cauchy((0,), "int64"), lambda t, g: t.empty(0, dtype=t.int64).cauchy_()),
    ("log_normal", lambda g: g.log_normal((3,), "float32", 0, 0),
     lambda t, g: t.empty(3).log_normal_(0, 0)),
    ("log_normal", lambda g: g.log_normal((3,), "int64"),
     lambda t, g: t.empty(3, dtype=t.int64).log_normal_()),
    ("geometric", lambda g: g.geometric((3,), "float32", 1.0),
     lambda t, g: t.empty(3).geometric_(1.0)),
    ("geometric", lambda g: g.geometric((3,), "bool", 0.5),
     lambda t, g: t.empty(3, dtype=t.bool).geometric_(0.5)),
    ("multinomial", lambda g: g.multinomial(np.ones(3), 0),
     lambda t, g: t.multinomial(t.ones(3), 0)),
    ("multinomial", lambda g: g.multinomial(np.ones(3), 4),
     lambda t, g: t.multinomial(t.ones(3), 4)),
    ("multinomial", lambda g: g.multinomial(A([1, 1]), 1),
     lambda t, g: t.multinomial(t.tensor([1, 1]), 1)),
    ("multinomial", lambda g: g.multinomial(np.ones((2, 2, 2)), 1),
     lambda t, g: t.multinomial(t.ones(2, 2, 2), 1)),
    ("multinomial", lambda g: g.multinomial(A([1, -1.0]), 1),
     lambda t, g: t.multinomial(t.tensor([1, -1.0]), 1)),
    ("multinomial", lambda g: g.multinomial(A([1, math.inf]), 3, True),
     lambda t, g: t.multinomial(t.tensor([1, math.inf]), 3, True)),
    ("multinomial", lambda g: g.multinomial(A([1, -1.0]), 3, True),
     lambda t, g: t.multinomial(t.tensor([1, -1.0]), 3, True)),
    ("multinomial", lambda g: g.multinomial(A([[1, 1], [math.nan, 1]]), 3, True),
     lambda t, g: t.multinomial(t.tensor([[1, 1], [math.nan, 1]]), 3, True)),
    ("multinomial", lambda g: g.multinomial(A([[0.0, 0], [-1, 1]]), 3, True),
     lambda t, g: t.multinomial(t.tensor([[0.0, 0], [-1, 1]]), 3, True)),
    ("multinomial", lambda g: g.multinomial(np.ones((3, 0)), 3, True),
     lambda t, g: t.multinomial(t.ones(3, 0), 3, True)),
    ("multinomial", lambda g: g.multinomial(A([1, math.nan]), 1),
     lambda t, g: t.multinomial(t.tensor([1, math.nan]), 1)),
    ("multinomial", lambda g: g.multinomial(A([[1.0, 1], [0, 0]]), 1),
     lambda t, g: t.multinomial(t.tensor([[1.0, 1], [0, 0]]), 1)),
    ("multinomial", lambda g: g.multinomial(np.ones((3, 0)), 1, True),
     lambda t, g: t.multinomial(t.ones(3, 0), 1, True)),
    ("multinomial", lambda g: g.multinomial(np.ones(2**24 + 1, "float16"), 1),
     lambda t, g: t.multinomial(t.ones(2**24 + 1, dtype=t.float16), 1)),
    ("poisson", lambda g: g.poisson(A([1.0, -1.0])), lambda t, g: t.poisson(t.tensor([1.0, -1.0]))),
    ("poisson", lambda g: g.poisson(A([math.nan])), lambda t, g: t.poisson(t.tensor([math.nan]))),
    ("poisson", lambda g: g.poisson(A([1])), lambda t, g: t.poisson(t.tensor([1]))),
    ("binomial", lambda g: g.binomial(A([1]), A([0.5])),
     lambda t, g: t.binomial(t.tensor([1]), t.tensor([0.5]))),
    ("binomial", lambda g: g.binomial(A([1.0], "float32"), A([0.5])),
     lambda t, g: t.binomial(t.ones(1), t.ones(1, dtype=t.float64))),
    ("binomial", lambda g: g.binomial(A([1.0], "float16"), A([0.5], "float16")),
     lambda t, g: t.binomial(t.ones(1, dtype=t.float16), t.ones(1, dtype=t.float16))),
    ("binomial", lambda g: g.binomial(np.ones(2), np.ones(3)),
     lambda t, g: t.binomial(t.ones(2), t.ones(3))),
]  # fmt: skip


@needs_torch
@pytest.mark.parametrize(("function", "ours", "theirs"), REFUSED)
def test_refusals_begin_with_pytorchs_words(function: str, ours: Any, theirs: Any) -> None:
    generator = MersenneTwister(0)
    before = generator.get_state()
    with pytest.raises(Exception) as expected:
        theirs(torch, torch.Generator())
    with pytest.raises(type(expected.value)) as raised:
        ours(generator)
    phrase = str(expected.value).split("\nException raised")[0].rstrip(". \n")
    assert str(raised.value).startswith(phrase)
    assert len(str(raised.value)) > len(phrase) + 12, "our own words are missing"
    np.testing.assert_array_equal(generator.get_state(), before)  # nothing was drawn


def test_a_state_with_impossible_counters_is_refused() -> None:
    for left, position in ((100, 100), (0, 0), (625, 0), (1, 625), (-3, 628)):
        state = MersenneTwister(0).get_state()
        state[8:12] = np.array([left], np.int32).view(np.uint8)
        state[16:24] = np.array([position], np.uint64).view(np.uint8)
        with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
            MersenneTwister(0).set_state(state)


@pytest.mark.parametrize(
    ("low", "high", "dtype", "bounds"),
    [
        (0, 5000, "float16", ["to - 1"]),
        (-(2**30), 2**30, "float32", ["from", "to - 1"]),
        (0, 2**60, "float64", ["to - 1"]),
    ],
)
def test_warnings_of_gaps_between_floats(
    low: int, high: int, dtype: str, bounds: list[str]
) -> None:
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        MersenneTwister(0).randint(low, high, (2,), dtype)
    assert [w.category for w in ours] == [UserWarning] * len(bounds)
    assert [str(w.message).split(" is out of bounds")[0] for w in ours] == bounds
    assert all(w.filename == __file__ for w in ours)
    if torch is not None:
        with warnings.catch_warnings(record=True) as theirs:
            warnings.simplefilter("always")
            torch.randint(low, high, (2,), dtype=getattr(torch, dtype))
        for our, their in zip(ours, theirs, strict=True):
            assert str(their.message).startswith(str(our.message))
