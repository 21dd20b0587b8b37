"""Type promotion: every pair of dtypes, tensors with dims and without, and Python numbers."""

from __future__ import annotations

import itertools
import operator
import warnings
from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
         "complex64", "complex128")  # fmt: skip
NUMBERS = (True, 3, 2.5, 2 + 1j)

# PyTorch's promote_types, as it is: row and column in the order of NAMES, and one letter or two
# each (b bool, u1 uint8, i8 int64, f4 float32, c8 complex64).
GOLDEN = """
b   u1  i1  i2  i4  i8  f2  f4  f8  c8  c16
u1  u1  i2  i2  i4  i8  f2  f4  f8  c8  c16
i1  i2  i1  i2  i4  i8  f2  f4  f8  c8  c16
i2  i2  i2  i2  i4  i8  f2  f4  f8  c8  c16
i4  i4  i4  i4  i4  i8  f2  f4  f8  c8  c16
i8  i8  i8  i8  i8  i8  f2  f4  f8  c8  c16
f2  f2  f2  f2  f2  f2  f2  f4  f8  c8  c16
f4  f4  f4  f4  f4  f4  f4  f4  f8  c8  c16
f8  f8  f8  f8  f8  f8  f8  f8  f8  c16 c16
c8  c8  c8  c8  c8  c8  c8  c8  c16 c8  c16
c16 c16 c16 c16 c16 c16 c16 c16 c16 c16 c16
"""
CODES = dict(zip("b u1 i1 i2 i4 i8 f2 f4 f8 c8 c16".split(), NAMES, strict=True))


@pytest.mark.parametrize(("row", "name"), list(enumerate(NAMES)))
def test_promote_types_is_the_golden_table(row: int, name: str) -> None:
    codes = GOLDEN.split("\n")[1 + row].split()
    for code, other in zip(codes, NAMES, strict=True):
        found = devgrad.promote_types(getattr(devgrad, name), getattr(devgrad, other))
        assert found is getattr(devgrad, CODES[code]), f"{name} with {other}"


@needs_torch
def test_the_golden_table_is_pytorchs() -> None:
    for line, name in zip(GOLDEN.split("\n")[1:], NAMES, strict=False):
        for code, other in zip(line.split(), NAMES, strict=True):
            found = torch.promote_types(getattr(torch, name), getattr(torch, other))
            assert found is getattr(torch, CODES[code]), f"{name} with {other}"


@needs_torch
@pytest.mark.parametrize("name", NAMES)
def test_can_cast(name: str) -> None:
    for other in NAMES:
        ours = devgrad.can_cast(getattr(devgrad, name), getattr(devgrad, other))
        theirs = torch.can_cast(getattr(torch, name), getattr(torch, other))
        assert ours is theirs, f"can_cast({name}, {other})"


def test_can_cast_goes_up_the_categories() -> None:
    assert devgrad.can_cast(devgrad.float64, devgrad.float16)
    assert not devgrad.can_cast(devgrad.float16, devgrad.int64)
    assert not devgrad.can_cast(devgrad.complex64, devgrad.float64)
    assert not devgrad.can_cast(devgrad.int64, devgrad.bool)


# --- operands -------------------------------------------------------------------------------------

Operand = tuple[str, Any]  # ("dims" or "0-dim", dtype) or ("number", value)
TENSORS: list[Operand] = [(kind, name) for kind in ("dims", "0-dim") for name in NAMES]
OPERANDS: list[Operand] = [*TENSORS, *(("number", n) for n in NUMBERS)]


def made(lib: Any, operand: Operand, value: int) -> Any:
    kind, what = operand
    if kind == "number":
        return what
    array = np.full((2,) if kind == "dims" else (), value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return placed(lib, array.astype(what))


def text(operand: Operand) -> str:
    return f"{operand[0]} {operand[1]}"


def apply(lib: Any, name: str, a: Any, b: Any) -> Any:
    if name == "where":
        return lib.where(lib.tensor([True, False]), a, b)
    if name == "where 0-dim":
        return lib.where(lib.tensor(True), a, b)
    return getattr(operator, name)(a, b)


OPERATIONS = ("add", "sub", "mul", "truediv", "floordiv", "pow", "lt", "eq", "where", "where 0-dim")


def title(dtype: Any) -> str:
    """A dtype's name; where PyTorch has complex numbers of half precision, NumPy has the next."""
    return str(dtype).replace("complex32", "complex64")


def outcome(lib: Any, name: str, a: Operand, b: Operand) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's of half-precision complex numbers
            y = apply(lib, name, made(lib, a, 3), made(lib, b, 2))
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return error
    return y


@needs_torch
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("first", OPERANDS, ids=text)
def test_operands_of_every_kind_meet_as_in_torch(name: str, first: Operand) -> None:
    wrong = []
    for second in OPERANDS:
        if first[0] == second[0] == "number" and not name.startswith("where"):
            continue
        theirs, ours = outcome(torch, name, first, second), outcome(devgrad, name, first, second)
        what = f"{text(first)} {name} {text(second)}"
        if isinstance(theirs, Exception):
            if "not implemented for" in str(theirs):
                continue  # a gap of PyTorch's, such as complex numbers of half precision
            if not isinstance(ours, type(theirs)):
                wrong.append(f"{what}: {ours!r}, in PyTorch {theirs!r}")
        elif isinstance(ours, Exception):
            wrong.append(f"{what}: {ours!r}, in PyTorch {theirs.dtype}")
        elif title(ours.dtype) != title(theirs.dtype) or ours.shape != tuple(theirs.shape):
            wrong.append(f"{what}: {ours.dtype} {ours.shape}, in PyTorch {theirs.dtype}")
        elif str(theirs.dtype) == "torch.complex32":
            continue
        elif not np.allclose(numpy_of(ours), numpy_of(theirs.resolve_conj()), rtol=1e-3):
            wrong.append(f"{what}: {ours!r}, in PyTorch {theirs!r}")
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:12])


