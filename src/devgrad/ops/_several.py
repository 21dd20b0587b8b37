"""Several GPUs: what is computed runs with the device of its tensors current.

CuPy launches and allocates on the current device, also if it is given arrays of another. With one
GPU that is no question, and nothing here is used. When a second is first asked for, every face of
every operation, every method of `Tensor` and the engine get a guard, which costs about a
microsecond where the device is current already.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import FunctionType
from typing import Any

from .._tensor import Tensor
from ..autograd import _api, _engine
from ..device import current_device
from ._op import OPS, Op

__all__ = ["guard_everything"]

_NOTHING = nullcontext()
_DONE = "guarded_by_device"

# Their frames count as devgrad's own, not as the user's line.
_FACE = """
def guarded(*args, **kwargs):
    with on_device_of(args):
        return guarded_{face}(*args, **kwargs)
"""
_METHOD = """
def guarded(*args, **kwargs):
    with on_device_of(args):
        return method(*args, **kwargs)
"""


def _on_device_of(args: Any) -> Any:
    """A context in which the device of the first CUDA tensor among the arguments is current."""
    for x in args:
        if isinstance(x, Tensor):
            device = x._type.device
            if device.type == "cuda":
                return device.xp.on_device(device.index)
        elif isinstance(x, (tuple, list)) and x and isinstance(x[0], Tensor):
            return _on_device_of(x)
    return _NOTHING


def _compiled(source: str, name: str, scope: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    exec(compile(source, "<devgrad guard>", "exec"), scope, made)
    function = made["guarded"]
    function.__name__ = function.__qualname__ = name
    return function


def _guard_face(op: Op, face: str) -> None:
    target = getattr(op, face)
    if target is None or hasattr(target, _DONE):
        return
    if "_face" in (target.__kwdefaults__ or {}):  # not written yet
        from ._compile import build

        build(op, face)
    inner = FunctionType(
        target.__code__, target.__globals__, target.__name__, target.__defaults__,
        target.__closure__,
    )  # fmt: skip
    inner.__kwdefaults__ = target.__kwdefaults__
    op.namespace.update({"on_device_of": _on_device_of, f"guarded_{face}": inner})
    # The function itself has been handed out under many names: only its code can be replaced.
    target.__code__ = _compiled(_FACE.format(face=face), target.__name__, {}).__code__
    target.__defaults__ = target.__kwdefaults__ = None
    target.__wrapped__ = inner
    setattr(target, _DONE, True)


def _guarded_method(method: Any) -> Any:
    guarded = _compiled(
        _METHOD, method.__name__, {"on_device_of": _on_device_of, "method": method}
    )
    guarded.__wrapped__, guarded.__doc__ = method, method.__doc__
    setattr(guarded, _DONE, True)
    return guarded


def _run(*args: Any, **kwargs: Any) -> None:
    with current_device.kept():
        _engine.run(*args, **kwargs)


def guard_everything() -> None:
    """Put the guards in. What is guarded stays so."""
    for op in list(OPS.values()):
        for face in ("function", "operator", "inplace"):
            _guard_face(op, face)
    for name, method in list(vars(Tensor).items()):
        if (
            isinstance(method, FunctionType)
            and not hasattr(method, _DONE)
            and name not in ("__new__", "__init__", "__hash__", "_own_edge", "_dim")
        ):
            setattr(Tensor, name, _guarded_method(method))
    setattr(_api, "run", _run)  # noqa: B010
