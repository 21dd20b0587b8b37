"""Where autocast gets in: each function on its lists is given a door that looks at the mode.

Doors are put in when autocast is first used, so they cost nothing in a program without it. As the
functions have been handed out already (``from devgrad import matmul``), it is their code that is
replaced; what they were before goes on as a twin.
"""

from __future__ import annotations

import threading
import weakref
from types import FunctionType
from typing import Any, NoReturn

from .. import ops
from .._tensor import Tensor
from ..autograd._modes import mode
from ..device import DTYPES, DType
from ..ops._arguments import _write_first
from ..ops._op import FUNCTIONS, METHODS, _compile_first

__all__ = ["State", "put_in", "state"]


class State(threading.local):
    """Autocast's mode in one thread.

    Attributes:
        lower: the dtype that is computed in, by the kind of device; those where it is enabled.
        dtypes: the dtype that was set, enabled or not.
        depth: in how many regions the thread is.
        caching: whether what parameters were cast to is kept until the outermost region's end.
        cache: by a parameter's ``id``: a weak reference to it, its version, and what was made.
    """

    def __init__(self) -> None:
        self.lower: dict[str, DType] = {}
        self.dtypes: dict[str, DType] = {"cuda": DTYPES["float16"]}
        self.depth = 0
        self.caching = True
        self.cache: dict[Any, tuple[Any, int, Tensor]] = {}


state = State()
_lock = threading.Lock()
_done: list[bool] = []
_FILE = "<devgrad autocast>"

# Its frames count as devgrad's own, not as the user's line.
_DOOR = """
def door(*args, **kwargs):
    if autocast_state.lower:
        return autocast_call({twin}_policy, {twin}, args, kwargs)
    return {twin}(*args, **kwargs)
"""


def put_in() -> None:
    """Give all functions on the lists their doors, if they have none yet."""
    with _lock:
        if _done:
            return
        ops.load_all()
        from ._lists import POLICIES

        for name, policy in POLICIES.items():
            changed = METHODS.get(f"{name}_")  # the in-place form keeps its tensor's dtype
            if isinstance(changed, FunctionType):
                _hang(changed, {"cpu": "as it is", "cuda": "as it is"})
            space, _, last = name.rpartition(".")
            spaces = (space,) if space else ("", "nn.functional", "special")
            functions = [FUNCTIONS.get(s, {}).get(last) for s in spaces]
            functions += [] if space else [METHODS.get(last)]
            for function in {id(f): f for f in functions if f is not None}.values():
                _hang(function, policy)
            method = None if space else METHODS.get(last)
            if method is not None and getattr(method, "__closure__", None):
                setattr(Tensor, last, _beside(method, policy))
        _done.append(True)


def _written(twin: str, name: str, scope: dict[str, Any]) -> Any:
    made: dict[str, Any] = {}
    scope |= {"autocast_state": state, "autocast_call": _call}
    exec(compile(_DOOR.format(twin=twin), _FILE, "exec"), scope, made)
    made["door"].__code__ = made["door"].__code__.replace(co_name=name)
    return made["door"]


def _hang(function: Any, policy: dict[str, str]) -> None:
    """Put a door before a function; one with a closure is no public function itself."""
    if function.__closure__ or function.__code__.co_filename == _FILE:  # or has one already
        return
    _write(function)
    twin = FunctionType(function.__code__, function.__globals__, function.__name__,
                        function.__defaults__)  # fmt: skip
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__dict__.update(function.__dict__)
    name = f"autocast_{function.__name__}_{id(function)}"
    function.__globals__.update({name: twin, f"{name}_policy": policy})
    function.__code__ = _written(name, function.__name__, function.__globals__).__code__
    function.__defaults__ = function.__kwdefaults__ = None
    function.__dict__.setdefault("__wrapped__", twin)  # for its signature


def _write(function: Any) -> None:
    """Have a function written that would be written when it is first called."""
    scope = function.__globals__
    if function.__code__ is _compile_first.__code__:
        from ..ops._compile import build

        build(scope["op"], function.__kwdefaults__["_face"])
    elif function.__code__ is _write_first.__code__:
        scope["write"](scope["public"], scope["function"], scope["takes_out"], scope["exempt"])


def _beside(method: Any, policy: dict[str, str]) -> Any:
    """A door for a method that is called by nobody else."""
    scope = {"method": method, "method_policy": policy}
    door = _written("method", method.__name__, scope)
    door.__name__ = door.__qualname__ = method.__name__
    door.__doc__, door.__wrapped__ = method.__doc__, method
    return door


def _call(policy: dict[str, str], function: Any, args: Any, kwargs: Any) -> Any:
    """Call a function as autocast has it."""
    lower = state.lower
    place = next((d for x in (*args, *kwargs.values()) for d in _places(x) if d in lower), None)
    how = policy.get(place) if place is not None else None
    if place is None or how is None:
        return function(*args, **kwargs)
    if how == "banned":
        _refuse(function.__name__)
    if how != "as it is" and kwargs.get("out") is None:
        dtype = DTYPES["float32"]
        everything = (*args, *kwargs.values())
        if how == "lower" or (
            how == "widest" and not any(_is_float32(x, place) for x in everything)
        ):
            dtype = lower[place]
        args = [_cast(x, place, dtype) for x in args]
        kwargs = {name: _cast(x, place, dtype) for name, x in kwargs.items()}
    state.lower = {}  # what the function calls in turn is its own business
    try:
        return function(*args, **kwargs)
    finally:
        state.lower = lower


def _places(x: Any) -> list[str]:
    if isinstance(x, Tensor):
        return [x._type.device.type]
    return [d for item in x for d in _places(item)] if isinstance(x, (list, tuple)) else []


def _eligible(x: Any, place: str) -> bool:
    kind = x._type
    return (
        kind.device.type == place
        and kind.dtype.is_floating_point
        and kind.dtype is not DTYPES["float64"]
    )


def _is_float32(x: Any, place: str) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_is_float32(item, place) for item in x)
    return isinstance(x, Tensor) and _eligible(x, place) and x.dtype is DTYPES["float32"]


def _cast(x: Any, place: str, dtype: DType) -> Any:
    if isinstance(x, (list, tuple)) and any(isinstance(item, Tensor) for item in x):
        return type(x)([_cast(item, place, dtype) for item in x])
    if not isinstance(x, Tensor) or not _eligible(x, place) or x.dtype is dtype:
        return x
    if not (state.caching and x.is_leaf and x.requires_grad and x._view is None):
        return x.to(dtype)
    # A parameter is cast once for all its uses, and its gradients are added up in the lower
    # precision. One that was cast without being recorded is not the same.
    key = (id(x), dtype, mode.grad is not False)
    found = state.cache.get(key)
    if found is not None and found[0]() is x and found[1] == x._version:
        return found[2]
    made: Tensor = x.to(dtype)
    state.cache[key] = (weakref.ref(x), x._version, made)
    return made


def _refuse(name: str) -> NoReturn:
    raise RuntimeError(
        f"torch.nn.functional.{name} and torch.nn.BCELoss are unsafe to autocast.\n"
        "Many models use a sigmoid layer right before the binary cross entropy layer.\n"
        "In this case, combine the two layers using "
        "torch.nn.functional.binary_cross_entropy_with_logits\n"
        "or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are\n"
        "safe to autocast."
    )
