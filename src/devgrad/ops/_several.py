"""Several GPUs: what is computed runs with the device of its tensors current.

CuPy launches and allocates on the current device, also if it is given arrays of another. With one
GPU that is no question, and nothing here is used. When a second is first asked for, every
operation, every method of `Tensor` and the engine get a guard, which costs about a microsecond
where the device is current already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from types import FunctionType
from typing import Any

from .._tensor import Tensor
from ..autograd import _api, _engine
from ..device import TensorType, current_device
from ._arguments import _write_first
from ._op import FUNCTIONS, OPS, _compile_first

__all__ = ["guard_everything", "guard_functions", "guard_methods"]

_NOTHING = nullcontext()
_MARK = "guarded_by_device"
_UNWRITTEN = (_compile_first.__code__, _write_first.__code__)

# Its frames count as devgrad's own, not as the user's line.
_GUARD = """
def guarded(*args, **kwargs):
    with on_device_of((*args, *kwargs.values())):
        return {inner}(*args, **kwargs)
"""


def _on_device_of(args: Any) -> Any:
    """A context in which the device of the first CUDA tensor among the arguments is current.

    What works on arrays of one kind, and has this as its attribute ``kind``, counts as well.
    """
    for x in args:
        if isinstance(x, Tensor):
            device = x._type.device
        elif isinstance(x, (tuple, list)) and x and isinstance(x[0], Tensor):
            return _on_device_of(x)
        elif isinstance(getattr(x, "kind", None), TensorType):
            device = x.kind.device
        else:
            continue
        if device.type == "cuda":
            return device.xp.on_device(device.index)
    return _NOTHING


def _compiled(inner: str, name: str, scope: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    exec(compile(_GUARD.format(inner=inner), "<devgrad guard>", "exec"), scope, made)
    function = made["guarded"]
    function.__code__ = function.__code__.replace(co_name=name)
    function.__name__ = function.__qualname__ = name
    return function


def _guard(function: Any) -> None:
    """Guard a function that has been handed out already: only its code can be replaced.

    It calls a twin of what it was, which its globals have by another name.
    """
    if hasattr(function, _MARK) or function.__closure__:
        return
    if function.__code__ in _UNWRITTEN:
        _guard_later(function)
        return
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    name = f"guarded_{function.__name__}_{id(function)}"
    function.__globals__.update({"on_device_of": _on_device_of, name: twin})
    function.__code__ = _compiled(name, function.__name__, {}).__code__
    function.__defaults__ = function.__kwdefaults__ = None
    attributes = dict(function.__dict__)
    function.__dict__.setdefault("__wrapped__", twin)  # for its signature
    setattr(function, _MARK, True)
    current_device.when_forgotten(partial(_unguard, function, twin, name, attributes))


def _unguard(function: Any, twin: Any, name: str, attributes: dict[str, Any]) -> None:
    function.__code__ = twin.__code__
    function.__defaults__, function.__kwdefaults__ = twin.__defaults__, twin.__kwdefaults__
    del function.__globals__[name]
    function.__dict__.clear()
    function.__dict__.update(attributes)


def _guard_later(function: Any) -> None:
    """Guard a function that is written only when it is first called, and is then another."""
    saved = function.__code__, function.__defaults__, function.__kwdefaults__
    name = f"first_{function.__name__}_{id(function)}"

    def restore() -> None:
        if function.__globals__.pop(name, None) is not None:
            function.__code__, function.__defaults__, function.__kwdefaults__ = saved
            delattr(function, _MARK)

    def first(*args: Any, **kwargs: Any) -> Any:
        restore()
        try:
            return function(*args, **kwargs)
        finally:
            _guard(function)

    function.__globals__.update({"on_device_of": _on_device_of, name: first})
    function.__code__ = _compiled(name, function.__name__, {}).__code__
    function.__defaults__ = function.__kwdefaults__ = None
    setattr(function, _MARK, True)
    current_device.when_forgotten(restore)


def guard_functions(*functions: Any) -> None:
    """Guard functions, by the first of their arguments that tells a device."""
    for function in functions:
        _guard(function)


def guard_methods(cls: Any, names: Iterable[str]) -> None:
    """Guard methods of a class."""
    for name in names:
        method = vars(cls)[name]
        if hasattr(method, _MARK):
            continue
        guarded = _compiled(
            "method", method.__name__, {"on_device_of": _on_device_of, "method": method}
        )
        guarded.__wrapped__, guarded.__doc__ = method, method.__doc__
        setattr(guarded, _MARK, True)
        setattr(cls, name, guarded)
        current_device.when_forgotten(partial(setattr, cls, name, method))


def _run(*args: Any, **kwargs: Any) -> None:
    with current_device.kept():
        _engine.run(*args, **kwargs)


def guard_everything() -> None:
    """Put the guards in."""
    functions: list[Any] = []
    for op in list(OPS.values()):
        for face in ("function", "operator", "inplace"):
            functions.append(getattr(op, face))
    functions += [f for space in FUNCTIONS.values() for f in space.values()]
    checks = import_module("devgrad.autograd.gradcheck")
    functions += [_api.backward, _api.grad, checks.gradcheck, checks.gradgradcheck]
    guard_functions(*[f for f in functions if isinstance(f, FunctionType)])
    guard_methods(Tensor, [
        name for name, method in vars(Tensor).items()
        if isinstance(method, FunctionType)
        and name not in ("__new__", "__init__", "__hash__", "_own_edge", "_dim")
    ])  # fmt: skip
    run: Callable[..., None] = _api.run  # type: ignore[attr-defined]
    setattr(_api, "run", _run)  # noqa: B010
    current_device.when_forgotten(partial(setattr, _api, "run", run))
