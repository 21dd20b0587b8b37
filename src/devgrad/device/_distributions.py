"""PyTorch's random distributions on the CPU, as functions of a stream of 32-bit words.

Each method takes as many words as PyTorch's kernel does, in the same order and also where PyTorch
throws some away, and rounds where that kernel rounds. So the results are PyTorch's bit for bit:

* for float32 and narrower types, with vectorised arithmetic throughout;
* for float64, with the C library's ``log`` and ``exp`` where NumPy's differ in the last bit.

Two things are not reproduced. PyTorch's own numbers differ between processors in float32 normals of
16 elements or more (these are the numbers of x86 with AVX2), and ``multinomial`` without
replacement leaves it to its sort in which order equal quotients come (among many in float16, and
the zeros of categories that should not be drawn at all).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from . import _fisher_yates
from . import _random_checks as checks
from ._box_muller import BLOCK, Float32BoxMuller, transform_float64
from ._exact_math import Array, c_library, multiply_add_float32, multiply_add_float64
from ._rejection import sample_binomial, sample_poisson
from ._word_stream import DOUBLE_BITS, Shape, WordStream, chunks, empty

_WIDE_RANGE = 2**28  # from here on an integer takes two words
_BACKWARD_SHUFFLE = (2**32 - 1) // 20


class Distributions(WordStream):
    """What can be drawn from a stream of random words; the base class of ``MersenneTwister``.

    Methods take a shape (a tuple of sizes) and a NumPy dtype and return a new C-contiguous array.
    """

    # ------------------------------------------------------------------ uniform

    def uniform(
        self, shape: Shape, dtype: npt.DTypeLike, low: float = 0.0, high: float = 1.0
    ) -> Array:
        """Uniform numbers in [low, high): ``torch.rand``, ``Tensor.uniform_``.

        ``dtype`` is float16, float32, float64, complex64 or complex128 (both parts uniform).

        Raises:
            NotImplementedError: another dtype.
            RuntimeError: ``low > high``, or the range does not fit into the dtype.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).uniform((2,), np.float64)
            array([0.970053  , 0.70781986])
        """
        out, flat = empty(shape, dtype)
        standard = low == 0.0 and high == 1.0 and flat.dtype in checks.FLOATS
        if not standard and (out.size or out.dtype.kind != "c"):
            checks.check_uniform_bounds(flat.dtype, low, high)
        if flat.size:
            with self._lock:
                self._fill_uniform(flat, low, high)
        return out

    def _fill_uniform(self, out: Array, low: float, high: float) -> None:
        if out.dtype == checks.DOUBLE:
            for part in chunks(out):
                self._fill_unit_float64(part)
                if (low, high) != (0.0, 1.0):
                    part[...] = multiply_add_float64(part, high - low, low)
                    part[part == high] = low
            return
        single_low, single_high = np.float32(low), np.float32(high)
        span = single_high - single_low
        for part in chunks(out):
            values = part if out.dtype == checks.SINGLE else np.empty(part.size, np.float32)
            self._fill_unit_float32(values)
            if single_low != 0:
                values[...] = multiply_add_float32(values, float(span), float(single_low))
            elif span != 1:
                np.multiply(values, span, out=values)
            if values is not part:
                part[...] = values
            if values is not part or (low, high) != (0.0, 1.0):
                # Rounding may reach the bound that is excluded.
                part[part == out.dtype.type(high)] = low

    # ------------------------------------------------------------------ normal

    def normal(
        self,
        shape: Shape,
        dtype: npt.DTypeLike,
        mean: float | Array = 0.0,
        std: float | Array = 1.0,
    ) -> Array:
        """Normal numbers: ``torch.randn``, ``Tensor.normal_``, ``torch.normal``.

        ``dtype`` is float16, float32, float64, complex64 or complex128; of a complex number the two
        parts have half the variance each. ``mean`` and ``std`` are numbers or arrays that broadcast
        to ``shape``; with arrays the rounding is that of ``torch.normal``.

        Raises:
            NotImplementedError: another dtype.
            RuntimeError: ``std`` is negative, NaN or complex, or an array does not broadcast.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).normal((2,), np.float64, mean=10.0)
            array([11.54099611,  9.70657109])
        """
        out, flat = empty(shape, dtype)
        shift, scale = 0.0, 1.0
        if isinstance(std, np.ndarray):
            checks.check_std_array(std)
        else:
            checks.check_std(std)
            scale = std
            if not isinstance(mean, np.ndarray):
                shift = mean
        if not flat.size:
            return out
        if out.dtype.kind == "c":
            scale /= math.sqrt(2.0)
        with self._lock:
            self._fill_normal(flat, shift, scale)
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(std, np.ndarray):
                np.multiply(out, checks.expand(std, shape), out=out, casting="same_kind")
            if isinstance(mean, np.ndarray):
                np.add(out, checks.expand(mean, shape), out=out, casting="same_kind")
            elif isinstance(std, np.ndarray):
                np.add(out, out.dtype.type(mean), out=out)
        return out

    def _fill_normal(self, out: Array, mean: float, std: float) -> None:
        if out.dtype not in checks.FLOATS:
            checks.unsupported(
                "normal_kernel_cpu", out.dtype, "Draw a floating dtype and convert it."
            )
        if out.size < BLOCK:
            _store(out, multiply_add_float64(self._serial_normals(out.size), std, mean))
        elif out.dtype == checks.HALF:
            # Unlike the others it draws nothing for the elements after the last whole block.
            values = np.empty(out.size + (-out.size) % BLOCK, np.float32)
            self._fill_normal_blocks(values, mean, std)
            out[: out.size - out.size % BLOCK] = values[: out.size - out.size % BLOCK]
            out[-BLOCK:] = values[-BLOCK:]
        else:
            whole = out.size - out.size % BLOCK
            self._fill_normal_blocks(out[:whole], mean, std)
            if whole < out.size:
                per_element = 1 if out.dtype == checks.SINGLE else 2
                self._words(per_element * (out.size - whole))  # drawn in vain
                tail = np.empty(BLOCK, out.dtype)
                self._fill_normal_blocks(tail, mean, std)
                out[-BLOCK:] = tail

    def _fill_normal_blocks(self, out: Array, mean: float, std: float) -> None:
        if out.dtype == checks.DOUBLE:
            for part in chunks(out):
                self._fill_unit_float64(part)
                transform_float64(part, mean, std)
            return
        size = 0
        for part in chunks(out):
            self._fill_unit_float32(part)
            if part.size != size:
                size = part.size
                box_muller = Float32BoxMuller(size)
            box_muller.transform(part, mean, std)

    def _serial_normals(self, count: int, exact: bool = True) -> Array:
        """Standard normals of float64 in pairs; the second of an uneven pair waits.

        If not ``exact`` the last bit may be wrong, but not that of the one that waits.
        """
        out = np.empty(count, np.float64)
        rest = out
        if count and self._normal is not None:
            out[0], self._normal = self._normal, None
            rest = out[1:]
        uniforms = self._unit_float64(rest.size + rest.size % 2)
        if rest.size % 2:
            radius = math.sqrt(-2.0 * math.log1p(-uniforms[-1]))
            angle = 2.0 * math.pi * float(uniforms[-2])
            rest[-1] = radius * math.cos(angle)
            self._normal = radius * math.sin(angle)
            rest = rest[:-1]
            uniforms = uniforms[:-2]
        if rest.size:
            log1p = c_library("log1p") if exact else np.log1p
            radii = np.sqrt(-2.0 * log1p(-uniforms[1::2]))
            angles = (2.0 * math.pi) * uniforms[0::2]
            rest[0::2] = radii * (c_library("cos") if exact else np.cos)(angles)
            rest[1::2] = radii * (c_library("sin") if exact else np.sin)(angles)
        return out

    # ------------------------------------------------------------------ integers

    def randint(self, low: int, high: int, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """Uniform integers in [low, high): ``torch.randint``, ``Tensor.random_(low, high)``.

        ``dtype`` is bool, any integer or float type; ``low`` and ``high`` fit into int64.

        Raises:
            RuntimeError: ``low >= high``, or a bound does not fit into the dtype.
            ValueError: a bound does not fit into int64.

        Warns:
            UserWarning: a float dtype cannot hold all the integers of the range.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).randint(0, 10, (3,), np.int64)
            array([4, 9, 3])
        """
        out, flat = empty(shape, dtype)
        low, high = checks.representable_range(
            checks.check_int64(low), checks.check_int64(high), out.dtype
        )
        if flat.size:
            with self._lock:
                self._fill_integers(flat, high - low, low, wide=high - low >= _WIDE_RANGE)
        return out

    def random_(
        self, shape: Shape, dtype: npt.DTypeLike, low: int | None = None, high: int | None = None
    ) -> Array:
        """Uniform integers as ``Tensor.random_`` draws them.

        Without bounds the range is [0, largest of the dtype], for floats [0, 2**significand bits];
        with ``high`` alone it is [0, high); with ``low`` alone [low, largest of the dtype], and
        all of int64 for ``low=-2**63``.

        Raises:
            NotImplementedError: PyTorch has no such draw for the dtype.
            RuntimeError: as ``randint``.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).random_((3,), np.uint8)
            array([172,  47, 117], dtype=uint8)
        """
        if high is not None:
            return self.randint(0 if low is None else low, high, shape, dtype)
        out, flat = empty(shape, dtype)
        if low is None:
            if flat.size:
                if out.dtype not in checks.COMMON_REALS:
                    checks.unsupported("random_kernel_cpu", out.dtype, "Give bounds.")
                span = checks.largest_integer(out.dtype) + 1
                with self._lock:
                    self._fill_integers(flat, span, 0, wide=span > 2**32)
            return out
        low = checks.check_int64(low)
        if low > checks.INT64_MIN:
            low, end = checks.representable_range_from(low, out.dtype)
            span = end - low
        elif flat.size:
            checks.check_full_range(out.dtype)
            low, span = 0, 2**64
        if flat.size:
            with self._lock:
                self._fill_integers(flat, span, low, wide=span >= _WIDE_RANGE)
        return out

    def _fill_integers(self, out: Array, span: int, base: int, wide: bool) -> None:
        """``base + word % span``, where the word has 64 bits if ``wide`` and 32 if not."""
        for part in chunks(out):
            if wide:
                words = self._double_words(part.size)
            else:
                words = self._words(part.size).astype(np.uint32)
            _reduce_modulo(words, span)
            integers = words.view(np.int64) if wide else words.astype(np.int64)
            if base:
                integers += base
            if part.dtype == checks.BOOL:
                np.not_equal(integers, 0, out=part)
            else:
                np.copyto(part, integers, casting="unsafe")

    def randperm(self, n: int, dtype: npt.DTypeLike) -> Array:
        """A random permutation of 0 ... n - 1: ``torch.randperm``.

        Sorting replaces PyTorch's loop of swaps: about 50 ms for a million elements, and memory
        for about eight times the result.

        Raises:
            NotImplementedError: bool, complex, or an unsigned type other than uint8.
            RuntimeError: ``n`` is negative, or the dtype cannot hold ``n - 1``.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).randperm(5, np.int64)
            array([4, 0, 1, 3, 2])
        """
        dtype = np.dtype(dtype)
        checks.check_randperm(n, dtype)
        with self._lock:
            if n < 2:
                order = np.zeros(n, np.int64)
            elif n < _BACKWARD_SHUFFLE:
                step = np.arange(n - 1, dtype=np.uint32)
                words = self._words(n - 1).astype(np.uint32)
                words %= np.uint32(n) - step
                words += step
                order = _fisher_yates.shuffle(words)
            else:
                targets = np.empty(n, np.int64)
                ends = np.arange(1, n + 1, dtype=np.uint64)
                for part, end in zip(chunks(targets), chunks(ends), strict=True):
                    part[...] = self._double_words(part.size) % end
                order = _fisher_yates.shuffle_backward(targets)
        return order.astype(dtype, copy=False)

    # ------------------------------------------------------------------ bernoulli

    def bernoulli(self, p: float | Array, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """Ones with probability ``p``, zeros otherwise.

        A number is ``Tensor.bernoulli_(p)``, ``torch.bernoulli(x, p)`` and the mask of dropout:
        two words an element. An array, broadcast to ``shape``, is ``torch.bernoulli(p)`` and
        ``Tensor.bernoulli_(p)`` with a tensor: two words if it is float64, otherwise one.

        Raises:
            NotImplementedError: ``dtype`` is complex or unsigned of more than 8 bits, or the
                array ``p`` is not floating.
            RuntimeError: a probability outside [0, 1], or ``p`` does not broadcast.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).bernoulli(0.5, (4,), np.float32)
            array([0., 0., 1., 0.], dtype=float32)
        """
        out, flat = empty(shape, dtype)
        if isinstance(p, np.ndarray):
            if flat.size:
                self._fill_bernoulli_of_array(flat, checks.check_bernoulli_array(p, out))
            return out
        checks.check_bernoulli(p, out)
        # u < p for u = integer / 2**53
        limit = np.uint64(math.ceil(math.ldexp(p, 53)))
        with self._lock:
            for part in chunks(flat):
                integers = self._double_words(part.size)
                integers &= DOUBLE_BITS
                np.copyto(part, integers < limit)
        return out

    def kept(self, p: float, shape: Shape, dtype: npt.DTypeLike) -> Array:
        """Dropout's noise: ``1 / p`` where something is kept, with probability ``p``; else 0.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).kept(0.5, (4,), np.float32)
            array([0., 0., 2., 0.], dtype=float32)
        """
        noise = self.bernoulli(p, shape, dtype)
        noise /= p
        return noise

    def _fill_bernoulli_of_array(self, out: Array, p: Array) -> None:
        fill = self._fill_unit_float64 if p.dtype == checks.DOUBLE else self._fill_unit_float32
        working = np.float64 if p.dtype == checks.DOUBLE else np.float32
        with self._lock:
            for part, probabilities in zip(chunks(out), chunks(p), strict=True):
                uniforms = np.empty(part.size, working)
                fill(uniforms)
                np.copyto(part, uniforms < probabilities)

    # ------------------------------------------------------------------ multinomial

    def multinomial(self, probs: Array, n: int, replacement: bool = False) -> Array:
        """Indices drawn with probabilities in proportion to the rows of ``probs``.

        ``probs`` is a float array of shape (categories,) or (rows, categories), which need not sum
        to one. Returns int64 of shape (n,) or (rows, n): ``torch.multinomial``.

        Raises:
            RuntimeError: PyTorch's checks of the shape, of the dtype, of ``n`` and of the
                probabilities.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).multinomial(np.array([0.1, 0.2, 0.7]), 2)
            array([2, 1])
        """
        checks.check_multinomial(probs, n, replacement)
        out = np.empty((*probs.shape[:-1], n), np.int64)
        if not out.size:
            return out
        if replacement and n > 1:
            self._fill_multinomial_with_replacement(np.atleast_2d(out), np.atleast_2d(probs))
            return out
        checks.check_probabilities(probs)
        # The largest of p / q, with q exponential, is a draw from p (Gumbel's trick). As in
        # PyTorch q lies in memory as p does, and is drawn in the order of memory.
        quotients = np.empty_like(probs, subok=False)
        in_memory = quotients if quotients.flags.c_contiguous else quotients.T
        with self._lock:
            self._fill_exponential(in_memory.reshape(-1), 1.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            np.divide(probs, quotients, out=quotients)
        if n == 1:
            out[..., 0] = quotients.argmax(axis=-1)
        else:
            np.copyto(quotients, np.inf, where=np.isnan(quotients))
            out[...] = np.argsort(-quotients, axis=-1, kind="stable")[..., :n]
        return out

    def _fill_multinomial_with_replacement(self, out: Array, rows: Array) -> None:
        checks.check_rows_of_probabilities(rows)
        working = np.float64 if rows.dtype == checks.DOUBLE else np.float32
        with self._lock, np.errstate(over="ignore", invalid="ignore"):
            for samples, row in zip(out, rows, strict=True):
                cumulative = np.add.accumulate(row, dtype=working)
                cumulative /= cumulative[-1]
                cumulative[-1] = 1
                uniforms = self._unit_float64(samples.size)
                samples[...] = np.searchsorted(cumulative.astype(np.float64), uniforms)

    # ------------------------------------------------------------------ continuous, by inversion

    def exponential(self, shape: Shape, dtype: npt.DTypeLike, lambd: float = 1.0) -> Array:
        """Exponential numbers of rate ``lambd``: ``Tensor.exponential_``. Floating dtypes.

        Raises:
            RuntimeError: ``lambd`` is not positive, or the dtype not floating.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).exponential((2,), np.float32)
            array([3.5083263, 1.2303847], dtype=float32)
        """
        advice = "It is the rate, the inverse of the mean."
        checks.check_positive("exponential_", "lambda", lambd, advice)
        out, flat = empty(shape, dtype)
        if flat.size:
            if out.dtype not in checks.FLOATS:
                checks.not_floating("Exponential", out.dtype)
            with self._lock:
                self._fill_exponential(flat, lambd)
        return out

    def _fill_exponential(self, out: Array, lambd: float) -> None:
        log1p = c_library("log1p") if out.dtype == checks.DOUBLE else np.log1p
        for part in chunks(out):
            _store(part, (-1.0 / lambd) * log1p(-self._unit_float64(part.size)))

    def cauchy(
        self, shape: Shape, dtype: npt.DTypeLike, median: float = 0.0, sigma: float = 1.0
    ) -> Array:
        """Cauchy numbers: ``Tensor.cauchy_``. Floating dtypes.

        Raises:
            RuntimeError: ``sigma`` is not positive, or the dtype not floating.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).cauchy((2,), np.float32)
            array([10.59773  ,  0.7647673], dtype=float32)
        """
        advice = "It is the scale, half the distance of the quartiles."
        checks.check_positive("cauchy_", "sigma", sigma, advice)
        out, flat = empty(shape, dtype)
        if out.dtype not in checks.FLOATS:
            checks.not_floating("Cauchy", out.dtype, cpp=True)
        tan = c_library("tan") if out.dtype == checks.DOUBLE else np.tan
        with self._lock:
            for part in chunks(flat):
                angles = math.pi * (self._unit_float64(part.size) - 0.5)
                _store(part, multiply_add_float64(tan(angles), sigma, median))
        return out

    def log_normal(
        self, shape: Shape, dtype: npt.DTypeLike, mean: float = 1.0, std: float = 2.0
    ) -> Array:
        """Numbers whose logarithm is normal: ``Tensor.log_normal_``. Floating dtypes.

        Raises:
            NotImplementedError: the dtype is not floating.
            RuntimeError: ``std`` is not positive.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).log_normal((2,), np.float32)
            array([59.263416,  1.51156 ], dtype=float32)
        """
        advice = "It is the standard deviation of the logarithm."
        checks.check_positive("log_normal_", "std", std, advice)
        out, flat = empty(shape, dtype)
        if not flat.size:
            return out
        if out.dtype not in checks.FLOATS:
            checks.unsupported("log_normal_cpu", out.dtype, "Draw a floating dtype and convert it.")
        exp = c_library("exp") if out.dtype == checks.DOUBLE else np.exp
        with self._lock, np.errstate(over="ignore"):
            for part in chunks(flat):
                normals = self._serial_normals(part.size, exact=out.dtype == checks.DOUBLE)
                _store(part, exp(multiply_add_float64(normals, std, mean)))
        return out

    # ------------------------------------------------------------------ counts

    def geometric(self, shape: Shape, dtype: npt.DTypeLike, p: float) -> Array:
        """Trials up to the first success, 1, 2, ...: ``Tensor.geometric_``.

        ``dtype`` is uint8, a signed integer type or a floating one; larger numbers wrap.

        Raises:
            NotImplementedError: another dtype.
            RuntimeError: ``p`` is not in (0, 1).

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).geometric((4,), np.int64, p=0.3)
            array([1, 1, 3, 1])
        """
        checks.check_geometric(p)
        out, flat = empty(shape, dtype)
        if not flat.size:
            return out
        if out.dtype == checks.BOOL or out.dtype not in checks.COMMON_REALS:
            checks.unsupported("geometric_cpu", out.dtype, "Draw int64 and convert it.")
        log_failure = math.log1p(-p)
        with self._lock, np.errstate(all="ignore"):
            for part in chunks(flat):
                trials = np.ceil(c_library("log")(self._unit_float64(part.size)) / log_failure)
                _store(part, trials if out.dtype.kind == "f" else trials.astype(np.int64))
        return out

    def poisson(self, rates: Array) -> Array:
        """Poisson numbers of the shape and dtype of ``rates``: ``torch.poisson``.

        One element after the other, in about a microsecond each.

        Raises:
            NotImplementedError: ``rates`` is not floating.
            RuntimeError: a negative rate or NaN.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).poisson(np.array([1.0, 5.0, 50.0]))
            array([ 2.,  6., 49.])
        """
        checks.check_rates(rates)
        with self._lock, self._reading(rates.size) as uniform:
            samples = [sample_poisson(rate, uniform) for rate in rates.ravel().tolist()]
        out, flat = empty(rates.shape, rates.dtype)
        _store(flat, np.array(samples, np.int64))
        return out

    def binomial(self, count: Array, prob: Array) -> Array:
        """Binomial numbers, of the broadcast shape of the arguments: ``torch.binomial``.

        ``count`` and ``prob`` are both float32 or both float64. One element after the other, in
        two (float64) to six microseconds each.

        Raises:
            NotImplementedError: float16.
            ValueError: an argument is not floating.
            RuntimeError: the dtypes differ, or the shapes do not broadcast.

        Example:
            >>> from devgrad.device._mt19937 import MersenneTwister
            >>> MersenneTwister(0).binomial(np.array([10.0, 100.0]), np.array(0.5))
            array([ 7., 51.])
        """
        checks.check_binomial(count, prob)
        shape = checks.broadcast(count.shape, prob.shape)
        counts = np.broadcast_to(count, shape).ravel().tolist()
        probs = np.broadcast_to(prob, shape).ravel().tolist()
        single = count.dtype == checks.SINGLE
        with self._lock, self._reading(len(counts)) as uniform:
            samples = [
                sample_binomial(trials, p, uniform, single)
                for trials, p in zip(counts, probs, strict=True)
            ]
        return np.array(samples, count.dtype).reshape(shape)


def _store(out: Array, values: Array) -> None:
    """Converts ``values`` into ``out``; as in C++, float16 comes by way of float32."""
    if out.dtype == values.dtype:
        np.copyto(out, values)
        return
    with np.errstate(over="ignore"):
        if out.dtype == checks.HALF:
            values = values.astype(np.float32)
        np.copyto(out, values, casting="unsafe")


def _reduce_modulo(words: Array, span: int) -> None:
    """``words %= span`` for unsigned integers; NumPy has a fast division, but no fast ``%``."""
    if span.bit_length() > 8 * words.itemsize:
        return
    if span & (span - 1) == 0:
        words &= words.dtype.type(span - 1)
        return
    quotient = words // words.dtype.type(span)
    quotient *= words.dtype.type(span)
    words -= quotient
