"""Which line of the user's code did it.

A node keeps a code object and an instruction offset: two references, taken in a tenth of a
microsecond. They become a file, a line and its text only when a message needs them.
"""

from __future__ import annotations

import dis
import linecache
import os
import sys
from types import CodeType

__all__ = ["INTERNAL", "Line", "line_of", "user_line"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

Line = tuple[CodeType, int]


class _Internal(dict[str, bool]):
    """Whether a file name is one of devgrad's own (generated code included)."""

    def __missing__(self, filename: str) -> bool:
        internal = filename.startswith((_PACKAGE, "<devgrad "))
        self[filename] = internal
        return internal


INTERNAL = _Internal()


def user_line() -> Line:
    """The innermost line on the call stack that is not devgrad's own."""
    frame = sys._getframe(1)
    while INTERNAL[frame.f_code.co_filename] and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def line_of(line: Line | None) -> str:
    """``train.py:12, in step: `y = x.exp()` `` for a recorded line."""
    if line is None:
        return "an unknown line"
    code, offset = line
    number = code.co_firstlineno
    for start, at in dis.findlinestarts(code):
        if start > offset:
            break
        if at is not None:
            number = at
    text = linecache.getline(code.co_filename, number).strip()
    where = f"{code.co_filename}:{number}, in {code.co_name}"
    return f"{where}: `{text}`" if text else where
