"""Rows for nn.functional: functions that are no methods, and calls that are to be refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._base import Row, Sample


class Refused(Sample):
    """A call that PyTorch refuses, and devgrad with the same kind of error."""


def R(*args: Any, **kwargs: Any) -> Sample:
    return Refused(args, kwargs)


def rows(name: str, samples: Callable[[], list[Sample]], **options: Any) -> list[Row]:
    """A row of the calls that work, and one of those that are refused.

    ``name`` is that of a function in nn.functional, or with a dot before it one of the library.
    """
    full = name[1:] if name.startswith(".") else f"nn.functional.{name}"
    options = {"dtypes": ("float32",), "method": False, "out": False, **options}

    def chosen(refused: bool) -> Callable[[], list[Sample]]:
        return lambda: [s for s in samples() if isinstance(s, Refused) == refused]

    found = [Row(full, chosen(False), **options)] if chosen(False)() else []
    if chosen(True)():
        found.append(Row(full, chosen(True), **{**options, "grad": False, "dtypes": ()}))
    return found
