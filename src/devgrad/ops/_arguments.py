"""Wrong arguments: told from errors that come from the inside, after the fact.

Nothing here runs while all is well. When a function has failed, its arguments are held against its
parameters' annotations, and the first that does not fit is what is reported, by PyTorch's phrase.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, NamedTuple, TypeVar, cast

from .._tensor import Tensor
from ..autograd._provenance import USER_FILES, user_line
from ..device import DTYPES, Device, DType, array_namespace

__all__ = ["NUMBERS", "accepted", "as_bool", "as_dtype", "as_int", "as_ints", "door", "explain_op",
           "explained", "kind_name", "outer_name", "wrong_argument"]  # fmt: skip

NUMBERS = (bool, int, float, complex)
_NONE: frozenset[str] = frozenset()
_VARARGS, _VARKEYWORDS = 0x04, 0x08  # inspect's CO_VARARGS and CO_VARKEYWORDS, which loads slowly


def kind_name(value: object) -> str:
    """The name of a value's class, as messages say it."""
    cls = type(value)
    if cls is DType:
        return "torch.dtype"
    if cls is Device:
        return "torch.device"
    return f"numpy.{cls.__name__}" if cls.__module__ == "numpy" else cls.__name__


def wrong_argument(
    function: str, parameter: str, position: int | None, expected: str, value: object
) -> TypeError:
    """PyTorch's error for an argument of the wrong kind."""
    at = "" if position is None else f" (position {position})"
    hint = ""
    if expected == "tuple of ints" and isinstance(value, (tuple, list)):
        index = next((i for i, n in enumerate(value) if not _is_int(n)), 0)
        if index:
            return TypeError(
                f"{function}(): argument '{parameter}' failed to unpack the object at pos "
                f'{index + 1} with error "type must be tuple of ints,but got '
                f'{kind_name(value[index])}"'
            )
        found = kind_name(value[0]) if value else "nothing"
        return TypeError(
            f"{function}(): argument '{parameter}'{at} must be tuple of ints, but found element "
            f"of type {found} at pos 0"
        )
    if "Tensor" in expected and type(value).__module__ == "numpy":
        hint = ". Wrap it first, without a copy: devgrad.from_numpy(array)"
    return TypeError(
        f"{function}(): argument '{parameter}'{at} must be {expected}, not {kind_name(value)}{hint}"
    )


# --- what fits ------------------------------------------------------------------------------------


def _single(value: Any, category: int) -> bool:
    """Whether it is a tensor of one element that may stand for a number of this category."""
    return (
        isinstance(value, Tensor)
        and not value._array.ndim
        and value._type.dtype.category <= category
    )


def _is_int(value: Any) -> bool:
    if value.__class__ is int:
        return True
    if isinstance(value, Tensor):
        return _single(value, 1) and value._type.dtype.category == 1
    return hasattr(value, "__index__") and not isinstance(value, bool) and not _is_numpy_bool(value)


def _is_numpy_bool(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "b"


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or (_is_numpy_bool(value) and not isinstance(value, Tensor)
                                       and not value.ndim)  # fmt: skip


def _is_scalar(value: Any) -> bool:
    """A number of NumPy's: a scalar, not an array."""
    xp = array_namespace(value)
    return xp is not None and isinstance(value, xp.scalar_types) and value.dtype.kind in "biufc"


def _is_float(value: Any) -> bool:
    return isinstance(value, (int, float)) or _is_scalar(value) or _single(value, 2)


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBERS) or _is_scalar(value) or _single(value, 3)


