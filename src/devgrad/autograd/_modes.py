"""Grad mode: whether operations are recorded. It belongs to the thread."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..device import quiet

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "is_inference_mode_enabled",
           "mode", "no_grad", "set_grad_enabled", "set_recorder"]  # fmt: skip

_new = object.__new__
F = TypeVar("F", bound=Callable[..., Any])


class _Mode(threading.local):
    """The modes of one thread. Every operation reads ``mode.grad``.

    Attributes:
        grad: False where nothing is recorded; otherwise ``recorder``.
        recorder: True, or an object whose ``made(node)`` is called with each node that is made.
        inference: whether tensors are made without a version.
        run: the backward pass that calls hooks now.
        sources: ranks of the nodes of what `func` and forward mode differentiate by now.
    """

    grad: Any = True
    recorder: Any = True
    inference = False
    run: Any = None
    sources: frozenset[int] = frozenset()

    def __init__(self) -> None:
        # Run once in each thread that uses devgrad.
        quiet()


mode = _Mode()


def set_recorder(recorder: Any) -> None:
    """Have ``recorder`` told of each node that is made from now on; True: nobody."""
    mode.recorder = recorder
    if mode.grad:
        mode.grad = recorder


class _ModeContext:
    """A context manager, decorator (of functions and generators) that sets the modes."""

    _before: Any = None  # (what to go back to, the _before of an enclosing use of this object)
    _wanted: bool  # the grad mode inside

    def __enter__(self) -> None:
        self._before = (mode.grad, self._before)
        mode.grad = self._wanted and mode.recorder

    def __exit__(self, *exc: object) -> None:
        mode.grad, self._before = self._before

    def clone(self) -> _ModeContext:
        """A fresh one, since one object must not be entered by two calls at once."""
        fresh = object.__new__(type(self))
        fresh._wanted = self._wanted
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

    _wanted = False

    def __new__(cls, orig_func: Any = None) -> Any:
        return _new(cls) if orig_func is None else cls()(orig_func)


class enable_grad(_ModeContext):
    """Operations are recorded inside, also within `no_grad`."""

    _wanted = True

    def __new__(cls, orig_func: Any = None) -> Any:
        return _new(cls) if orig_func is None else cls()(orig_func)


def _set_grad(value: bool) -> Any:
    """Set the grad mode; what it was before is returned."""
    before, mode.grad = mode.grad, value and mode.recorder
    return before


class set_grad_enabled(_ModeContext):
    """Turn recording on or off: at once when called, and back at the end of a ``with`` block."""

    def __init__(self, mode: bool) -> None:
        self._wanted = bool(mode)
        self._at_call = _set_grad(self._wanted)

    def __enter__(self) -> None:
        self._before = (self._at_call, self._before)
        mode.grad = self._wanted and mode.recorder

    def clone(self) -> _ModeContext:
        return set_grad_enabled(self._wanted)

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

    _outer: Any = None  # as _before, of the inference mode

    def __init__(self, mode: bool = True) -> None:
        self._wanted = not mode

    def __enter__(self) -> None:
        self._outer = (mode.inference, self._outer)
        mode.inference = not self._wanted
        super().__enter__()

    def __exit__(self, *exc: object) -> None:
        mode.inference, self._outer = self._outer
        super().__exit__(*exc)


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread now."""
    return mode.grad is not False


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return mode.inference
