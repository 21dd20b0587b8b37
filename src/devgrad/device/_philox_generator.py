"""CUDA's random generator: a seed, and how many draws there have been. Nothing else is its state.

The numbers come from ``philox_fill`` of the namespace that is drawn for: a kernel on a GPU, the
same in NumPy for the CPU that a missing GPU fell back to. What more a distribution needs is written
here once, for both, with operations that round alike on both.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _random_checks as checks
from ._rejection import UniformReader, sample_binomial, sample_poisson
from ._seeds import DEFAULT_SEED, checked_seed, entropy

__all__ = ["Draws", "Philox"]

Array = Any  # NumPy's, or those of the device drawn for
Shape = tuple[int, ...]

_STATE = np.dtype([("seed", "<u8"), ("offset", "<u8")])  # as PyTorch's CUDA generators lay it out
# What stands for an exponential number that rounding made zero.
_LEAST = {checks.SINGLE: 2.0**-25, checks.DOUBLE: 2.0**-54}
_TABLE = 32  # uniforms that an element of a rejection sampler has at first


class Philox:
    """The state of a CUDA generator: ``seed``, and ``offset``, the number of draws so far.

    A draw is one tensor (or one part of what a distribution needs). It takes the next offset,
    however many elements it has, so no draw can run into another's numbers.

    Example:
        >>> from devgrad.device._numpy import xp
        >>> generator = Philox(seed=0)
        >>> generator.on(xp, None).uniform((2,), np.float32)
        array([0.39904642, 0.88052016], dtype=float32)
        >>> generator.offset
        1
    """

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._lock = threading.Lock()
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Philox:
        """Start the stream that belongs to ``seed``; all its 64 bits count.

        Raises:
            RuntimeError: the seed is no integer.
            ValueError: it does not fit into 64 bits.
        """
        number = checked_seed(seed)
        with self._lock:
            self._seed, self.offset = number, 0
        return self

    def initial_seed(self) -> int:
        """The seed that the stream was started with, in [0, 2**64)."""
        return self._seed

    def seed(self) -> int:
        """Start a stream by the operating system's entropy, and return the seed."""
        seed = entropy(53)
        self.manual_seed(seed)
        return seed

    def get_state(self) -> Any:
        """Seed and offset: a uint8 array of 16 elements."""
        with self._lock:
            return np.array([(self._seed, self.offset)], _STATE).view(np.uint8)

    def set_state(self, state: Any) -> Philox:
        """Go to a state that ``get_state`` has given; with 8 elements it is a seed alone.

        Raises:
            TypeError: not a uint8 array.
            RuntimeError: of another size.
        """
        if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
            raise TypeError(
                "RNG state must be a torch.ByteTensor. Pass what get_state() has returned."
            )
        if state.size not in (8, _STATE.itemsize):
            raise RuntimeError(
                f"RNG state is wrong size. It has {state.size} bytes, and a CUDA generator's has "
                f"{_STATE.itemsize}: was it a CPU generator's?"
            )
        whole = np.zeros(_STATE.itemsize, np.uint8)
        whole[: state.size] = state.reshape(-1)
        fields = whole.view(_STATE)[0]
        with self._lock:
            self._seed, self.offset = int(fields["seed"]), int(fields["offset"])
        return self

    def advance(self) -> tuple[int, int]:
        """Seed and offset of the next draw."""
        with self._lock:
            offset = self.offset
            self.offset = (offset + 1) % 2**64
            return self._seed, offset

    def on(self, xp: Any, index: int | None) -> Draws:
        """What draws arrays of this namespace, on its device of this number."""
        return Draws(self, xp, index)


