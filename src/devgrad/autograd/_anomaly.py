"""Anomaly mode: the first node whose gradient is NaN is named, with the line that made it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..device import check_on_cuda, user_stacklevel

__all__ = ["anomaly", "detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled",
           "set_detect_anomaly"]  # fmt: skip


class _Anomaly:
    """The mode, which all threads share."""

    enabled = False
    check_nan = True
    # Called by the engine with a node that has run and what it gave; None while there is nothing
    # to check.
    check: Callable[[Any, Sequence[Any], Sequence[Any], Any], None] | None = None

    def set(self, enabled: bool, check_nan: bool) -> None:
        self.enabled, self.check_nan = enabled, check_nan
        self.check = refuse_nan if enabled and check_nan else None
        check_on_cuda("anomaly", enabled)


anomaly = _Anomaly()


def refuse_nan(node: Any, grads: Sequence[Any], edges: Sequence[Any], arrived: Any) -> None:
    """Raise if a gradient that ``node`` gave is NaN somewhere.

    Raises:
        RuntimeError: with the line of the operation.
    """
    for index, (g, edge) in enumerate(zip(grads, edges, strict=False)):
        if g is None or edge is None or g is arrived:  # what is handed on was looked at before
            continue
        array = getattr(g, "_array", g)
        flat = array.reshape(-1)
        # A sum of squares is no NaN if there is none, but for infinities that meet.
        squares = flat.dot(flat)
        if squares != squares and bool((array != array).any()):
            _refuse(node, index)


def _refuse(node: Any, index: int) -> None:
    where = node.where()
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the "
        f"error:\n  {where}\n",
        UserWarning,
        stacklevel=user_stacklevel(),
    )
    raise RuntimeError(
        f"Function '{node.name()}' returned nan values in its {index}th output. It is the "
        f"derivative of the operation at {where}. Look at what that was given: the root of 0, the "
        "logarithm of 0, or 0 / 0, perhaps behind a where() whose other side is taken; "
        "torch.where(mask, safe, x) before the operation helps"
    )


class detect_anomaly:
    """Within the block, a backward pass stops at the first NaN, and says which line made it.

    Args:
        check_nan: look for NaN. (Lines are known without it, too.)

    >>> import devgrad, warnings
    >>> warnings.simplefilter("ignore")
    >>> x = devgrad.tensor([0.0], requires_grad=True)
    >>> with devgrad.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
        ...
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output. ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._before = (anomaly.enabled, anomaly.check_nan)
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._before = (anomaly.enabled, anomaly.check_nan)
        anomaly.set(True, self.check_nan)

    def __exit__(self, *exc: object) -> None:
        anomaly.set(*self._before)


class set_detect_anomaly:
    """Turn anomaly mode on or off: at once when called, and back at the end of a ``with`` block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = (anomaly.enabled, anomaly.check_nan)
        anomaly.set(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        anomaly.set(*self._before)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return anomaly.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode, if on, looks for NaN."""
    return anomaly.check_nan
