"""Whether the same program must give the same bits: `use_deterministic_algorithms`."""

from __future__ import annotations

from typing import Any

__all__ = ["DETERMINISM", "are_deterministic_algorithms_enabled", "get_deterministic_debug_mode",
           "is_deterministic_algorithms_warn_only_enabled", "set_deterministic_debug_mode",
           "use_deterministic_algorithms"]  # fmt: skip


class _Determinism:
    """The switch; one for all threads, as in PyTorch."""

    __slots__ = ("on", "warn_only")

    def __init__(self) -> None:
        self.on = self.warn_only = False


DETERMINISM = _Determinism()

_DEBUG_MODES = {"default": 0, "warn": 1, "error": 2}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Have every operation give the same bits each time, also where that takes longer.

    On the CPU all do. On CUDA, sums at indices that repeat (the gradients of indexing, of
    embeddings, ``scatter_add``) are otherwise added in whatever order the threads come; now they
    are sorted first. No sum is without such a way, so nothing is ever refused. Which of several
    values stays that are assigned to one place of a CUDA tensor is left open all the same.

    Args:
        mode: whether they must.
        warn_only: taken for compatibility: warn of operations that cannot. There is none.

    Raises:
        TypeError: an argument is no bool.

    >>> import devgrad
    >>> devgrad.use_deterministic_algorithms(True)
    >>> devgrad.are_deterministic_algorithms_enabled()
    True
    >>> devgrad.use_deterministic_algorithms(False)
    """
    for name, value in (("mode", mode), ("warn_only", warn_only)):
        if not isinstance(value, bool):
            raise TypeError(
                f"_set_deterministic_algorithms(): argument '{name}' must be bool, not "
                f"{type(value).__name__}"
            )
    DETERMINISM.on, DETERMINISM.warn_only = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` is on.

    >>> import devgrad
    >>> devgrad.are_deterministic_algorithms_enabled()
    False
    """
    return DETERMINISM.on


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether it is on with ``warn_only=True``.

    >>> import devgrad
    >>> devgrad.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return DETERMINISM.warn_only


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by one word: "default" (0), "warn" (1), "error" (2).

    Raises:
        TypeError: neither an int nor a str.
        RuntimeError: there is no such mode.

    >>> import devgrad
    >>> devgrad.set_deterministic_debug_mode("default")
    >>> devgrad.get_deterministic_debug_mode()
    0
    """
    number: Any = debug_mode
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got "
                f"{debug_mode}"
            )
        number = _DEBUG_MODES[debug_mode]
    if number not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    use_deterministic_algorithms(number > 0, warn_only=number == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: see `set_deterministic_debug_mode`.

    >>> import devgrad
    >>> devgrad.get_deterministic_debug_mode()
    0
    """
    return 0 if not DETERMINISM.on else 1 if DETERMINISM.warn_only else 2
