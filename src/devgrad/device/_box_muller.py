"""The Box-Muller transform of PyTorch's ``normal_`` for sixteen or more elements, bit for bit.

PyTorch takes uniforms in blocks of sixteen and turns each into normals in place: the first eight
give the radius ``sqrt(-2 log(1 - u))``, the last eight the angle ``2 pi u``; the cosines land in
the first half, the sines in the second.

For float64 it calls the C library. For float32 it uses the vector ``log`` and ``sincos`` of the
Cephes library, and accurate functions do *not* give PyTorch's numbers: one in six would differ, by
up to 3 ulp. The float32 code here repeats those polynomials with a rounding to float32 wherever
the compiled code has one. Checked once against torch 2.13 for every one of the 2**24 radii and of
the 2**24 angles that float32 uniforms can ask for: all equal.
"""

from __future__ import annotations

import math

import numpy as np

from ._exact_math import Array, c_library, multiply_add_float64

BLOCK = 16  # uniforms per block: eight for the radius, eight for the angle
_HALF_BLOCK = np.dtype("V32")  # eight float32 moved as one item


def _single(value: float) -> float:
    return float(np.float32(value))


# Cephes' logf: log(1 + x) = x - x**2 / 2 + x**3 P(x), and ln 2 cut in two.
_LOG_POLYNOMIAL = tuple(
    map(
        _single,
        (
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
            2.0000714765e-1,
            -2.4999993993e-1,
            3.3333331174e-1,
        ),
    )
)
_LN2_LOW = np.float32(-2.12194440e-4)
_LN2_HIGH = np.float32(0.693359375)
_ONE_BITS = np.int32(0x3F800000)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_MANTISSA_BITS = np.int32(0x007FFFFF)

# Cephes' sinf and cosf on [-pi/4, pi/4], row 0 for the sine and row 1 for the cosine,
# and pi/4 cut in three.
_TRIG_POLYNOMIAL = np.array(
    [
        [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1],
        [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2],
    ],
    np.float32,
).astype(np.float64)
_FOUR_OVER_PI = np.float32(1.27323954473516)
_PI_4_HIGH = np.float32(-0.78515625)
_PI_4_MIDDLE = np.float32(-2.4187564849853515625e-4)
_PI_4_LOW = _single(-3.77489497744594108e-8)
_TWO_PI = np.float32(2.0 * math.pi)


