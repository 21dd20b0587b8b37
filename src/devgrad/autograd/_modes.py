"""Grad mode: whether operations are recorded. It belongs to the thread."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..device import quiet

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled",
           "mode", "no_grad", "set_grad_enabled"]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


class _Mode(threading.local):
    """The modes of one thread. Every operation reads ``mode.grad``."""

    grad = True
    inference = False

    def __init__(self) -> None:
        # Run once in each thread that uses devgrad.
        quiet()


mode = _Mode()


class _ModeContext:
    """A context manager, decorator (of functions and generators) that sets the modes."""

    _before: Any = None  # (what to go back to, the _before of an enclosing use of this object)
    _wanted: tuple[bool, bool | None]

    def __init__(self, grad: bool, inference: bool | None = None) -> None:
        self._wanted = (grad, inference)

    def __enter__(self) -> None:
        self._before = (mode.grad, mode.inference, self._before)
        mode.grad, inference = self._wanted
        if inference is not None:
            mode.inference = inference

    def __exit__(self, *exc: object) -> None:
        mode.grad, mode.inference, self._before = self._before

    def clone(self) -> _ModeContext:
        """A fresh one, since one object must not be entered by two calls at once."""
        fresh = object.__new__(type(self))
        _ModeContext.__init__(fresh, *self._wanted)
        return fresh

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return self._around_generator(function)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def _around_generator(self, function: F) -> F:
        # The mode holds while the generator's body runs, not while it waits.
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            action: Callable[[], Any] = functools.partial(next, generator)
            while True:
                with self.clone():
                    try:
                        value = action()
                    except StopIteration as stop:
                        return stop.value
                try:
                    sent = yield value
                    action = functools.partial(generator.send, sent)
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:
                    action = functools.partial(generator.throw, error)

        return wrapped  # type: ignore[return-value]


class no_grad(_ModeContext):
    """Nothing is recorded inside: ``with no_grad(): ...``, or ``@no_grad`` before a function.

    >>> import devgrad
    >>> x = devgrad.ones(2, requires_grad=True)
    >>> with devgrad.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)

    _wanted = (False, None)

    def __init__(self) -> None:
        pass

    def __enter__(self) -> None:
        # As inherited, without a look at the inference mode: every training step comes by.
        self._before = (mode.grad, mode.inference, self._before)
        mode.grad = False


class enable_grad(_ModeContext):
    """Operations are recorded inside, also within `no_grad`."""

    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)

    _wanted = (True, None)

    def __init__(self) -> None:
        pass


class set_grad_enabled(_ModeContext):
    """Turn recording on or off: at once when called, and back at the end of a ``with`` block."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._set()

    def _set(self) -> None:
        self._at_call = mode.grad
        mode.grad = self._wanted[0]

    def __enter__(self) -> None:
        if mode.grad is self._wanted[0]:
            self._before = (self._at_call, mode.inference, self._before)
        else:
            super().__enter__()

    def __call__(self, function: F) -> F:
        mode.grad = self._at_call  # as a decorator it says nothing about the present
        return super().__call__(function)


class inference_mode(_ModeContext):
    """No recording, and no version counting: its tensors can never enter a graph.

    Args:
        mode: False makes it do the opposite within an outer inference mode.
    """

    def __new__(cls, mode: Any = True) -> Any:
        return cls()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode, bool(mode))


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread now."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return mode.inference
