"""Several GPUs: what is computed runs with the device of its tensors current.

CuPy launches and allocates on the current device, also if it is given arrays of another. With one
GPU that is no question, and nothing here is used. When a second is first asked for, every face of
every operation, every method of `Tensor` and the engine get a guard, which costs about a
microsecond where the device is current already.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from importlib import import_module
from types import FunctionType
from typing import Any

from .._tensor import Tensor
from ..autograd import _api, _engine
from ..device import TensorType, current_device
from ._op import OPS, Op

__all__ = ["guard_everything", "guard_methods"]

_NOTHING = nullcontext()
_DONE = "guarded_by_device"

# Their frames count as devgrad's own, not as the user's line.
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
            if device.type == "cuda":
                return device.xp.on_device(device.index)
        elif isinstance(x, (tuple, list)) and x and isinstance(x[0], Tensor):
            return _on_device_of(x)
        elif isinstance(getattr(x, "kind", None), TensorType) and x.kind.device.type == "cuda":
            return x.kind.xp.on_device(x.kind.device.index)
    return _NOTHING


def _compiled(inner: str, name: str, scope: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    exec(compile(_GUARD.format(inner=inner), "<devgrad guard>", "exec"), scope, made)
    function = made["guarded"]
    function.__code__ = function.__code__.replace(co_name=name)
    function.__name__ = function.__qualname__ = name
    return function


def _guard(function: Any, inner: str) -> None:
    """Guard a function that has been handed out already: only its code can be replaced.

    It calls a twin of what it was, which its globals have by the name ``inner``.
    """
    if hasattr(function, _DONE):
        return
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    function.__globals__.update({"on_device_of": _on_device_of, inner: twin})
    function.__code__ = _compiled(inner, function.__name__, {}).__code__
    function.__defaults__ = function.__kwdefaults__ = None
    function.__wrapped__ = twin
    setattr(function, _DONE, True)


def _guard_face(op: Op, face: str) -> None:
    function = getattr(op, face)
    if function is None:
        return
    if "_face" in (function.__kwdefaults__ or {}):  # not written yet
        from ._compile import build

        build(op, face)
    _guard(function, f"guarded_{face}")


def _guarded_method(method: Any) -> Any:
    guarded = _compiled(
        "method", method.__name__, {"on_device_of": _on_device_of, "method": method}
    )
    guarded.__wrapped__, guarded.__doc__ = method, method.__doc__
    setattr(guarded, _DONE, True)
    return guarded


def guard_methods(cls: type, names: Iterable[str]) -> None:
    """Guard methods of a class."""
    for name in names:
        method = vars(cls)[name]
        if not hasattr(method, _DONE):
            setattr(cls, name, _guarded_method(method))


def _run(*args: Any, **kwargs: Any) -> None:
    with current_device.kept():
        _engine.run(*args, **kwargs)


def guard_everything() -> None:
    """Put the guards in. What is guarded stays so."""
    for op in list(OPS.values()):
        for face in ("function", "operator", "inplace"):
            _guard_face(op, face)
    guard_methods(Tensor, [
        name for name, method in vars(Tensor).items()
        if isinstance(method, FunctionType)
        and name not in ("__new__", "__init__", "__hash__", "_own_edge", "_dim")
    ])  # fmt: skip
    setattr(_api, "run", _run)  # noqa: B010
    _guard(_api.backward, "guarded_backward")
    _guard(_api.grad, "guarded_grad")
    checks = import_module("devgrad.autograd.gradcheck")
    _guard(checks.gradcheck, "guarded_gradcheck")
    _guard(checks.gradgradcheck, "guarded_gradgradcheck")