class Float32BoxMuller:
    """Transforms blocks of float32 uniforms into normals, in scratch space for ``size`` elements.

    Example:
        >>> block = np.full(16, 0.5, np.float32)
        >>> Float32BoxMuller(16).transform(block, mean=0.0, std=1.0)
        >>> float(block[0])  # sqrt(-2 log 0.5) cos(pi)
        -1.1774100065231323
    """

    def __init__(self, size: int) -> None:
        pairs = size // 2
        self._x = np.empty(pairs, np.float32)
        self._y = np.empty(pairs, np.float32)
        self._z = np.empty(pairs, np.float32)
        self._radius = np.empty(pairs, np.float32)
        self._integers = np.empty(pairs, np.int32)
        self._mask = np.empty(pairs, np.int32)
        self._wide = np.empty((4, pairs), np.float64)
        self._waves = np.empty((2, pairs), np.float32)

    def transform(self, block: Array, mean: float, std: float) -> None:
        """Replaces the uniforms in ``block`` by normals of this mean and standard deviation.

        ``block`` is a contiguous float32 array of ``size`` elements, a multiple of sixteen.
        """
        halves = block.view(_HALF_BLOCK)
        self._radius.view(_HALF_BLOCK)[...] = halves[0::2]
        self._x.view(_HALF_BLOCK)[...] = halves[1::2]
        self._uniform_to_radius()
        self._uniform_to_waves()
        waves = self._waves
        np.multiply(waves, self._radius, out=waves)
        self._scale(mean, std)
        halves[0::2] = waves[1].view(_HALF_BLOCK)
        halves[1::2] = waves[0].view(_HALF_BLOCK)

    def _uniform_to_radius(self) -> None:
        """``sqrt(-2 log(1 - u))``; every copy from float64 to float32 is a rounding of C's."""
        x, y, z, exponent = self._radius, self._y, self._z, self._integers
        x_wide, product, term, _ = self._wide
        np.subtract(np.float32(1), x, out=x)
        # x = 2**exponent * (1 + x) with 1 + x in [sqrt(1/2), sqrt(2))
        bits = x.view(np.int32)
        np.add(bits, _ONE_BITS - _SQRT_HALF_BITS, out=bits)
        np.right_shift(bits, np.int32(23), out=exponent)
        np.subtract(exponent, np.int32(127), out=exponent)
        np.bitwise_and(bits, _MANTISSA_BITS, out=bits)
        np.add(bits, _SQRT_HALF_BITS, out=bits)
        np.subtract(x, np.float32(1), out=x)

        np.copyto(x_wide, x)
        np.multiply(x_wide, _LOG_POLYNOMIAL[0], out=product)
        for coefficient in _LOG_POLYNOMIAL[1:-1]:
            np.add(product, coefficient, out=product)
            np.copyto(y, product, casting="same_kind")
            np.copyto(product, y)
            np.multiply(product, x_wide, out=product)
        np.add(product, _LOG_POLYNOMIAL[-1], out=product)
        np.copyto(y, product, casting="same_kind")
        np.multiply(y, x, out=y)
        np.multiply(x, x, out=z)

        np.copyto(product, y)
        np.copyto(term, z)
        np.multiply(product, term, out=product)
        np.copyto(y, exponent, casting="unsafe")
        np.multiply(y, _LN2_LOW, out=y)
        np.copyto(term, y)
        np.add(product, term, out=product)
        np.copyto(y, product, casting="same_kind")
        np.multiply(z, np.float32(0.5), out=z)
        np.subtract(y, z, out=y)
        np.add(x, y, out=x)
        np.copyto(y, exponent, casting="unsafe")
        np.multiply(y, _LN2_HIGH, out=y)
        np.add(x, y, out=x)
        np.multiply(x, np.float32(-2), out=x)
        np.sqrt(x, out=x)

    def _uniform_to_waves(self) -> None:
        """``sin(2 pi u)`` and ``cos(2 pi u)`` into the two rows of ``_waves``."""
        x, y, z, octant, mask = self._x, self._y, self._z, self._integers, self._mask
        waves, (sine, cosine) = self._waves, self._waves
        x_wide, z_wide = self._wide[0], self._wide[1]
        waves_wide = self._wide[2:]
        np.multiply(x, _TWO_PI, out=x)
        # the nearest even multiple of pi/4, and what is left
        np.multiply(x, _FOUR_OVER_PI, out=y)
        np.copyto(octant, y, casting="unsafe")
        np.add(octant, np.int32(1), out=octant)
        np.bitwise_and(octant, np.int32(-2), out=octant)
        np.copyto(y, octant, casting="unsafe")
        np.multiply(y, _PI_4_HIGH, out=z)
        np.add(x, z, out=x)
        np.multiply(y, _PI_4_MIDDLE, out=z)
        np.add(x, z, out=x)
        np.copyto(z_wide, y)
        np.multiply(z_wide, _PI_4_LOW, out=z_wide)
        np.copyto(x_wide, x)
        np.add(x_wide, z_wide, out=x_wide)
        np.copyto(x, x_wide, casting="same_kind")

        np.copyto(x_wide, x)
        np.multiply(x, x, out=z)
        np.copyto(z_wide, z)
        np.multiply(z_wide, _TRIG_POLYNOMIAL[:, 0:1], out=waves_wide)
        np.add(waves_wide, _TRIG_POLYNOMIAL[:, 1:2], out=waves_wide)
        np.copyto(waves, waves_wide, casting="same_kind")
        np.copyto(waves_wide, waves)
        np.multiply(waves_wide, z_wide, out=waves_wide)
        np.add(waves_wide, _TRIG_POLYNOMIAL[:, 2:3], out=waves_wide)
        np.copyto(waves, waves_wide, casting="same_kind")
        np.multiply(waves, z, out=waves)
        np.copyto(waves_wide, waves)
        sine_wide, cosine_wide = waves_wide
        np.multiply(sine_wide, x_wide, out=sine_wide)
        np.add(sine_wide, x_wide, out=sine_wide)
        np.multiply(cosine_wide, z_wide, out=cosine_wide)
        np.multiply(z_wide, 0.5, out=z_wide)
        np.subtract(cosine_wide, z_wide, out=cosine_wide)
        np.copyto(waves, waves_wide, casting="same_kind")
        np.add(cosine, np.float32(1), out=cosine)

        # In every second quadrant sine and cosine change places; then each gets its sign.
        sine_bits, cosine_bits = sine.view(np.int32), cosine.view(np.int32)
        swap = z.view(np.int32)
        np.left_shift(octant, np.int32(30), out=mask)
        np.right_shift(mask, np.int32(31), out=mask)
        np.bitwise_xor(sine_bits, cosine_bits, out=swap)
        np.bitwise_and(swap, mask, out=swap)
        np.bitwise_xor(sine_bits, swap, out=sine_bits)
        np.bitwise_xor(cosine_bits, swap, out=cosine_bits)
        sign_bit = np.int32(-(2**31))
        np.left_shift(octant, np.int32(29), out=mask)
        np.bitwise_and(mask, sign_bit, out=mask)
        np.bitwise_xor(sine_bits, mask, out=sine_bits)
        np.add(octant, np.int32(2), out=octant)
        np.left_shift(octant, np.int32(29), out=mask)
        np.bitwise_and(mask, sign_bit, out=mask)
        np.bitwise_xor(cosine_bits, mask, out=cosine_bits)

    def _scale(self, mean: float, std: float) -> None:
        """``fma(normal, std, mean)`` with both rounded to float32 first."""
        waves = self._waves
        with np.errstate(over="ignore", invalid="ignore"):
            mean32, std32 = np.float32(mean), np.float32(std)
            if std32 == 1:
                np.add(waves, mean32, out=waves)  # also turns -0 into 0, as the fma does
            elif mean32 == 0:
                np.multiply(waves, std32, out=waves)
                np.add(waves, mean32, out=waves)
            else:
                wide = self._wide[2:]
                np.copyto(wide, waves)
                np.multiply(wide, float(std32), out=wide)
                np.add(wide, float(mean32), out=wide)
                np.copyto(waves, wide, casting="same_kind")


def transform_float64(block: Array, mean: float, std: float) -> None:
    """Replaces the float64 uniforms in ``block`` by normals of this mean and standard deviation.

    ``block`` is a contiguous array whose size is a multiple of sixteen.

    Example:
        >>> block = np.full(16, 0.5)
        >>> transform_float64(block, mean=0.0, std=1.0)
        >>> float(block[0])  # sqrt(-2 log 0.5) cos(pi)
        -1.1774100225154747
    """
    halves = block.reshape(-1, 2, BLOCK // 2)
    radius = np.sqrt(-2.0 * c_library("log")(1.0 - halves[:, 0]))
    angle = (2.0 * math.pi) * halves[:, 1]
    halves[:, 0] = multiply_add_float64(radius * c_library("cos")(angle), std, mean)
    halves[:, 1] = multiply_add_float64(radius * c_library("sin")(angle), std, mean)
