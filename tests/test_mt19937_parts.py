"""The parts of the CPU's random numbers: shuffles, exact arithmetic, and what needs no PyTorch."""

from __future__ import annotations

import doctest
import importlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devgrad.device import _distributions, _exact_math, _fisher_yates
from devgrad.device._exact_math import c_library, multiply_add_float32, multiply_add_float64
from devgrad.device._fisher_yates import shuffle, shuffle_backward
from devgrad.device._mt19937 import MersenneTwister


@pytest.mark.parametrize(
    "module",
    ["box_muller", "distributions", "exact_math", "fisher_yates", "mt19937", "rejection"],
)
def test_examples_in_docstrings(module: str) -> None:
    results = doctest.testmod(importlib.import_module(f"devgrad.device._{module}"))
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize("name", ["float16", "float32", "float64"])
def test_uniform_never_reaches_the_upper_bound(name: str) -> None:
    # 1 and 1 + 2 ulp: half of the numbers round to a bound.
    step = 2 * float(np.finfo(name).eps)
    drawn = MersenneTwister(0).uniform((1000,), name, 1.0, 1.0 + step)
    assert drawn.min() == 1.0
    assert drawn.max() < 1.0 + step


def test_rejection_stops_at_hopeless_parameters() -> None:
    generator = MersenneTwister(0)
    nan, tiny = np.array([math.nan]), np.array([1e-320])
    assert np.isnan(generator.binomial(nan, np.array([0.5])))
    assert generator.binomial(np.array([1e300]), tiny) == 0
    assert generator.poisson(np.array([math.inf]))[0] == -(2.0**63)  # PyTorch's overflow


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**32), max_size=60))
@example([])
def test_shuffle_is_the_loop_of_swaps(words: list[int]) -> None:
    n = len(words) + 1
    targets = [i + word % (n - i) for i, word in enumerate(words)]
    expected = list(range(n))
    for i, target in enumerate(targets):
        expected[i], expected[target] = expected[target], expected[i]
    assert shuffle(np.array(targets, np.int64)).tolist() == expected
    if targets:
        by_sorting = _fisher_yates._shuffle_by_sorting(np.array(targets, np.int64))
        assert by_sorting.tolist() == expected


@pytest.mark.parametrize("n", [2, 10, 513, 3000])
def test_backward_shuffle_is_the_loop_of_swaps(n: int) -> None:
    targets = MersenneTwister(n).random_((n,), "int64") % np.arange(1, n + 1)
    expected: list[int] = []
    for i, target in enumerate(targets.tolist()):
        expected.append(i)
        expected[i], expected[target] = expected[target], expected[i]
    assert shuffle_backward(targets).tolist() == expected


def test_a_long_randperm_takes_two_words_an_element(monkeypatch: pytest.MonkeyPatch) -> None:
    # Compared with PyTorch once at 2**32 // 20 elements, on both sides of the limit.
    monkeypatch.setattr(_distributions, "_BACKWARD_SHUFFLE", 600)
    for n in (599, 600):
        generator = MersenneTwister(3)
        assert sorted(generator.randperm(n, "int64").tolist()) == list(range(n))
        other = MersenneTwister(3)
        other._words(598 if n == 599 else 1200)
        np.testing.assert_array_equal(generator.get_state(), other.get_state())


DOUBLES = st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100)


@settings(max_examples=300, deadline=None)
@given(DOUBLES, DOUBLES, DOUBLES, st.booleans())
@example(0.1, 10.0, 1.0, True)
@example(-0.0, 5.0, 0.0, False)
def test_multiply_add_rounds_once(x: float, y: float, z: float, cancel: bool) -> None:
    if cancel:
        z = -(x * y)
    if not abs(z) < 1e200:
        return
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if exact and abs(exact) < Fraction(1, 10**250):
        return
    (ours,) = multiply_add_float64(np.array([x]), y, z)
    assert ours == float(exact)
    single = [float(np.float32(math.fmod(v, 1e9))) for v in (x, y, z)]
    (ours,) = multiply_add_float32(np.array(single[:1], np.float32), single[1], single[2])
    exact = Fraction(single[0]) * Fraction(single[1]) + Fraction(single[2])
    assert abs(float(ours) - float(exact)) <= 0.5000001 * float(np.spacing(np.float32(abs(exact))))


@pytest.mark.parametrize("name", ["log", "log1p", "exp", "sin", "cos", "tan"])
def test_c_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    low, high = _exact_math._PROBES[name]
    x = MersenneTwister(1).uniform((500,), "float64", low, high).reshape(20, 25)
    expected = [[getattr(math, name)(v) for v in row] for row in x.tolist()]
    np.testing.assert_array_equal(c_library(name)(x), expected)
    # and where NumPy's function is not equal:
    with monkeypatch.context() as patch:
        ufunc = getattr(np, name)
        patch.setattr(np, name, lambda v: np.nextafter(ufunc(v), np.inf))
        one_by_one = c_library.__wrapped__(name)
        np.testing.assert_array_equal(one_by_one(x), expected)


def test_c_library_takes_the_log_of_zero() -> None:
    one_by_one = c_library.__wrapped__
    for log in (c_library("log"), one_by_one("log")):
        with np.errstate(divide="ignore"):
            np.testing.assert_array_equal(log(np.array([1.0, 0.0])), [0.0, -math.inf])


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_normals_are_normal(name: str) -> None:
    drawn = np.sort(MersenneTwister(0).normal((20000,), name).astype(np.float64))
    exact = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in drawn])
    deviation = np.abs(exact - np.arange(20000) / 20000).max()
    assert deviation < 1.95 / math.sqrt(20000)  # Kolmogorov and Smirnov, at 0.1 per cent
