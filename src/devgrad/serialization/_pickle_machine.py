"""A machine for pickles that can build plain containers, and what it is told of by name.

A pickle is a program for a machine with a stack. Python's own machine calls whatever the program
names; this one knows the opcodes of containers, numbers and strings, looks every name up in a
short list, calls nothing but what stands there, and refuses the rest before it is done.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

__all__ = ["Global", "refuse", "run"]


class Global(NamedTuple):
    """Something that a pickle has named, and may call if ``make`` is not None."""

    name: str
    make: Callable[..., Any] | None
    content: Any = None


def refuse(phrase: str, why: str) -> NoReturn:
    """Raise the error for a pickle that asks for too much."""
    raise pickle.UnpicklingError(f"Weights only load failed. {phrase}: {why}")


def run(
    program: bytes,
    found: Callable[[str, str], Any],
    persistent: Callable[[Any], Any],
) -> Any:
    """What the pickle builds.

    Args:
        found: gives what a module and a name stand for, or refuses them.
        persistent: gives what a persistent id stands for.

    Raises:
        pickle.UnpicklingError: it asks for something else.
        RuntimeError: it is damaged.
    """
    machine = _Machine(found, persistent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of bent escapes in strings
            operations = [(opcode, argument) for opcode, argument, _ in pickletools.genops(program)]
        for opcode, argument in operations:
            step = getattr(machine, f"op_{opcode.name.lower()}", None)
            if step is not None:
                step(argument)
            elif opcode.name in _CONSTANTS:
                machine.stack.append(_CONSTANTS[opcode.name])
            elif opcode.name in _LITERALS:
                machine.stack.append(argument)
            elif opcode.name not in ("PROTO", "FRAME", "STOP"):
                refuse(f"Unsupported operand {opcode.code!r}", f"{opcode.name} is not for data")
        (value,) = machine.stack
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise RuntimeError(f"data.pkl is damaged: {error!r}") from None
    return value


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip


class _Machine:
    """The stack, the marks on it and the memo. The method ``op_mark`` is the opcode ``MARK``."""

    def __init__(self, found: Callable[[str, str], Any], persistent: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.look_up = found
        self.persistent = persistent

    # --- the stack --------------------------------------------------------------------------------

    def op_mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def op_pop(self, _: Any) -> None:
        self.stack.pop()

    def op_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def op_pop_mark(self, _: Any) -> None:
        self._since_mark()

    def op_binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    op_long_binput = op_put = op_binput

    def op_memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def op_binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    op_long_binget = op_get = op_binget

    # --- containers -------------------------------------------------------------------------------

    def op_empty_list(self, _: Any) -> None:
        self.stack.append([])

    def op_empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def op_empty_set(self, _: Any) -> None:
        self.stack.append(set())

    def op_empty_tuple(self, _: Any) -> None:
        self.stack.append(())

    def op_tuple1(self, _: Any) -> None:
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def op_tuple2(self, _: Any) -> None:
        self._last_as_tuple(2)

    def op_tuple3(self, _: Any) -> None:
        self._last_as_tuple(3)

    def _last_as_tuple(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def op_tuple(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append((*items,))

    def op_list(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append(items)

    def op_dict(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append(_in_pairs(items))

    def op_frozenset(self, _: Any) -> None:
        items = self._since_mark()
        self.stack.append(frozenset(items))

    def op_append(self, _: Any) -> None:
        item = self.stack.pop()
        self._top(list).append(item)

    def op_appends(self, _: Any) -> None:
        items = self._since_mark()
        self._top(list).extend(items)

    def op_additems(self, _: Any) -> None:
        items = self._since_mark()
        self._top(set).update(items)

    def op_setitem(self, _: Any) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self._top(dict)[key] = value

    def op_setitems(self, _: Any) -> None:
        items = self._since_mark()
        self._top(dict).update(_in_pairs(items))

    def _top(self, cls: Any) -> Any:
        if not isinstance(self.stack[-1], cls):
            raise TypeError(f"{type(self.stack[-1]).__name__} is no {cls.__name__}")
        return self.stack[-1]

    # --- what has a name --------------------------------------------------------------------------

    def op_global(self, name: str) -> None:
        module, _, attribute = name.partition(" ")
        self.stack.append(self.look_up(module, attribute))

    def op_stack_global(self, _: Any) -> None:
        attribute = self.stack.pop()
        module = self.stack.pop()
        self.stack.append(self.look_up(str(module), str(attribute)))

    def op_binpersid(self, _: Any) -> None:
        self.stack.append(self.persistent(self.stack.pop()))

    def op_reduce(self, _: Any) -> None:
        arguments = self.stack.pop()
        called = self.stack.pop()
        if not isinstance(called, Global) or called.make is None:
            refuse("Trying to call something that is no function of tensors", repr(called))
        self.stack.append(called.make(*arguments))

    op_newobj = op_reduce

    def op_build(self, _: Any) -> None:
        """Attributes of an object: those that the state dict of a module has, and no others."""
        state = self.stack.pop()
        target = self.stack[-1]
        known = type(state) is dict and state.keys() <= {"_metadata"}
        if type(target) is not OrderedDict or not known:
            refuse(
                f"Can only build Tensor, Parameter, OrderedDict or types allowlisted via "
                f"`add_safe_globals`, but got {type(target)}",
                "only a state dict has attributes here",
            )
        target.__dict__.update(state)


def _in_pairs(items: Any) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))