@needs_torch
@pytest.mark.parametrize("first", OPERANDS, ids=text)
def test_result_type(first: Operand) -> None:
    for second in OPERANDS:
        ours = devgrad.result_type(made(devgrad, first, 1), made(devgrad, second, 1))
        theirs = torch.result_type(made(torch, first, 1), made(torch, second, 1))
        assert title(ours) == title(theirs), f"{text(first)} with {text(second)}"


@needs_torch
def test_promotion_follows_the_default_dtype() -> None:
    before = devgrad.get_default_dtype(), torch.get_default_dtype()
    try:
        for name in ("float64", "float16", "float32"):
            devgrad.set_default_dtype(getattr(devgrad, name))
            torch.set_default_dtype(getattr(torch, name))
            for lib_dtype, number in itertools.product(("int64", "float32"), (2.5, 1j)):
                if name == "float16" and number == 1j:
                    continue  # PyTorch makes complex32, which NumPy has not
                ours = devgrad.ones(2, dtype=getattr(devgrad, lib_dtype)) * number
                theirs = torch.ones(2, dtype=getattr(torch, lib_dtype)) * number
                assert str(ours.dtype) == str(theirs.dtype), f"{name}: {lib_dtype} * {number}"
            ours, theirs = devgrad.tensor([1, 2]) / 2, torch.tensor([1, 2]) / 2
            assert str(ours.dtype) == str(theirs.dtype)
    finally:
        devgrad.set_default_dtype(before[0])
        torch.set_default_dtype(before[1])


# --- gradients take the operand's own dtype -------------------------------------------------------

FLOATS = ("float16", "float32", "float64", "complex64", "complex128")


@needs_torch
@pytest.mark.parametrize("name", ["add", "mul", "truediv"])
@pytest.mark.parametrize("kinds", list(itertools.product(("dims", "0-dim"), repeat=2)))
def test_gradients_have_the_dtype_of_their_operand(name: str, kinds: tuple[str, str]) -> None:
    for a, b in itertools.product(FLOATS, repeat=2):
        if "float16" in (a, b) and "complex" in a + b:
            continue  # PyTorch computes few of these
        found = []
        for lib in (devgrad, torch):
            x = made(lib, (kinds[0], a), 3).requires_grad_()
            y = made(lib, (kinds[1], b), 2).requires_grad_()
            z = apply(lib, name, x, y)
            z.backward(lib.ones_like(z))
            found.append((x.grad, y.grad))
        for ours, theirs in zip(*found, strict=True):
            assert str(ours.dtype) == str(theirs.dtype), f"{a} {name} {b}"
            assert ours.shape == tuple(theirs.shape)
            np.testing.assert_allclose(numpy_of(ours), numpy_of(theirs), rtol=2e-3)


def test_in_place_operations_do_not_change_the_dtype() -> None:
    for name in NAMES[1:]:
        x = made(devgrad, ("dims", name), 3)
        x += True
        x *= 2
        assert x.dtype is getattr(devgrad, name) and x.tolist() == [8, 8]
    x = made(devgrad, ("dims", "float32"), 3)
    x *= made(devgrad, ("dims", "float64"), 2)
    assert x.dtype is devgrad.float32
    n = made(devgrad, ("dims", "int64"), 3)
    for other in (1.5, made(devgrad, ("dims", "float32"), 2), 1j):
        with pytest.raises(RuntimeError, match="^result type .* can't be cast to the desired outp"):
            n *= other
    with pytest.raises(RuntimeError, match="^result type Float can't be cast to the desired"):
        n /= 2
    assert n.tolist() == [3, 3]
