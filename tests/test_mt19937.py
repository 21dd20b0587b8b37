"""The CPU's random numbers are PyTorch's: the generator, its state and every distribution."""

from __future__ import annotations

import copy
import hashlib
import math
import pickle
import platform
import threading
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from devgrad.device import _fisher_yates
from devgrad.device._exact_math import c_library, multiply_add_float32, multiply_add_float64
from devgrad.device._fisher_yates import shuffle, shuffle_backward
from devgrad.device._mt19937 import DEFAULT_SEED, MersenneTwister

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is the oracle of this test")

FLOATS = ("float16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = ("uint8", *SIGNED)
COMPLEX = ("complex64", "complex128")


def pytorch_is_built_alike() -> bool:
    """Whether PyTorch runs the code of x86 with AVX2, and takes logarithms from Python's libm."""
    return (
        torch is not None
        and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
        and platform.libc_ver()[0] == "glibc"
    )


def assert_equal(ours: Any, theirs: Any, *, computed: bool = True) -> None:
    """Equal bit for bit; for what is computed by formulas, nearly so on another kind of machine."""
    if torch is not None and isinstance(theirs, torch.Tensor):
        theirs = theirs.numpy()
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.flags.c_contiguous
    if computed and ours.dtype.kind in "fc" and not pytorch_is_built_alike():
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_array_equal(bits(ours), bits(theirs))


def bits(array: Any) -> Any:
    """The array's bytes, so that -0 differs from 0, with all NaN alike."""
    array = np.where(np.isnan(array), np.nan, array).astype(array.dtype)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def both(seed: int) -> tuple[MersenneTwister, Any]:
    return MersenneTwister(seed), torch.Generator().manual_seed(seed)


def assert_same_state(ours: MersenneTwister, theirs: Any) -> None:
    np.testing.assert_array_equal(ours.get_state(), theirs.get_state().numpy())


# --- numbers made by torch 2.13 with torch.Generator().manual_seed(2147483647) -------------------

GOLDEN: dict[str, tuple[Callable[[MersenneTwister], Any], str]] = {
    "rand": (lambda g: g.uniform((70001,), np.float32), "RAND"),
}


# --- the generator -------------------------------------------------------------------------------
