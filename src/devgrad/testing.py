"""``devgrad.testing``: whether two results agree, and where they do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._creation import tensor
from ._tensor import Tensor
from .ops import FUNCTIONS
from .ops._promotion import result_dtype

__all__ = ["assert_close"]

# (rtol, atol) by dtype, PyTorch's. Integers and booleans have to be equal.
_TOLERANCES = {
    "float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "complex64": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7), "complex128": (1e-7, 1e-7),
}  # fmt: skip
_NUMBERS = (bool, int, float, complex)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Check that ``abs(actual - expected) <= atol + rtol * abs(expected)`` everywhere.

    Args:
        actual, expected: tensors or numbers, or sequences or mappings of them.
        allow_subclasses: whether the two may be of different classes, one derived from the other.
        rtol, atol: both or neither; the defaults depend on the dtypes.
        equal_nan: whether NaN equals NaN.
        check_device, check_dtype, check_stride: whether these have to be the same.
        check_layout: accepted; there is only one layout.
        msg: what to say instead, or a function that is given the usual text.

    Raises:
        AssertionError: they differ; the text says where and by how much.
        TypeError: these two cannot be compared.
        ValueError: only one of ``rtol`` and ``atol`` was given.

    >>> import devgrad
    >>> devgrad.testing.assert_close(devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.0, 2.5]))
    Traceback (most recent call last):
        ...
    AssertionError: Tensor-likes are not close!
    ...
    """
    checks = {"device": check_device, "dtype": check_dtype, "stride": check_stride}
    text = _difference(actual, expected, (rtol, atol, equal_nan, allow_subclasses, checks), "")
    if text is not None:
        raise AssertionError(msg(text) if callable(msg) else msg or text)


def _difference(actual: Any, expected: Any, options: Any, place: str) -> str | None:
    """What is different, in words; None if nothing is. ``place`` is where in containers.

    Raises:
        AssertionError: the containers themselves differ.
    """
    rtol, atol, equal_nan, mixed, checks = options
    where = f"\n\nThe failure occurred for item {place}" if place else ""
    tensors = isinstance(actual, Tensor) and isinstance(expected, Tensor)
    numbers = isinstance(actual, _NUMBERS) and isinstance(expected, _NUMBERS)
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if (tensors and (mixed or type(actual) is type(expected)) and related) or numbers:
        if (rtol is None) != (atol is None):
            lacking = "rtol" if rtol is None else "atol"
            raise ValueError(
                "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                f"{lacking}.{where}"
            )
        text = _of_pair(actual, expected, rtol, atol, equal_nan, checks)
        return None if text is None else text + where
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        missing, extra = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
        if missing or extra:
            raise AssertionError(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {extra}{where}"
            )
        items = [(key, actual[key], expected[key]) for key in actual]
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise AssertionError(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{where}"
            )
        items = [(i, a, b) for i, (a, b) in enumerate(zip(actual, expected, strict=True))]
    elif actual is None and expected is None:
        return None
    else:
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and "
            f"{type(expected)}."
        )
    parts = (_difference(a, b, options, f"{place}[{key!r}]") for key, a, b in items)
    return next((text for text in parts if text is not None), None)


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str)


def _of_pair(
    actual: Any, expected: Any, rtol: float | None, atol: float | None, equal_nan: bool,
    checks: dict[str, bool],
) -> str | None:  # fmt: skip
    if not isinstance(actual, Tensor):
        if rtol is None:
            exact = not isinstance(actual, (float, complex)) and not isinstance(
                expected, (float, complex)
            )
            rtol = atol = 0.0 if exact else 1e-7
        return _of_tensors(tensor(actual), tensor(expected), rtol, atol or 0.0, equal_nan,
                           (actual, expected))  # fmt: skip
    if actual.shape != expected.shape:
        return _unlike("shape", actual.shape, expected.shape)
    for name, wanted in checks.items():
        mine, other = (getattr(x, name) for x in (actual, expected))
        if name == "stride":
            mine, other = mine(), other()
        if wanted and mine != other:
            return _unlike(name, mine, other)
    if rtol is None:
        pairs = [_TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (actual, expected)]
        rtol, atol = max(p[0] for p in pairs), max(p[1] for p in pairs)
    return _of_tensors(actual, expected, rtol, atol or 0.0, equal_nan, None)


def _unlike(name: str, mine: Any, other: Any) -> str:
    return f"The values for attribute '{name}' do not match: {mine} != {other}."


def _of_tensors(
    actual: Tensor, expected: Tensor, rtol: float, atol: float, equal_nan: bool, numbers: Any
) -> str | None:
    dtype = result_dtype((actual, expected))
    a, b = (x.detach().to(expected.device).to(dtype) for x in (actual, expected))
    if not dtype.is_floating_point and not dtype.is_complex:
        a, b = a.long(), b.long()
    matches = FUNCTIONS[""]["isclose"](a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if bool(matches.all()):
        return None
    exact = rtol == atol == 0
    absolute = (a - b).abs()
    relative = absolute / b.abs()
    absolute[matches], relative[matches] = 0, 0
    title = "equal" if exact else "close"
    near, share = ("", "") if exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    if not actual.dim():
        mine, other = numbers or (actual.item(), expected.item())
        return (
            f"Scalars are not {title}!\n\nExpected {other} but got {mine}.\n"
            f"Absolute difference: {absolute.item() if numbers is None else abs(mine - other)}"
            f"{near}\nRelative difference: "
            f"{relative.item() if numbers is None else abs((mine - other) / other)}{share}"
        )
    count, wrong = matches.numel(), int((~matches).sum())
    lines = [f"Tensor-likes are not {title}!\n",
             f"Mismatched elements: {wrong} / {count} ({wrong / count:.1%})"]  # fmt: skip
    for name, values, allowed in (("absolute", absolute, near), ("relative", relative, share)):
        place = int(values.flatten().argmax())
        index = _unravelled(place, tuple(values.shape))
        most = values.flatten()[place].item()
        lines.append(f"Greatest {name} difference: {most} at index {index}{allowed}")
    return "\n".join(lines)


def _unravelled(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for n in reversed(shape):
        place, i = divmod(place, n)
        index.insert(0, i)
    return tuple(index)
