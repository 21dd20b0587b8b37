"""Bringing operands together: numbers become tensors, dtypes are promoted, devices compared."""

from __future__ import annotations

import dis
from typing import TYPE_CHECKING, Any

from .._tensor import Tensor, constant, wrap
from ..autograd._provenance import user_line
from ..device import (
    CPU,
    DType,
    TensorType,
    combine_categories,
    device_of_array,
    dtype_of_array,
    dtype_of_number,
    get_default_dtype,
    promote_types,
    retyped,
    transferred,
)
from ._arguments import NUMBERS, kind_name, outer_name, wrong_argument

if TYPE_CHECKING:
    from ._op import Op

__all__ = ["NUMBERS", "OPERANDS", "checked_tensors", "common_type", "empty_list",
           "listed_tensors", "not_a_tensor", "not_in_list", "promote", "result_dtype",
           "same_device"]  # fmt: skip

OPERANDS = (Tensor, *NUMBERS)


def not_a_tensor(op_name: str, parameter: str, position: int, value: object) -> TypeError:
    """The error for an argument that should have been a tensor."""
    return wrong_argument(outer_name(op_name), parameter, position, "Tensor", value)


def not_in_list(position: int, value: object, argument: int = 0) -> TypeError:
    """The error for an element of a list that should have been a tensor."""
    return TypeError(
        f"expected Tensor as element {position} in argument {argument}, but got {kind_name(value)}"
    )


def checked_tensors(given: tuple[Any, ...], argument: int = 0) -> tuple[Tensor, ...]:
    """Tensors given one by one, or as one list of them.

    Raises:
        TypeError: there is something else among them.
    """
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    for position, x in enumerate(given):
        if not isinstance(x, Tensor):
            raise not_in_list(position, x, argument)
    return given