def _is_ints(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(map(_is_int, value))


def _is_device(value: Any) -> bool:
    return value is None or isinstance(value, (Device, str)) or _is_int(value)


def _is_tensors(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(x, Tensor) for x in value)


def _is_dtype(value: Any) -> bool:
    return isinstance(value, DType) or (isinstance(value, type) and value in _PYTHON_TYPES)


def as_dtype(value: Any) -> DType:
    """A dtype, also from Python's ``float``, ``int``, ``bool`` and ``complex``.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, DType):
        return value
    if not _is_dtype(value):
        raise wrong_argument(outer_name("dtype"), "dtype", None, "torch.dtype", value)
    return DTYPES[_PYTHON_TYPES[value]]


def _as_number(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _as_ints(value: Any) -> tuple[int, ...]:
    return tuple([int(n) for n in value])


_PYTHON_TYPES = {float: "float64", int: "int64", bool: "bool", complex: "complex128"}


class _Kind(NamedTuple):
    name: str  # what PyTorch calls it
    fits: Callable[[Any], bool]
    form: Callable[[Any], Any]  # gives it its one form
    plain: str = ""  # an expression that is true of {} in that form already


def _same(value: Any) -> Any:
    return value


_KINDS: dict[str, _Kind] = {  # by annotation
    "Tensor": _Kind(
        "Tensor", lambda v: isinstance(v, Tensor), _same,
        "{0}.__class__ is Tensor or isinstance({0}, Tensor)",
    ),
    "Array": _Kind("Tensor", lambda v: isinstance(v, Tensor), _same),
    "Arrays": _Kind("tuple of Tensors", _is_tensors, _same, "False"),
    "int": _Kind("int", _is_int, int, "{}.__class__ is int"),
    "float": _Kind(
        "float", _is_float, _as_number, "{0}.__class__ is float or {0}.__class__ is int"
    ),
    "bool": _Kind("bool", _is_bool, bool, "{}.__class__ is bool"),
    "str": _Kind("str", lambda v: isinstance(v, str), _same, "{}.__class__ is str"),
    "Number": _Kind(
        "Number", _is_number, _as_number, "{0}.__class__ is float or {0}.__class__ is int"
    ),
    "Ints": _Kind("tuple of ints", _is_ints, _as_ints, "not {}"),
    "DType": _Kind("torch.dtype", _is_dtype, as_dtype, "{}.__class__ is DType"),
    "AnyDevice": _Kind(
        "torch.device", _is_device, _same, "{0} is None or {0}.__class__ is Device"
    ),
    "Generator": _Kind("torch.Generator", lambda v: hasattr(v, "_stream"), _same, "False"),
    "MemoryFormat": _Kind(
        "torch.memory_format", lambda v: type(v).__name__ == "MemoryFormat", _same, "False"
    ),
    "None": _Kind("None", lambda v: v is None, _same, "{} is None"),
}  # fmt: skip
_KINDS["tuple[int, ...]"] = _KINDS["Sequence[int]"] = _KINDS["Ints"]
_KINDS["Sequence[Tensor]"] = _KINDS["Arrays"]


@functools.cache
def _kinds(annotation: str) -> tuple[_Kind, ...]:
    """The kinds that an annotation allows; none where it says nothing, as ``Any``."""
    kinds = [_KINDS.get(part) for part in annotation.split(" | ")]
    return () if None in kinds else tuple(kinds)  # type: ignore[arg-type]


def misfit(annotation: str, value: Any) -> str | None:
    """What an argument should have been; None where it fits, or where the annotation tells not."""
    kinds = _kinds(annotation)
    return None if not kinds or any(kind.fits(value) for kind in kinds) else kinds[0].name


def accepted(
    function: Any, name: str, parameter: str, value: Any, place: tuple[str, int] | None = None
) -> Any:
    """An argument in its one form: an int for a NumPy integer, a dtype for Python's ``float``.

    Args:
        place: what the user knows the parameter by, and its position; default as in ``function``.

    Raises:
        TypeError: it is of the wrong kind.
    """
    for kind in _kinds(function.__annotations__[parameter]):
        if kind.fits(value):
            return kind.form(value)
    if place is not None:
        expected = _kinds(function.__annotations__[parameter])[0].name
        raise wrong_argument(name, place[0], place[1], expected, value)
    wrong = find_wrong(function, name, {parameter: value})
    assert wrong is not None
    raise wrong


def door(function: Any, name: str, exempt: frozenset[str] = _NONE) -> list[str]:
    """Lines of written code that bring plain arguments into their one form, or refuse them.

    For an argument that has it already they cost a comparison. ``exempt``: kinds to let pass.
    """
    code = function.__code__
    lines = []
    for parameter in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        kinds = _kinds(str(function.__annotations__.get(parameter, "Any")))
        if kinds and all(kind.plain and kind.name not in exempt for kind in kinds):
            tests = " or ".join(kind.plain.format(parameter) for kind in reversed(kinds))
            lines += [
                f"if not ({tests}):",
                f"    {parameter} = accepted(function, '{name}', '{parameter}', {parameter})",
            ]
    return lines


def find_wrong(
    function: Any, name: str, given: dict[str, Any], exempt: frozenset[str] = _NONE
) -> TypeError | None:
    """The error for the first of the arguments (by name) that does not fit; None if all do."""
    code, notes = function.__code__, function.__annotations__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    offset = 0 if names[:1] != ("xp",) else 1
    for position, parameter in enumerate(names[offset:], 1):
        if parameter not in given:
            continue
        if given[parameter] is _MISSING:
            return TypeError(f"{name}() missing 1 required positional argument: '{parameter}'")
        if given[parameter] is _default_of(function, parameter):
            continue
        expected = misfit(str(notes.get(parameter, "Any")), given[parameter])
        if expected in exempt:
            continue
        if expected == "tuple of Tensors" and isinstance(given[parameter], (tuple, list)):
            index = next(
                i for i, x in enumerate(given[parameter]) if not isinstance(x, Tensor)
            )  # fmt: skip
            return TypeError(
                f"expected Tensor as element {index} in argument {position - 1}, but got "
                f"{kind_name(given[parameter][index])}"
            )
        if expected is not None:
            by_position = position + offset <= code.co_argcount
            return wrong_argument(
                name, parameter, position if by_position else None, expected, given[parameter]
            )
    operands = [p for p in given if str(notes.get(p, "")).startswith("Tensor | Number")]
    if operands and not any(isinstance(x, Tensor) for x in given.values()):
        return wrong_argument(name, operands[0], 1, "Tensor", given[operands[0]])
    return None


_MISSING = object()  # the value of a parameter that was not given, and has no default


def _default_of(function: Any, parameter: str) -> Any:
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    found = dict(zip(reversed(positional), reversed(defaults), strict=False))
    found.update(function.__kwdefaults__ or {})
    return found.get(parameter, _MISSING)


# --- arguments that would do harm unnoticed, checked beforehand -----------------------------------


def as_int(parameter: str, value: Any, function: str = "", position: int | None = 2) -> int:
    """An int, also from a NumPy integer or a 0-dim integer tensor.

    Args:
        function: for the message; found on the call stack if it is left out.

    Raises:
        TypeError: it is none.
    """
    if not _is_int(value):
        name = function or outer_name(parameter)
        raise wrong_argument(name, parameter, position, "int", value)
    return int(value)


def as_ints(
    parameter: str, value: Any, function: str = "", position: int | None = 2
) -> tuple[int, ...]:
    """A tuple of ints, from a tuple or list of ints; see `as_int`.

    Raises:
        TypeError: there is something else among them.
    """
    if not _is_ints(value):
        name = function or outer_name(parameter)
        single = isinstance(value, tuple) and len(value) == 1
        raise wrong_argument(
            name, parameter, position, "tuple of ints", value[0] if single else value
        )
    return _as_ints(value)


def as_bool(function: str, parameter: str, value: Any, position: int | None = None) -> bool:
    """A bool; None counts as False.

    Raises:
        TypeError: it is none.
    """
    if value is not None and not _is_bool(value):
        raise wrong_argument(function, parameter, position, "bool", value)
    return bool(value)


# --- public functions that explain themselves -----------------------------------------------------

# NumPy's names for parameters are understood wherever ours are, as in PyTorch.
NUMPY_NAMES = {"axis": "dim", "axes": "dims", "keepdims": "keepdim"}


_F = TypeVar("_F", bound=Callable[..., Any])


def explained(
    function: _F, name: str | None = None, *, out: bool = False, exempt: frozenset[str] = _NONE
) -> _F:
    """The public form of a function: with an error of its own for wrong arguments.

    It has the same parameters, takes NumPy's names for them (``axis``), and ``out=`` if that is
    wanted. Like an operation's function it is written when it is first called; see `_source`.
    ``exempt``: kinds of arguments, ``"bool"``, that may be anything.
    """
    scope: dict[str, Any] = {
        "function": function, "write": _write, "explain_call": explain_call, "missing": _MISSING,
        "called_otherwise": called_otherwise, "accepted": accepted, "DType": DType,
        "Tensor": Tensor, "Device": Device, "takes_out": out, "exempt": exempt,
    }  # fmt: skip
    public = FunctionType(_write_first.__code__, scope, name or function.__name__)
    functools.update_wrapper(public, function)
    public.__name__ = public.__qualname__ = name or function.__name__
    public.__module__ = "devgrad"
    scope["public"] = public
    return cast("_F", public)


def _write_first(*args: Any, **kwargs: Any) -> Any:
    # The body of an explained function until it is first called; its globals are those of its own.
    scope = globals()
    scope["write"](scope["public"], scope["function"], scope["takes_out"], scope["exempt"])
    return scope["public"](*args, **kwargs)


def _write(public: Any, function: Any, out: bool, exempt: frozenset[str]) -> None:
    defaults, keyword_defaults = function.__defaults__ or (), dict(function.__kwdefaults__ or {})
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    renamable = any(n in NUMPY_NAMES.values() for n in positional)
    first_default = next(
        (i for i, n in enumerate(positional) if renamable and n in NUMPY_NAMES.values()),
        len(positional) - len(defaults),
    )
    lacking = max(len(positional) - len(defaults) - first_default, 0)
    if out:
        keyword_defaults["out"] = None
    source = _source(
        public.__name__, function, lacking + len(defaults), keyword_defaults, out, exempt
    )
    made: dict[str, Any] = {}
    exec(compile(source, f"<devgrad {public.__name__}>", "exec"), public.__globals__, made)
    public.__code__ = made["written"].__code__.replace(co_name=public.__name__)
    public.__defaults__ = (_MISSING,) * lacking + defaults or None
    public.__kwdefaults__ = keyword_defaults or None


def _source(
    name: str, function: Any, optional: int, keyword_defaults: Any, out: bool,
    exempt: frozenset[str],
) -> str:  # fmt: skip
    """The written form; for ``prod(input: Tensor, dim: int | None = None)``, with ``out=``:

    def written(input, dim=None, *, out=None, **renamed):
        try:
            if renamed or out is not None:
                return called_otherwise(public, 'prod', out, renamed, dict(input=input, dim=dim))
            if not (dim is None or dim.__class__ is int):
                dim = accepted(function, 'prod', 'dim', dim)
            return function(input, dim)
        except Exception as error:
            raise explain_call(
                function, 'prod', error, dict(input=input, dim=dim), exempt
            ) from None
    """
    code: CodeType = function.__code__
    count = code.co_argcount
    positional = code.co_varnames[:count]
    keywords = code.co_varnames[count : count + code.co_kwonlyargcount]
    rest = list(code.co_varnames[count + code.co_kwonlyargcount :])
    varargs = rest.pop(0) if code.co_flags & _VARARGS else None
    varkeywords = rest.pop(0) if code.co_flags & _VARKEYWORDS else None
    renamed = varargs is None and varkeywords is None and any(
        n in NUMPY_NAMES.values() for n in (*positional, *keywords)
    )  # fmt: skip
    signature = [n if i < count - optional else f"{n}=None" for i, n in enumerate(positional)]
    if code.co_posonlyargcount:
        signature.insert(code.co_posonlyargcount, "/")
    if varargs or keywords or out:
        signature.append(f"*{varargs or ''}")
    signature += [f"{n}=None" if n in keyword_defaults else n for n in keywords]
    signature += ["out=None"] if out else []
    signature += [f"**{varkeywords or 'renamed'}"] if varkeywords or renamed else []
    call = [*positional, *([f"*{varargs}"] if varargs else []), *[f"{n}={n}" for n in keywords]]
    call += [f"**{varkeywords}"] if varkeywords else []
    given = f"dict({', '.join(f'{n}={n}' for n in (*positional, *keywords))})"
    lines = [f"def written({', '.join(signature)}):", "    try:"]
    if out or renamed:
        tests = [*(["renamed"] if renamed else []), *(["out is not None"] if out else [])]
        others = f"{'out' if out else 'None'}, {'renamed' if renamed else '{}'}"
        lines += [
            f"        if {' or '.join(tests)}:",
            f"            return called_otherwise(public, '{name}', {others}, {given})",
        ]
    lines += [f"        {line}" for line in door(function, name, exempt)]
    lines += [f"        return function({', '.join(call)})"]
    lines += [
        "    except Exception as error:",
        f"        raise explain_call(function, '{name}', error, {given}, exempt) from None",
    ]
    return "\n".join(lines)


def called_otherwise(
    public: Any, name: str, out: Any, renamed: dict[str, Any], given: dict[str, Any]
) -> Any:
    """A call with ``out=``, or with NumPy's names for parameters.

    Raises:
        TypeError: there is no such parameter.
    """
    from ._inplace import write_into

    for key, value in renamed.items():
        if NUMPY_NAMES.get(key) not in given:
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        given[NUMPY_NAMES[key]] = value
    return public(**given) if out is None else write_into(name, public, out, (), given)


def explain_call(
    function: Any, name: str, error: Exception, given: dict[str, Any],
    exempt: frozenset[str] = _NONE,
) -> Exception:  # fmt: skip
    """The error to raise where a function failed with ``error``, called with ``given``."""
    wrong = None if isinstance(error, Warning) else find_wrong(function, name, given, exempt)
    return error if wrong is None else wrong


def explain_op(op: Any, error: Exception, given: dict[str, Any]) -> Exception:
    """The same for an operation's forward, and the names in its function."""
    plain = {p.name: given[p.name] for p in op.parameters if p.kind == "plain"}
    return explain_call(op.forward, outer_name(op.name), error, plain)


_HELPERS = os.path.join("ops", "_")  # the files of ops/ that hold no public functions


def outer_name(name: str) -> str:
    """By what name the user called the function that is running; ``name`` if that is not known."""
    user_line()  # which tells the user's files from our own
    frame = sys._getframe(1)
    written = False
    while frame.f_back is not None and frame.f_code.co_filename not in USER_FILES:
        called = frame.f_code.co_name
        if called == "changed" and "name" in frame.f_locals:
            name, written = f"{frame.f_locals['name']}_", True
        elif frame.f_code.co_filename.startswith("<devgrad "):
            name, written = called if called != "vjp" else name, True
        elif not written and called[0] != "<" and _HELPERS not in frame.f_code.co_filename:
            name = called.lstrip("_")
        frame = frame.f_back
    return name
