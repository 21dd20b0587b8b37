"""A stream of 32-bit words, and the uniform numbers that every distribution is made of."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ._exact_math import Array
from ._rejection import UniformReader

Shape = tuple[int, ...]

DOUBLE_BITS = np.uint64(2**53 - 1)
_WORD_BITS = np.uint64(32)
_CHUNK = 32768  # elements worked on at a time: they stay in the cache; a multiple of 16


class WordStream(ABC):
    """Uniform numbers from the words of a generator. Its methods are called with the lock held."""

    _lock: threading.Lock
    _normal: float | None  # the second of the last pair of normals, kept for the next draw

    @abstractmethod
    def _words(self, count: int) -> Array:
        """The next ``count`` words, as uint64."""

    @abstractmethod
    def _mark(self) -> Any:
        """The present place in the stream, for ``_rewind``."""

    @abstractmethod
    def _rewind(self, mark: Any) -> None:
        """Goes back to ``mark``."""

    def _fill_unit_float32(self, out: Array) -> None:
        """[0, 1) in steps of 2**-24, one word each."""
        for part in chunks(out):
            words = self._words(part.size).astype(np.uint32)
            words &= np.uint32(0xFFFFFF)
            np.copyto(part, words.view(np.int32), casting="unsafe")
            np.multiply(part, np.float32(2.0**-24), out=part)

    def _fill_unit_float64(self, out: Array) -> None:
        """[0, 1) in steps of 2**-53, two words each."""
        for part in chunks(out):
            integers = self._double_words(part.size)
            integers &= DOUBLE_BITS
            np.copyto(part, integers.view(np.int64), casting="unsafe")
            np.multiply(part, 2.0**-53, out=part)

    def _double_words(self, count: int) -> Array:
        """Integers of 64 bits; the first word of each two is the high one."""
        words = self._words(2 * count)
        integers = words[0::2] << _WORD_BITS
        integers |= words[1::2]
        return integers

    def _unit_float64(self, count: int) -> Array:
        out = np.empty(count, np.float64)
        self._fill_unit_float64(out)
        return out

    @contextmanager
    def _reading(self, count: int) -> Iterator[UniformReader]:
        """Uniforms one by one, for about ``count`` elements; takes just the words that are used."""
        mark = self._mark()
        reader = UniformReader(self._unit_float64, block=min(max(2 * count, 16), _CHUNK))
        try:
            yield reader
        finally:
            self._rewind(mark)
            for start in range(0, 2 * reader.used, _CHUNK):
                self._words(min(2 * reader.used - start, _CHUNK))


def empty(shape: Shape, dtype: npt.DTypeLike) -> tuple[Array, Array]:
    """A new array, and its real numbers in a row."""
    out = np.empty(shape, dtype)
    flat = out.reshape(-1)
    return out, flat.view(flat.real.dtype) if out.dtype.kind == "c" else flat


def chunks(array: Array) -> Iterator[Array]:
    """The array, one-dimensional, in pieces that fit into the cache."""
    for start in range(0, array.size, _CHUNK):
        yield array[start : start + _CHUNK]