def listed_tensors(op_name: str, parameter: str, value: Any) -> tuple[Tensor, ...]:
    """A list or tuple of tensors.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, (tuple, list)):
        raise wrong_argument(outer_name(op_name), parameter, 1, "tuple of Tensors", value)
    for position, x in enumerate(value):
        if not isinstance(x, Tensor):
            raise not_in_list(position, x)
    return tuple(value)


def empty_list(op_name: str) -> Exception:
    """The error for a list of tensors with nothing in it. PyTorch has one for each operation."""
    if op_name == "cat":
        return ValueError("torch.cat(): expected a non-empty list of Tensors")
    return RuntimeError(f"{op_name} expects a non-empty TensorList")


def result_dtype(operands: Any) -> DType:
    """The dtype in which tensors and Python numbers meet.

    Tensors with dimensions decide; 0-dim tensors, and after them numbers, only count where they
    are of a higher category (bool < integer < floating point < complex).
    """
    dims: DType | None = None
    zeros: DType | None = None
    numbers: DType | None = None
    for x in operands:
        if isinstance(x, Tensor):
            dtype = x._type.dtype
            if x._array.ndim:
                dims = dtype if dims is None else promote_types(dims, dtype)
            else:
                zeros = dtype if zeros is None else promote_types(zeros, dtype)
        else:
            dtype = dtype_of_number(x)
            numbers = dtype if numbers is None else promote_types(numbers, dtype)
    found = combine_categories(dims, combine_categories(zeros, numbers))
    assert found is not None
    return found


def same_device(operands: Any, op_name: str) -> Any:
    """The one device of all tensors; a 0-dim tensor on the CPU may join those on another.

    Raises:
        RuntimeError: they are on different devices. Both are named.
    """
    first = None
    for x in operands:
        if not isinstance(x, Tensor):
            continue
        if first is None or (first._type.device is CPU and not first._array.ndim):
            first = x
        elif x._type.device is not first._type.device and (
            x._array.ndim or x._type.device is not CPU
        ):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{first.device} and {x.device}! {op_name}() was given one tensor of shape "
                f"{list(first.shape)} on {first.device} and one of shape {list(x.shape)} on "
                f"{x.device}. Move one: x.to('{first.device}')"
            )
    assert first is not None
    return first._type.device


def common_type(operands: Any, op_name: str, floating: bool) -> TensorType:
    """Device and dtype in which an operation computes; integers become floats if ``floating``."""
    device = same_device(operands, op_name)
    dtype = result_dtype(operands)
    if floating and dtype.category < 2:
        dtype = get_default_dtype()
    return device.types[dtype.array_dtype]


def promote(op: Op, operands: tuple[Any, ...]) -> tuple[TensorType, tuple[Any, ...], list[Any]]:
    """The type to compute in, the operands as tensors, and their arrays in that type.

    Raises:
        TypeError: one is neither a tensor nor a number.
    """
    if op.check is not None and all(isinstance(x, OPERANDS) for x in operands):
        op.check(operands)
    # By far the commonest: one tensor and a number that does not change its type.
    if len(operands) == 2:
        a, b = operands
        if isinstance(a, Tensor) and isinstance(b, NUMBERS) and op.promoted[1].name in op.numbers:
            kind = a._type
            category = 2 if b.__class__ is float else 3 if b.__class__ is complex else 1
            if kind.dtype.category >= category and (kind.floating or not op.floating):
                number, b = b, constant(b, kind)
                if kind.floating and category < 3 and number.__class__ is not bool and number:
                    # Found at once the next time. (Zeros are left out: 0.0 and -0.0 are equal.)
                    if len(kind.numbers) > 1000:
                        kind.numbers.clear()
                    kind.numbers[number] = b
                return kind, (a, b), [a._array, b._array]
    if not any(isinstance(x, Tensor) for x in operands):
        raise not_a_tensor(op.name, op.promoted[0].name, 1, operands[0])
    for position, (parameter, x) in enumerate(zip(op.promoted, operands, strict=True), 1):
        allowed = OPERANDS if parameter.name in op.numbers else Tensor
        if not isinstance(x, allowed) and not (x is None and parameter.optional):
            raise not_a_tensor(op.name, parameter.name, position, x)
    given = [x for x in operands if x is not None]
    kind = common_type(given, op.name, op.floating)
    tensors: list[Any] = []
    arrays: list[Any] = []
    for x in operands:
        if x is None:
            tensors.append(None)
            arrays.append(None)
            continue
        if not isinstance(x, Tensor):
            x = constant(x, kind)
        tensors.append(x)
        arrays.append(as_type(x, kind))
    return kind, tuple(tensors), arrays


def promote_all(op: Op, operands: tuple[Any, ...]) -> tuple[TensorType, tuple[Any, ...], list[Any]]:
    """`promote` for an operation on a sequence of tensors."""
    kind = common_type(operands, op.name, op.floating)
    return kind, operands, [as_type(x, kind) for x in operands]


def operand_fallback(op: Any, operands: tuple[Any, ...]) -> Any:
    """An operator between a tensor and something that is no number: an array joins as a constant.

    ``op`` has the operation as its ``function``. Anything else gets Python's `NotImplemented`, so
    that it may define the operation itself.
    """
    if all(isinstance(x, OPERANDS) for x in operands):
        raise  # (in an except clause) the operands were not what was wrong
    if _changes_left_operand():
        return NotImplemented
    wrapped = []
    for x in operands:
        if not isinstance(x, OPERANDS):
            device = device_of_array(x)
            dtype = None if device is None else dtype_of_array(x)
            if device is None or dtype is None:
                return NotImplemented
            kind = device.types[dtype.array_dtype]
            x = wrap(kind.asarray(x), kind)
        wrapped.append(x)
    return op.function(*wrapped)


def _changes_left_operand() -> bool:
    """Whether the user's operator is one like ``+=``, with an array on the left.

    The array cannot become a tensor, and the name should not quietly stand for another object.
    """
    code, at = user_line()
    return dis.opname[code.co_code[at]].startswith("INPLACE") or (
        dis.opname[code.co_code[at]] == "BINARY_OP" and code.co_code[at + 1] >= _FIRST_IN_PLACE
    )


_FIRST_IN_PLACE = 13  # NB_INPLACE_ADD in Python's opcode.h


def as_type(x: Tensor, kind: TensorType) -> Any:
    """The array of ``x``, moved and cast to ``kind``."""
    return moved(x._array, x._type, kind)


def moved(array: Any, source: TensorType, kind: TensorType) -> Any:
    """An array of type ``source``, moved and cast to ``kind``; itself, if it is so already."""
    if source.device is not kind.device:
        array = transferred(array, source.device, kind.device)
    if array.dtype is not kind.array_dtype:
        if array.dtype.kind == "c" and not kind.dtype.is_complex:
            array = array.real
        array = retyped(array, kind.device, kind.array_dtype)
    return array
