"""Dtypes and PyTorch's rules for what comes out when they meet."""

from __future__ import annotations

import functools
from typing import Any

import numpy

__all__ = ["DTYPES", "DType", "get_default_dtype", "promote_types", "set_default_dtype"]

# The four categories of PyTorch's promotion, weakest first.
BOOL, INTEGER, FLOATING, COMPLEX = range(4)


class DType:
    """The type of a tensor's elements: ``devgrad.float32`` and its siblings.

    There is one object for each dtype, so dtypes are compared with ``is``. It prints as PyTorch's
    does (``torch.float32``), so that code that reads the text goes on working.

    Attributes:
        name: ``"float32"``.
        array_dtype: the array libraries' dtype.
        kind: the array libraries' one-letter kind: ``b``, ``i``, ``u``, ``f`` or ``c``.
        category: 0 bool, 1 integer, 2 floating point, 3 complex.
        title: the name in PyTorch's error messages and type names, ``"Float"``.
    """

    __slots__ = ("array_dtype", "category", "is_complex", "is_floating_point", "itemsize", "kind",
                 "name", "title", "__weakref__")  # fmt: skip

    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title
        self.array_dtype = numpy.dtype(name)
        self.kind = self.array_dtype.kind
        self.itemsize = self.array_dtype.itemsize
        self.category = {"b": BOOL, "i": INTEGER, "u": INTEGER, "f": FLOATING, "c": COMPLEX}[
            self.kind
        ]
        self.is_floating_point = self.category == FLOATING
        self.is_complex = self.category == COMPLEX

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (dtype_named, (self.name,))

    @property
    def is_signed(self) -> bool:
        """Whether negative values can be held."""
        return self.kind in "ifc"

    def to_complex(self) -> DType:
        """The complex dtype with parts of this dtype (for float16, which has none, complex64)."""
        return DTYPES["complex128" if self.name in ("float64", "complex128") else "complex64"]

    def to_real(self) -> DType:
        """The dtype of the real part."""
        return DTYPES[{"complex64": "float32", "complex128": "float64"}.get(self.name, self.name)]


DTYPES: dict[str, DType] = {
    name: DType(name, title)
    for name, title in {
        "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int",
        "int64": "Long", "float16": "Half", "float32": "Float", "float64": "Double",
        "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    }.items()
}  # fmt: skip

OF_ARRAY_DTYPE: dict[Any, DType] = {dtype.array_dtype: dtype for dtype in DTYPES.values()}


def dtype_named(name: str) -> DType:
    """The dtype with this name; what a pickled dtype is read back by."""
    return DTYPES[name]


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest dtype that both can be converted to, by PyTorch's rules.

    >>> import devgrad
    >>> devgrad.promote_types(devgrad.int64, devgrad.float16)
    torch.float16

    Raises:
        TypeError: one is no dtype.
    """
    if type1.__class__ is not DType or type2.__class__ is not DType:
        position, wrong = (1, type1) if type1.__class__ is not DType else (2, type2)
        raise TypeError(
            f"promote_types(): argument 'type{position}' (position {position}) must be "
            f"torch.dtype, not {type(wrong).__name__}"
        )
    return _promote_types(type1, type2)


@functools.cache
def _promote_types(a: DType, b: DType) -> DType:
    if a is b:
        return a
    low, high = sorted((a, b), key=lambda d: d.category)
    if low.category == high.category:
        # Within a category the array libraries' rules are PyTorch's (uint8 and int8 give int16).
        return OF_ARRAY_DTYPE[numpy.promote_types(a.array_dtype, b.array_dtype)]
    if high.is_complex and low is DTYPES["float64"]:
        return DTYPES["complex128"]
    # Across categories the higher one wins, whatever its width.
    return high


def combine_categories(higher: DType | None, lower: DType | None) -> DType | None:
    """What operands with dimensions (``higher``) make of 0-dim ones or numbers (``lower``).

    The weaker operands change the result only if they are of a higher category.
    """
    if higher is None:
        return lower
    if lower is None:
        return higher
    if higher.category >= lower.category:
        return higher
    if higher.is_floating_point:  # then the other is complex
        return higher.to_complex()
    return lower


class _Default:
    floating = DTYPES["float32"]


def get_default_dtype() -> DType:
    """The dtype that Python floats become: ``torch.float32`` unless it was changed.

    >>> import devgrad
    >>> devgrad.get_default_dtype()
    torch.float32
    """
    return _Default.floating


def set_default_dtype(d: Any) -> None:
    """Set the dtype that Python floats become.

    Raises:
        TypeError: ``d`` is no floating-point dtype.
    """
    if not isinstance(d, DType) or not d.is_floating_point:
        raise TypeError(
            ("" if isinstance(d, DType) else "invalid dtype object: ")
            + "only floating-point types are supported as the default type: "
            f"pass devgrad.float16, float32 or float64, not {d!r}"
        )
    _Default.floating = d


def dtype_of_number(value: object) -> DType:
    """The dtype that a Python number takes on its own."""
    if isinstance(value, bool):
        return DTYPES["bool"]
    if isinstance(value, int):
        return DTYPES["int64"]
    if isinstance(value, float):
        return _Default.floating
    return _Default.floating.to_complex()
