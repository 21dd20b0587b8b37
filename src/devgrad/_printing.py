"""The text of a tensor, to the character as PyTorch prints it, and the print options.

The functions here know arrays and plain facts, not tensors: ``Tensor.__repr__`` gathers the facts
and calls :func:`tensor_text`. Only the elements that are shown become Python numbers, so the text
of a tensor of millions of elements costs what its few dozen shown elements cost.

PyTorch's rules, in short:

* More than ``threshold`` elements: every axis longer than ``2 * edgeitems`` shows ``edgeitems``
  elements at each end, with ``...`` between.
* All shown elements share one notation, chosen from the finite nonzero ones: scientific when they
  span more than three decades or leave [1e-4, 1e8]; else ``1.`` when all are whole numbers; else
  ``precision`` decimals.
* All shown elements share one width, taken from the same ones: zeros, infinities and NaN do not
  widen the columns.
* Real and imaginary parts each have their own notation and width.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol

__all__ = ["get_printoptions", "printoptions", "set_printoptions", "tensor_text"]

SCIENTIFIC_RATIO = 1000.0
SCIENTIFIC_ABOVE = 1.0e8
SCIENTIFIC_BELOW = 1.0e-4

# An integer or boolean tensor is recognised by its elements, so its dtype goes without saying.
SELF_EVIDENT_DTYPES = ("int64", "bool")


class PrintableArray(Protocol):
    """What :func:`tensor_text` asks of an array: its shape, slices of it, and Python numbers."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: tuple[slice, ...], /) -> Any: ...

    def tolist(self) -> Any: ...


# --- print options ----------------------------------------------------------------------------


@dataclasses.dataclass
class _PrintOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: float = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

