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

__all__ = ["USER_FILES", "Line", "line_of", "user_line"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

Line = tuple[CodeType, int]


USER_FILES: set[str] = set()
"""The files met so far that are not devgrad's own: a look in here settles most calls."""
_OWN_FILES: set[str] = set()


def user_line() -> Line:
    """The innermost line on the call stack that is not devgrad's own."""
    frame = sys._getframe(1)
    while (filename := frame.f_code.co_filename) not in USER_FILES:
        if filename not in _OWN_FILES:
            # Generated code is devgrad's own too.
            own = filename.startswith((_PACKAGE, "<devgrad "))
            (_OWN_FILES if own else USER_FILES).add(filename)
        elif frame.f_back is None:
            break
        else:
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
