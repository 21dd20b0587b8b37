"""The CUDA sources of this package: every ``.cu`` file in ``kernels/``.

Nothing here needs CuPy or a GPU, so that tests can compile each source with NVRTC or nvcc anywhere,
and even run it on the host. ``_cupy_kernels.py`` launches them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["OPTIONS", "functions", "names", "source"]

_FOLDER = Path(__file__).with_name("kernels")

# No fused multiply-add: the numbers are to be those of NumPy, see kernels/random_fill.cu.
OPTIONS = ("--fmad=false",)


def names() -> list[str]:
    """The names of all sources, without ``.cu``.

    >>> from devgrad.device import _kernels
    >>> "random_fill" in _kernels.names()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.cu"))


@cache
def source(name: str) -> str:
    """The text of a source, with what it includes put in its place."""
    text = (_FOLDER / f"{name}.cu").read_text(encoding="utf-8")
    return re.sub(
        r'^#include "(.+)"$',
        lambda found: (_FOLDER / found[1]).read_text(encoding="utf-8"),
        text,
        flags=re.MULTILINE,
    )


def functions(name: str) -> list[str]:
    """The names of the kernels in a source."""
    text = source(name)
    plain = re.findall(r'^extern "C" __global__ void (\w+)\(', text, flags=re.MULTILINE)
    fills = re.findall(r"^FILL2\((\w+),", text, flags=re.MULTILINE)
    pairs = re.findall(r"^FLOATS\(\s*(\w+),", text, flags=re.MULTILINE)
    return plain + fills + [f"{pair}_float{bits}" for pair in pairs for bits in (32, 64)]
