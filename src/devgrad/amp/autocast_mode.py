"""autocast: regions in which functions choose their precision; see `_lists` and `_doors`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._tensor import Tensor
from ..device import DTYPES, DType, cuda_problem, user_stacklevel
from ._doors import put_in, state

__all__ = [
    "autocast", "clear_autocast_cache", "custom_bwd", "custom_fwd", "get_autocast_dtype",
    "is_autocast_available", "is_autocast_cache_enabled", "is_autocast_enabled", "same_autocast",
    "set_autocast_cache_enabled", "set_autocast_dtype", "set_autocast_enabled",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows this kind of device: ``"cpu"`` or ``"cuda"``."""
    return device_type in ("cpu", "cuda")


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether this thread is in an enabled region for this kind of device."""
    return device_type in state.lower


def get_autocast_dtype(device_type: str) -> DType:
    """The dtype that regions compute in where they do not say one.

    Raises:
        RuntimeError: on the CPU it is PyTorch's bfloat16, which devgrad does not have.
    """
    found = state.dtypes.get(device_type)
    if found is None:
        raise RuntimeError(
            "autocast on the CPU computes in bfloat16, unless it is told otherwise, and devgrad "
            "does not have bfloat16 (NumPy has none). Choose float16: "
            f'autocast("{device_type}", dtype=devgrad.float16)'
        )
    return found


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Begin or end casting in this thread; `autocast` is the usual way."""
    lower = {d: dtype for d, dtype in state.lower.items() if d != device_type}
    if enabled:
        put_in()
        lower[device_type] = get_autocast_dtype(device_type)
    state.lower = lower


def set_autocast_dtype(device_type: str, dtype: DType) -> None:
    """Set the dtype of this thread's regions on this kind of device."""
    state.dtypes = {**state.dtypes, device_type: dtype}
    if device_type in state.lower:
        state.lower = {**state.lower, device_type: dtype}


