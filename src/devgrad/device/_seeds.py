"""What a generator may be seeded with."""

from __future__ import annotations

import operator
import os
from typing import Any

__all__ = ["DEFAULT_SEED", "checked_seed", "entropy"]

DEFAULT_SEED = 67280421310721


def checked_seed(seed: Any) -> int:
    """The seed in [0, 2**64); a negative one stands for ``seed + 2**64``.

    Raises:
        RuntimeError: the seed is no integer.
        ValueError: it does not fit into 64 bits.
    """
    try:
        # NumPy's bool is no bool, but its name tells.
        if type(seed).__name__ in ("bool", "bool_"):
            raise TypeError
        number = operator.index(seed)
    except TypeError:
        raise RuntimeError(
            f"manual_seed expected a long, but got {type(seed).__name__}. "
            "A seed is an integer: pass int(seed)."
        ) from None
    if not -(2**63) <= number < 2**64:
        raise ValueError(
            f"Overflow when unpacking long long. The seed {number} must lie in "
            "[-2**63, 2**64): pass seed % 2**64."
        )
    return number % 2**64


def entropy(bits: int) -> int:
    """A random number of so many bits, from the operating system."""
    return int.from_bytes(os.urandom((bits + 7) // 8), "big") >> (-bits % 8)
