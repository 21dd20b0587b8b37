"""NumPy's own random stream, which users' datasets draw from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

__all__ = ["seed_numpy"]


def seed_numpy(words: Sequence[int]) -> None:
    """Begin the stream of ``numpy.random``'s functions by these 32-bit numbers."""
    numpy.random.seed(numpy.random.SeedSequence(words).generate_state(4))