def is_autocast_cache_enabled() -> bool:
    """Whether parameters are cast once for a region."""
    return state.caching


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Say whether parameters are cast once for a region."""
    state.caching = bool(enabled)


def clear_autocast_cache() -> None:
    """Forget what parameters were cast to."""
    state.cache.clear()


class autocast:
    """A region that computes in mixed precision: ``with autocast("cuda"): ...``, or a decorator.

    Products of matrices and convolutions are computed in ``dtype``; exponentials, norms, sums and
    losses in float32; functions of several tensors in the widest dtype of theirs. The lists are
    PyTorch's. Tensors in float64 are left alone. Backward passes go through the same dtypes and
    belong outside of the region.

    Args:
        device_type: ``"cuda"`` or ``"cpu"``: what kind of tensors it is about.
        dtype: default float16 on CUDA. On the CPU it has to be given, since PyTorch's default,
            bfloat16, is not there.
        enabled: False makes a region within a region that casts nothing.
        cache_enabled: whether a parameter is cast once for all its uses in the region.

    Raises:
        RuntimeError: there is no such kind of device, or no dtype for it.

    >>> import devgrad
    >>> with devgrad.autocast("cpu", dtype=devgrad.float16):
    ...     devgrad.ones(2, 2) @ devgrad.ones(2, 2)
    tensor([[2., 2.],
            [2., 2.]], dtype=torch.float16)
    """

    def __init__(
        self, device_type: str, dtype: DType | None = None, enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if not is_autocast_available(device_type):
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        enabled = bool(enabled)
        if enabled and device_type == "cuda" and cuda_problem() is not None:
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.",
                stacklevel=user_stacklevel(),
            )
            enabled = False
        if enabled and dtype is None:
            dtype = get_autocast_dtype(device_type)
        if enabled and dtype is not DTYPES["float16"]:
            name = device_type.upper()
            warnings.warn(
                f"In {name} autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"{name} Autocast only supports dtypes of torch.float16 currently.",
                stacklevel=user_stacklevel(),
            )
            enabled = False
        self.device = device_type
        self.fast_dtype = dtype
        self._enabled = enabled
        self._cache_enabled = state.caching if cache_enabled is None else bool(cache_enabled)
        self._before: list[Any] = []  # one entry for each time it was entered

    def __enter__(self) -> autocast:
        if self._enabled:
            put_in()
        self._before.append((state.lower, state.dtypes, state.caching))
        lower = {d: dtype for d, dtype in state.lower.items() if d != self.device}
        if self.fast_dtype is not None:
            state.dtypes = {**state.dtypes, self.device: self.fast_dtype}
            if self._enabled:
                lower[self.device] = self.fast_dtype
        state.lower, state.caching = lower, self._cache_enabled
        state.depth += 1
        return self

    def __exit__(self, *exc: object) -> None:
        state.depth -= 1
        if not state.depth:
            clear_autocast_cache()
        state.lower, state.dtypes, state.caching = self._before.pop()

    def __call__(self, func: F) -> F:
        """The function, in a region of its own at each call."""
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. Did you "
                "mean to use autocast as a context manager? For example:\n    with "
                "torch.autocast(device_type=...):\n        output = model(input)"
            )

        @functools.wraps(func)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            region = autocast(
                self.device, self.fast_dtype, self._enabled, self._cache_enabled
            )  # its own, for threads and recursion
            with region:
                return func(*args, **kwargs)

        return decorated  # type: ignore[return-value]


class same_autocast:
    """The modes of now, for a later time: what is computed again is computed alike."""

    def __init__(self) -> None:
        self._then = state.lower, state.dtypes, state.caching
        self._before: list[Any] = []

    def __enter__(self) -> None:
        self._before.append((state.lower, state.dtypes, state.caching))
        state.lower, state.dtypes, state.caching = self._then
        state.depth += 1

    def __exit__(self, *exc: object) -> None:
        state.depth -= 1
        if not state.depth:
            clear_autocast_cache()
        state.lower, state.dtypes, state.caching = self._before.pop()


def _cast(value: Any, device_type: str, dtype: DType) -> Any:
    """The value, or what it contains, with floating-point tensors in this dtype."""
    if isinstance(value, Tensor):
        eligible = (
            value.is_floating_point()
            and value.device.type == device_type
            and value.dtype is not DTYPES["float64"]
        )
        return value.to(dtype) if eligible else value
    if isinstance(value, Mapping):
        return {name: _cast(item, device_type, dtype) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_cast(item, device_type, dtype) for item in value])
    return value


def custom_fwd(fwd: Any = None, *, device_type: str, cast_inputs: DType | None = None) -> Any:
    """Decorate the ``forward`` of an `autograd.Function` that is to be used under autocast.

    Args:
        device_type: the kind of device that it is about.
        cast_inputs: within a region, bring its tensors to this dtype, and cast nothing inside.
            None: let the region go on inside.

    >>> import devgrad
    >>> class Double(devgrad.autograd.Function):
    ...     @staticmethod
    ...     @devgrad.amp.custom_fwd(device_type="cpu", cast_inputs=devgrad.float32)
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @devgrad.amp.custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> with devgrad.autocast("cpu", dtype=devgrad.float16):
    ...     Double.apply(devgrad.ones(2, dtype=devgrad.float16))
    tensor([2., 2.])
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        ctx, casting = args[0], is_autocast_enabled(device_type)
        ctx._dtype = state.dtypes.get(device_type)
        ctx._fwd_used_autocast = casting and cast_inputs is None
        if not casting or cast_inputs is None:
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            rest = _cast(args[1:], device_type, cast_inputs)
            return fwd(ctx, *rest, **_cast(kwargs, device_type, cast_inputs))

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str) -> Any:
    """Decorate the ``backward`` that belongs to `custom_fwd`: it runs in the forward's mode."""
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        ctx = args[0]
        with autocast(device_type, ctx._dtype, ctx._fwd_used_autocast):
            return bwd(*args, **kwargs)

    return backward
