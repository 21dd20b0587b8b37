"""Functions that have a derivative by their second operand alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")


def derivatives(lib: Any, name: str) -> list[np.ndarray]:
    function: Any = lib
    for part in name.split("."):
        function = getattr(function, part)
    first = placed(lib, np.array([1.5, 2.0, 3.25]))
    second = placed(lib, np.array([[0.5, 1.0, 2.5], [3.0, 0.25, 1.75]])).requires_grad_()
    (once,) = lib.autograd.grad(function(first, second).sum(), second, create_graph=True)
    (twice,) = lib.autograd.grad((once * once).sum(), second)
    return [numpy_of(once), numpy_of(twice)]


@pytest.mark.parametrize("name", ["igamma", "igammac", "special.zeta"])
def test_first_and_second_derivative(name: str) -> None:
    for ours, theirs in zip(derivatives(devgrad, name), derivatives(torch, name), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_the_first_operand_has_no_derivative(name: str) -> None:
    for lib in (devgrad, torch):
        first = placed(lib, np.array([1.5])).requires_grad_()
        with pytest.raises((RuntimeError, NotImplementedError)):
            getattr(lib, name)(first, placed(lib, np.array([2.0]))).sum().backward()