class Draws:
    """The distributions of a `Philox` as arrays of one device. The methods are `Distributions`'.

    Values are checked where that is cheap (``xp.checks_bounds``): on a GPU it would wait for it.
    """

    def __init__(self, generator: Philox, xp: Any, index: int | None) -> None:
        self._generator, self._xp, self._index = generator, xp, index

    def _filled(self, name: str, size: int, dtype: Any, *parameters: Any) -> Array:
        """A new array of one dimension, filled from one of ``_philox.DISTRIBUTIONS``."""
        out = self._xp.empty(size, dtype)
        if size:
            self._xp.philox_fill(name, out, *self._generator.advance(), *parameters)
        return out

    def _real(self, name: str, shape: Shape, dtype: npt.DTypeLike, *parameters: Any) -> Array:
        """Real numbers: those of float16 by way of float32, of complex numbers both parts."""
        dtype = np.dtype(dtype)
        part = {"c8": checks.SINGLE, "c16": checks.DOUBLE}.get(dtype.str[1:], dtype)
        size = math.prod(shape) * (dtype.itemsize // part.itemsize)
        with self._xp.on_device(self._index):
            flat = self._filled(name, size, checks.SINGLE if part == checks.HALF else part,
                                *parameters)  # fmt: skip
            if part == checks.HALF:
                flat = flat.astype(dtype)
            return (flat.view(dtype) if part != dtype else flat).reshape(shape)

    # ------------------------------------------------------------------ floating

    def uniform(self, shape: Shape, dtype: Any, low: float = 0.0, high: float = 1.0) -> Array:
        dtype = np.dtype(dtype)
        real = np.dtype(dtype.char.lower()) if dtype.kind == "c" else dtype
        if (low, high) != (0.0, 1.0) or real not in checks.FLOATS:
            checks.check_uniform_bounds(real, low, high)
        work = np.float64 if real == checks.DOUBLE else np.float32
        found = self._real("uniform", shape, dtype, low, float(work(high) - work(low)), high)
        if dtype == checks.HALF:  # rounding may reach the bound that is excluded
            found = self._xp.where(found >= dtype.type(high), dtype.type(low), found)
        return found

    def normal(self, shape: Shape, dtype: Any, mean: complex = 0.0, std: float = 1.0) -> Array:
        checks.check_std(std)
        dtype = np.dtype(dtype)
        if dtype not in checks.FLOATS and dtype.kind != "c":
            checks.unsupported("normal_kernel_cuda", dtype, "Draw a floating dtype and convert it.")
        if dtype.kind != "c":
            return self._real("normal", shape, dtype, mean, std)
        found = self._real("normal", shape, dtype, 0.0, std / math.sqrt(2.0))
        return found + dtype.type(mean) if mean else found

    def exponential(self, shape: Shape, dtype: npt.DTypeLike, lambd: float = 1.0) -> Array:
        advice = "It is the rate, the inverse of the mean."
        checks.check_positive("exponential_", "lambda", lambd, advice)
        dtype = self._floating("Exponential", dtype)
        return self._real("exponential", shape, dtype, 1.0 / lambd, self._least(dtype))

    def cauchy(
        self, shape: Shape, dtype: npt.DTypeLike, median: float = 0.0, sigma: float = 1.0
    ) -> Array:
        advice = "It is the scale, half the distance of the quartiles."
        checks.check_positive("cauchy_", "sigma", sigma, advice)
        return self._real("cauchy", shape, self._floating("Cauchy", dtype, cpp=True), median, sigma)

    def log_normal(
        self, shape: Shape, dtype: npt.DTypeLike, mean: float = 1.0, std: float = 2.0
    ) -> Array:
        advice = "It is the standard deviation of the logarithm."
        checks.check_positive("log_normal_", "std", std, advice)
        if np.dtype(dtype) not in checks.FLOATS:
            checks.unsupported(
                "log_normal_cuda", np.dtype(dtype), "Draw a floating dtype and convert it."
            )
        return self._real("log_normal", shape, dtype, mean, std)

    def _floating(self, name: str, dtype: npt.DTypeLike, cpp: bool = False) -> Any:
        found = np.dtype(dtype)
        if found not in checks.FLOATS:
            checks.not_floating(name, found, cpp=cpp)
        return found

    def _least(self, dtype: Any) -> float:
        return _LEAST[checks.DOUBLE if dtype == checks.DOUBLE else checks.SINGLE]

    # ------------------------------------------------------------------ integers

    def _integers(self, shape: Shape, dtype: Any, span: int, base: int) -> Array:
        with self._xp.on_device(self._index):
            flat = self._filled("integers", math.prod(shape), np.int64, span % 2**64, base % 2**64)
            found = flat != 0 if dtype == checks.BOOL else flat.astype(dtype, copy=False)
            return found.reshape(shape)

    def randint(self, low: int, high: int, shape: Shape, dtype: npt.DTypeLike) -> Array:
        dtype = np.dtype(dtype)
        low, high = checks.representable_range(
            checks.check_int64(low), checks.check_int64(high), dtype
        )
        return self._integers(shape, dtype, high - low, low)

    def random_(
        self, shape: Shape, dtype: npt.DTypeLike, low: int | None = None, high: int | None = None
    ) -> Array:
        if high is not None:
            return self.randint(0 if low is None else low, high, shape, dtype)
        dtype = np.dtype(dtype)
        if low is None:
            if dtype not in checks.COMMON_REALS:
                checks.unsupported("random_kernel_cuda", dtype, "Give bounds.")
            return self._integers(shape, dtype, checks.largest_integer(dtype) + 1, 0)
        low = checks.check_int64(low)
        if low > checks.INT64_MIN:
            low, end = checks.representable_range_from(low, dtype)
            return self._integers(shape, dtype, end - low, low)
        checks.check_full_range(dtype)
        return self._integers(shape, dtype, 0, low)

    def randperm(self, n: int, dtype: npt.DTypeLike) -> Array:
        """A permutation: the order of as many random integers of 64 bits."""
        dtype = np.dtype(dtype)
        checks.check_randperm(n, dtype)
        with self._xp.on_device(self._index):
            keys = self._filled("integers", n, np.int64, 0, 0)
            return self._xp.argsort(keys, kind="stable").astype(dtype, copy=False)

    def bernoulli(self, p: Any, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """Ones where a uniform number is below ``p``, a number (of 32 bits) or an array."""
        dtype = np.dtype(dtype)
        if dtype not in checks.COMMON_REALS:
            checks.unsupported("bernoulli_cuda", dtype, "Draw bool and convert it.")
        if not hasattr(p, "dtype"):
            checks.check_bernoulli(p, np.empty(0, dtype))
            with self._xp.on_device(self._index):
                ones = self._filled("bernoulli", math.prod(shape), np.bool_, round(p * 2**32))
                return ones.astype(dtype, copy=False).reshape(shape)
        if self._xp.checks_bounds and p.size:
            checks.check_bernoulli_array(self._xp.to_host(p), np.empty(p.shape, dtype))
        if p.shape != shape:
            checks.expand(np.broadcast_to(np.empty((), p.dtype), p.shape), shape)  # or its error
        uniforms = self.uniform(shape, checks.DOUBLE if p.dtype == checks.DOUBLE else checks.SINGLE)
        with self._xp.on_device(self._index):
            return (uniforms < p).astype(dtype, copy=False)

    def kept(self, p: float, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """Dropout's noise: ``1 / p`` where something is kept, with probability ``p``; else 0."""
        dtype = np.dtype(dtype)
        if dtype not in (checks.SINGLE, checks.DOUBLE):
            noise = self.bernoulli(p, shape, dtype)
            noise /= p
            return noise
        with self._xp.on_device(self._index):
            return self._filled("kept", math.prod(shape), dtype, p, 1 / p).reshape(shape)

    def geometric(self, shape: Shape, dtype: npt.DTypeLike, p: float) -> Array:
        """Trials up to the first success: exponential numbers, rounded up."""
        checks.check_geometric(p)
        dtype = np.dtype(dtype)
        if dtype == checks.BOOL or dtype not in checks.COMMON_REALS:
            checks.unsupported("geometric_cuda", dtype, "Draw int64 and convert it.")
        waiting = self.exponential(shape, np.float64)
        with self._xp.on_device(self._index):
            return self._xp.ceil(waiting / -math.log1p(-p)).astype(dtype)

    def multinomial(self, probs: Array, n: int, replacement: bool = False) -> Array:
        """Indices drawn with probabilities in proportion to the rows of ``probs``.

        With replacement the running sums of the weights decide, in float64: on a GPU they may
        differ in the last bit, and so, very rarely, an index.
        """
        xp = self._xp
        checks.check_multinomial(probs, n, replacement)
        if xp.checks_bounds and probs.size:
            if replacement and n > 1:
                checks.check_rows_of_probabilities(xp.to_host(probs).reshape(-1, probs.shape[-1]))
            else:
                checks.check_probabilities(xp.to_host(probs))
        shape = (*probs.shape[:-1], n)
        if replacement and n > 1:
            uniforms = self.uniform((math.prod(probs.shape[:-1]), n), np.float64)
            with xp.on_device(self._index):
                sums = xp.cumsum(probs.reshape(-1, probs.shape[-1]), axis=-1, dtype=np.float64)
                sums = sums / sums[:, -1:]
                found = [xp.searchsorted(row, u, side="right") for row, u in zip(sums, uniforms)]
                made = xp.stack(found) if found else xp.empty((0, n), np.int64)
                # A uniform number may reach the last sum by rounding.
                return xp.minimum(made, probs.shape[-1] - 1).astype(np.int64).reshape(shape)
        # The largest of p / q, with q exponential, is a draw from p (Gumbel's trick).
        work = checks.DOUBLE if probs.dtype == checks.DOUBLE else checks.SINGLE
        races = self.exponential(probs.shape, work)
        with xp.on_device(self._index):
            quotients = probs.astype(work) / races
            if n == 1:
                return quotients.argmax(axis=-1, keepdims=True).astype(np.int64)
            order = xp.argsort(-quotients, axis=-1, kind="stable")
            return xp.ascontiguousarray(order[..., :n])

    # ------------------------------------------------------------------ counts, by rejection

    def poisson(self, rates: Array) -> Array:
        """Poisson numbers, computed on the host one after the other: this waits for a GPU."""
        rates = self._xp.to_host(rates)
        checks.check_rates(rates)
        readers = self._readers(rates.size)
        samples = [sample_poisson(rate, next(readers)) for rate in rates.ravel().tolist()]
        return self._from_host(np.array(samples).reshape(rates.shape).astype(rates.dtype))

    def binomial(self, count: Array, prob: Array) -> Array:
        """Binomial numbers, computed on the host one after the other: this waits for a GPU."""
        count, prob = self._xp.to_host(count), self._xp.to_host(prob)
        checks.check_binomial(count, prob)
        shape = checks.broadcast(count.shape, prob.shape)
        counts = np.broadcast_to(count, shape).ravel().tolist()
        probs = np.broadcast_to(prob, shape).ravel().tolist()
        single = count.dtype == checks.SINGLE
        samples = [
            sample_binomial(trials, p, reader, single)
            for trials, p, reader in zip(counts, probs, self._readers(len(counts)))
        ]
        return self._from_host(np.array(samples, count.dtype).reshape(shape))

    def _from_host(self, array: Any) -> Array:
        return self._xp.from_host(array, self._index)

    def _readers(self, count: int) -> Any:
        """For each element its own uniforms, as many as it asks for, whatever the others take."""
        from . import _philox

        if not count:
            return
        seed, offset = self._generator.advance()
        chunk = 4096
        for start in range(0, count, chunk):
            size = min(chunk, count - start)
            tables = np.concatenate(
                [_uniforms(_philox, seed, offset, start, size, t) for t in range(_TABLE // 2)], 1
            )
            for i, table in enumerate(tables):
                yield _reader(_philox, seed, offset, start + i, table)


def _uniforms(philox: Any, seed: int, offset: int, first: int, count: int, turn: int) -> Any:
    """Two float64 uniforms for each of ``count`` elements."""
    found = philox.words(seed, offset, first, count, turn).astype(np.uint64)
    bits = found[:, 0::2] << np.uint64(32) | found[:, 1::2]
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _reader(philox: Any, seed: int, offset: int, element: int, table: Any) -> UniformReader:
    turn = 0

    def draw(count: int) -> Any:
        nonlocal turn
        if turn == 0:
            turn = _TABLE // 2
            return table
        turn += 1
        return _uniforms(philox, seed, offset, element, 1, turn - 1)[0]

    return UniformReader(draw, _TABLE)