_options = _PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: float | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed. An option left at ``None`` keeps its value.

    Two points of PyTorch are kept. ``sci_mode`` is set by every call, so that leaving it out gives
    the choice of notation back to the elements. A profile of an unknown name changes nothing.

    Args:
        precision: digits after the decimal point of a floating-point element (4).
        threshold: number of elements above which a tensor is summarised with ``...`` (1000).
        edgeitems: number of elements shown at each end of a summarised axis (3). With 0 no
            elements are shown, and the size is.
        linewidth: characters per line, after which lines are broken (80). ``math.inf``, at which
            PyTorch raises OverflowError, breaks none.
        profile: ``"default"``, ``"short"`` (precision 2, edgeitems 2) or ``"full"`` (never
            summarise), applied before the other options given.
        sci_mode: True for scientific notation, False for decimal notation, None to let the
            elements decide.

    Raises:
        ValueError: precision or edgeitems is negative; nothing is changed. (PyTorch takes it and
            fails at the next print.)

    Example:
        >>> set_printoptions(precision=2, threshold=5)
        >>> get_printoptions()["precision"], get_printoptions()["threshold"]
        (2, 5)
        >>> set_printoptions(profile="default")
    """
    for name, count in (("precision", precision), ("edgeitems", edgeitems)):
        if count is not None and count < 0:
            raise ValueError(f"set_printoptions(): {name} must be 0 or more, but got {count}")
    if profile is not None:
        _assign(_PROFILES.get(profile, {}))
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _assign({name: value for name, value in given.items() if value is not None})
    _options.sci_mode = sci_mode


def _assign(values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(_options, name, value)


def get_printoptions() -> dict[str, Any]:
    """The print options in force, as a dictionary that :func:`set_printoptions` takes as keywords.

    Example:
        >>> get_printoptions()
        {'precision': 4, 'threshold': 1000, 'edgeitems': 3, 'linewidth': 80, 'sci_mode': None}
    """
    return dataclasses.asdict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Set print options for the length of a ``with`` block; the old ones come back at its end.

    Takes the keywords of :func:`set_printoptions`; raises TypeError for any other.

    Example:
        >>> with printoptions(precision=2):
        ...     get_printoptions()["precision"]
        2
        >>> get_printoptions()["precision"]
        4
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


# --- the text of a tensor ---------------------------------------------------------------------


def tensor_text(
    array: PrintableArray | None,
    *,
    dtype_name: str,
    default_dtype_name: str = "float32",
    shape: tuple[int, ...] | None = None,
    device_text: str | None = None,
    grad_fn_name: str | None = None,
    requires_grad: bool = False,
    tangent_text: str | None = None,
    prefix: str = "tensor(",
) -> str:
    r"""The text that ``repr`` and ``str`` give for a tensor.

    Args:
        array: the elements, of any shape. None for a tensor that has none to show (on the meta
            device); its elements are printed as ``...`` and its size is printed.
        dtype_name: the tensor's dtype, without ``torch.``: ``"float32"``, ``"int64"``. It decides
            how elements are read: as floating-point numbers, complex numbers, or as they are.
        default_dtype_name: what ``get_default_dtype`` says. This dtype and its complex companion
            are not printed; neither are int64 and bool.
        shape: the tensor's shape, needed where ``array`` is None.
        device_text: the device, ``"cuda:0"``, where it is to be printed; None where it goes
            without saying (PyTorch: the CPU, while the CPU is the default).
        grad_fn_name: the name of the node that made the tensor, ``"SumBackward0"``; of a name
            with ``::`` in it, as ``torch::autograd::CopySlices``, the last part is printed.
        requires_grad: whether the tensor requires grad; printed where there is no grad_fn.
        tangent_text: the text of the forward-mode tangent that the tensor carries, or None.
        prefix: what the text opens with: ``"tensor("``, a subclass's ``"MyTensor("``, a
            parameter's ``"Parameter containing:\ntensor("``. Further lines are aligned with the
            end of its last line.

    Raises:
        ValueError: neither ``array`` nor ``shape`` is given.

    Example:
        >>> from array import array
        >>> tensor_text(memoryview(array("d", [1.0, 2.5])), dtype_name="float64")
        'tensor([1.0000, 2.5000], dtype=torch.float64)'
    """
    indent = len(prefix) - (prefix.rfind("\n") + 1)
    size: tuple[int, ...] | None
    dtype_is_evident = dtype_name == default_dtype_name
    if array is None:
        if shape is None:
            raise ValueError("tensor_text() needs the shape of a tensor that has no array")
        contents = "..."
        size = tuple(shape)
    elif 0 in array.shape:
        contents = "[]"
        # `[]` alone says (0,).
        size = tuple(array.shape) if len(array.shape) != 1 else None
    else:
        contents = _contents(array, dtype_name, indent)
        size = tuple(array.shape) if _options.edgeitems == 0 else None
        dtype_is_evident = (
            dtype_is_evident
            or dtype_name in SELF_EVIDENT_DTYPES
            or dtype_name == _complex_companion(default_dtype_name)
        )

    suffixes = []
    if device_text is not None:
        suffixes.append(f"device='{device_text}'")
    if size is not None:
        suffixes.append(f"size={size}")
    if not dtype_is_evident:
        suffixes.append(f"dtype=torch.{dtype_name}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name.rpartition('::')[2]}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    if tangent_text is not None:
        suffixes.append(f"tangent={tangent_text}")
    return _with_suffixes(prefix + contents, suffixes, indent)


def _complex_companion(dtype_name: str) -> str:
    return "complex128" if dtype_name == "float64" else "complex64"


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """``text``, the suffixes that fit on its last line, the others on lines of their own, ``)``."""
    parts = [text]
    # PyTorch counts two characters more than the last line has, but only until the first break.
    column = len(text) - (text.rfind("\n") + 1) + 2
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            parts.append(",\n" + " " * indent + suffix)
            column = indent + len(suffix)
        else:
            parts.append(", " + suffix)
            column += len(suffix) + 2
    parts.append(")")
    return "".join(parts)


# --- the elements -----------------------------------------------------------------------------


def _contents(array: PrintableArray, dtype_name: str, indent: int) -> str:
    """The bracketed elements of a non-empty array, or the one element of a 0-d array."""
    shape = array.shape
    edgeitems = _options.edgeitems
    summarised = math.prod(shape) > _options.threshold
    if summarised and edgeitems == 0 and shape:
        return "[...]"

    values = _edges(array, edgeitems, 0) if summarised else array.tolist()
    flat: list[Any] = values if shape else [values]
    for _ in shape[1:]:
        flat = list(chain.from_iterable(flat))

    cells, width = _cells(flat, dtype_name)
    if not shape:
        return cells[0]
    elided = [summarised and length > 2 * edgeitems for length in shape]
    shown = [2 * edgeitems if cut else length for length, cut in zip(shape, elided, strict=True)]
    return _layout(cells, width, shown, elided, indent)


def _edges(array: PrintableArray, edgeitems: int, axis: int) -> Any:
    """The elements as nested lists, with the middle of every long axis from ``axis`` on left out.

    The array is cut at its corners, so that only what is shown is converted.
    """
    if axis == len(array.shape):
        return array.tolist()
    length = array.shape[axis]
    if length <= 2 * edgeitems:
        return _edges(array, edgeitems, axis + 1)
    leading = (slice(None),) * axis
    head = array[(*leading, slice(edgeitems))]
    tail = array[(*leading, slice(length - edgeitems, length))]
    return _joined(
        _edges(head, edgeitems, axis + 1),
        _edges(tail, edgeitems, axis + 1),
        axis,
    )


def _joined(head: list[Any], tail: list[Any], axis: int) -> list[Any]:
    """Two nested lists laid end to end along an axis."""
    if axis == 0:
        return head + tail
    return [_joined(first, last, axis - 1) for first, last in zip(head, tail, strict=True)]


def _layout(cells: list[str], width: int, shown: list[int], elided: list[bool], indent: int) -> str:
    """The elements' texts in brackets, commas and lines, built up from the last axis.

    ``shown`` counts the elements shown along each axis; where ``elided`` is True, an ellipsis
    stands in their middle.
    """
    last = len(shown) - 1
    texts = cells
    for axis in range(last, -1, -1):
        count = shown[axis]
        rows = [texts[start : start + count] for start in range(0, len(texts), count)]
        if elided[axis]:
            # The leading blank, which gives two before the dots, is PyTorch's.
            ellipsis = " ..." if axis == last else "..."
            for row in rows:
                row.insert(count // 2, ellipsis)
        margin = " " * (indent + axis + 1)
        if axis == last:
            room = (_options.linewidth - indent - axis) / (width + 2)
            # The line may be infinitely wide; a row with its ellipsis never is.
            per_line = max(1, math.floor(min(room, count + 1)))
            texts = ["[" + _wrapped(row, per_line, margin) + "]" for row in rows]
        else:
            separator = "," + "\n" * (last - axis) + margin
            texts = ["[" + separator.join(row) + "]" for row in rows]
    return texts[0]


def _wrapped(row: list[str], per_line: int, margin: str) -> str:
    lines = [", ".join(row[i : i + per_line]) for i in range(0, len(row), per_line)]
    return (",\n" + margin).join(lines)


# --- one element ------------------------------------------------------------------------------


def _cells(values: list[Any], dtype_name: str) -> tuple[list[str], int]:
    """The text of each element, right-aligned, and the width that they are counted with."""
    if "complex" in dtype_name:
        return _complex_cells(values)
    if "float" in dtype_name:
        return _float_cells(values)
    texts = [str(value) for value in values]
    width = max(map(len, texts))
    return [text.rjust(width) for text in texts], width


def _complex_cells(values: list[complex]) -> tuple[list[str], int]:
    real_texts, real_width = _float_cells([value.real for value in values])
    imag_texts, imag_width = _float_cells([value.imag for value in values])
    cells = []
    for real, imag in zip(real_texts, imag_texts, strict=True):
        # The imaginary part's padding goes: it would part the sign from the real part.
        unpadded = imag.lstrip()
        sign = "" if unpadded[0] == "-" else "+"
        cells.append(f"{real}{sign}{unpadded}j")
    return cells, real_width + imag_width + 1


def _float_cells(values: list[float]) -> tuple[list[str], int]:
    is_measured = [value != 0 and math.isfinite(value) for value in values]
    measured = [value for value, measures in zip(values, is_measured, strict=True) if measures]

    point = ""
    if _is_scientific(measured):
        spec = f".{_options.precision}e"
    elif all(value.is_integer() for value in measured):
        spec, point = ".0f", "."
    else:
        spec = f".{_options.precision}f"

    texts = [format(value, spec) for value in values]
    if point:
        texts = [
            text + point if math.isfinite(value) else text
            for text, value in zip(texts, values, strict=True)
        ]
    width = max(
        (len(text) for text, measures in zip(texts, is_measured, strict=True) if measures),
        default=1,
    )
    return [text.rjust(width) for text in texts], width


def _is_scientific(measured: list[float]) -> bool:
    if not measured:
        return False
    if _options.sci_mode is not None:
        return _options.sci_mode
    magnitudes = [abs(value) for value in measured]
    smallest, largest = min(magnitudes), max(magnitudes)
    return (
        largest / smallest > SCIENTIFIC_RATIO
        or largest > SCIENTIFIC_ABOVE
        or smallest < SCIENTIFIC_BELOW
    )
