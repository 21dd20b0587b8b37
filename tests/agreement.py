"""Programs that are run with PyTorch and with devgrad, and must do the same.

A program is a function of the library. What it returns is compared, or the error that it raises:
of the same class, and with PyTorch's text at the beginning of ours; and the warnings likewise.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import devgrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

Program = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """What a program returned, without either library's objects."""
    if hasattr(value, "detach"):
        return np.array(value.detach().cpu().numpy())
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, str):
        return _anywhere(value)
    if value is None or isinstance(value, (bool, int, float, complex)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value) if value.dtype.kind in "biufc" else value.tolist()
    return _anywhere(str(value))


def _anywhere(text: str) -> str:
    """The text as it would be of PyTorch and on the CPU."""
    text = text.replace(", device='cuda:0'", "").replace(" (cuda:0)", "")
    return text.replace("torch.cuda.", "torch.").replace("devgrad.", "torch.")


def outcome(program: Program, lib: Any) -> tuple[Any, list[tuple[str, str]]]:
    """What the program returned (or the error that it raised), and the warnings that it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plain(program(lib))
        except Exception as error:
            result = error
    told = [(w.category.__name__, str(w.message)) for w in caught]
    return result, told


def assert_same(ours: Any, theirs: Any, rtol: float, where: str = "result") -> None:
    assert type(ours) is type(theirs), f"{where}: {ours!r} is not {theirs!r}"
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), f"{where}: other keys"
        for key in theirs:
            assert_same(ours[key], theirs[key], rtol, f"{where}[{key!r}]")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), f"{where}: {len(ours)} items, not {len(theirs)}"
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, rtol, f"{where}[{index}]")
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype, f"{where}: {ours.dtype} is not {theirs.dtype}"
        scale = np.abs(theirs).max(initial=0) if theirs.dtype.kind in "fc" else 0
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale, err_msg=where)
    elif isinstance(theirs, float):
        close = math.isclose(ours, theirs, rel_tol=rtol) or ours == theirs
        assert close or (math.isnan(ours) and math.isnan(theirs)), (
            f"{where}: {ours} is not {theirs}"
        )
    else:
        assert ours == theirs, f"{where}: {ours!r} is not {theirs!r}"


def _words(text: str) -> str:
    return " ".join(_anywhere(text).strip("'\"").replace("\\n", " ").split())


def assert_agrees(program: Program, rtol: float = 0.0) -> Any:
    """Run the program with both libraries and compare. Gives what PyTorch gave."""
    theirs, their_warnings = outcome(program, torch)
    ours, our_warnings = outcome(program, devgrad)
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"no error, but {ours!r} instead of {theirs!r}"
        assert type(ours) is type(theirs), f"{ours!r} is not {theirs!r}"
        assert _words(str(ours)).startswith(_words(str(theirs)).rstrip(".")), (
            f"{ours}\n!=\n{theirs}"
        )
        return theirs
    if isinstance(ours, Exception):
        raise ours
    assert_same(ours, theirs, rtol)
    names = [name for name, _ in our_warnings]
    assert names == [name for name, _ in their_warnings], f"{our_warnings} != {their_warnings}"
    for (_, our_text), (_, their_text) in zip(our_warnings, their_warnings, strict=True):
        assert _words(our_text)[:60] == _words(their_text)[:60]
    return theirs
