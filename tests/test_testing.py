"""`testing.assert_close` and `backends` against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import devgrad

torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")

PAIRS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "some elements": lambda t: (t.tensor([1.0, 2.0, 3.0]), t.tensor([1.0, 2.5, 3.1])),
    "matrices": lambda t: (t.ones(2, 3), t.tensor([[1.0, 1.0, 1.0], [1.0, 3.0, 1.0]])),
    "0-dim": lambda t: (t.tensor(1.0), t.tensor(2.0)),
    "near enough": lambda t: (t.tensor([1.0]), t.tensor([1.0 + 1e-6])),
    "double, not near enough": lambda t: (t.ones(1).double(), t.ones(1).double() + 1e-6),
    "dtypes": lambda t: (t.ones(2), t.ones(2).double()),
    "shapes": lambda t: (t.ones(3), t.ones(3, 1)),
    "integers": lambda t: (t.tensor([1, 2]), t.tensor([1, 3])),
    "booleans": lambda t: (t.tensor([True, False]), t.tensor([True, True])),
    "lists": lambda t: ([t.ones(2), t.ones(3)], [t.ones(2), t.ones(3) + 1]),
    "lengths": lambda t: ([t.ones(2)], [t.ones(2), t.ones(3)]),
    "mappings": lambda t: ({"x": [t.ones(2)]}, {"x": [t.ones(2) + 1]}),
    "keys": lambda t: ({"x": t.ones(2)}, {"y": t.ones(2)}),
    "numbers": lambda t: (1.0, 1.1),
    "equal numbers": lambda t: (2, 2),
    "nan": lambda t: (t.tensor([t.nan]), t.tensor([t.nan])),
    "a tensor and a list": lambda t: (t.ones(2), [1.0, 1.0]),
    "strings": lambda t: ("a", "a"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {}, "rtol alone": {"rtol": 1e-3}, "wide": {"rtol": 0.5, "atol": 1.0},
    "any dtype": {"check_dtype": False}, "nan": {"equal_nan": True}, "message": {"msg": "no"},
    "longer message": {"msg": lambda text: f"no: {text}"},
}  # fmt: skip


def outcome(lib: Any, pair: str, options: str) -> tuple[str, str]:
    try:
        lib.testing.assert_close(*PAIRS[pair](lib), **OPTIONS[options])
    except Exception as error:
        return type(error).__name__, str(error).replace("devgrad._tensor", "torch")
    return "", ""


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("pair", PAIRS)
def test_assert_close(pair: str, options: str) -> None:
    assert outcome(devgrad, pair, options) == outcome(torch, pair, options)


def test_switches_of_backends_may_be_set() -> None:
    devgrad.backends.cudnn.deterministic = True
    devgrad.backends.cudnn.benchmark = False
    devgrad.backends.cuda.matmul.allow_tf32 = True
    assert devgrad.backends.mps.is_available() is False
    assert devgrad.backends.cudnn.is_available() is False
