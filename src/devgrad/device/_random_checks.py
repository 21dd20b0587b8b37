"""What PyTorch's random functions refuse, in PyTorch's words and then in ours."""

from __future__ import annotations

import operator
import warnings
from typing import Any, NoReturn, TypeVar

import numpy as np

from ._exact_math import Array

Shape = tuple[int, ...]
DType = np.dtype[Any]
_E = TypeVar("_E", bound=Exception)

INT64_MIN = -(2**63)
_INT64_MAX = 2**63 - 1
_MOST_CATEGORIES = 2**24
_NO_WEIGHT = "invalid multinomial distribution (sum of probabilities <= 0)"
_NO_LOGITS = "Were logits passed? multinomial wants probabilities: apply a softmax."

# PyTorch's name, C++'s name
_NAMES: dict[DType, tuple[str, str]] = {
    np.dtype(name): names
    for name, names in {
        "bool": ("Bool", "bool"),
        "uint8": ("Byte", "unsigned char"),
        "int8": ("Char", "signed char"),
        "int16": ("Short", "short int"),
        "int32": ("Int", "int"),
        "int64": ("Long", "long int"),
        "uint16": ("UInt16", "short unsigned int"),
        "uint32": ("UInt32", "unsigned int"),
        "uint64": ("UInt64", "long unsigned int"),
        "float16": ("Half", "c10::Half"),
        "float32": ("Float", "float"),
        "float64": ("Double", "double"),
        "complex64": ("ComplexFloat", "c10::complex<float>"),
        "complex128": ("ComplexDouble", "c10::complex<double>"),
    }.items()
}
HALF, SINGLE, DOUBLE = map(np.dtype, ("float16", "float32", "float64"))
BOOL, INT64, UINT64 = map(np.dtype, ("bool", "int64", "uint64"))
FLOATS = frozenset((HALF, SINGLE, DOUBLE))
REALS = frozenset(dtype for dtype in _NAMES if dtype.kind != "c")
# the dtypes that most of PyTorch's CPU kernels know
COMMON_REALS = REALS - {np.dtype("uint16"), np.dtype("uint32"), UINT64}
_SIGNIFICAND_BITS = {HALF: 11, SINGLE: 24, DOUBLE: 53}
# the largest finite number, or the last integer
_LARGEST: dict[DType, float] = {dtype: float(np.finfo(dtype).max) for dtype in FLOATS}
_LAST: dict[DType, int] = {BOOL: 1} | {
    dtype: int(np.iinfo(dtype).max) for dtype in REALS - FLOATS - {BOOL}
}


def error(kind: type[_E], phrase: str, advice: str) -> _E:
    """An exception that says PyTorch's phrase, then our own words."""
    return kind(f"{phrase}. {advice}")


def unsupported(kernel: str, dtype: DType, advice: str) -> NoReturn:
    """Raises PyTorch's NotImplementedError of a kernel that does not know the dtype."""
    name = _NAMES.get(dtype, (dtype.name,))[0]
    raise error(NotImplementedError, f"\"{kernel}\" not implemented for '{name}'", advice)


def largest_integer(dtype: DType) -> int:
    """The end of the range of integers that ``random_`` draws from without bounds."""
    if dtype in FLOATS:
        return 1 << _SIGNIFICAND_BITS[dtype]
    return _LAST[dtype]


def expand(array: Array, shape: Shape) -> Array:
    """``array`` broadcast to ``shape``, or PyTorch's error of ``Tensor.expand``."""
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        pass
    advice = f"The parameter of shape {array.shape} must broadcast to the result, {shape}."
    if array.ndim > len(shape):
        raise error(
            RuntimeError,
            f"expand(torch.{_NAMES[array.dtype][0]}Tensor{{{list(array.shape)}}}, "
            f"size={list(shape)}): the number of sizes provided ({len(shape)}) must be greater or "
            f"equal to the number of dimensions in the tensor ({array.ndim})",
            advice,
        )
    offset = len(shape) - array.ndim
    dim = max(i for i, n in enumerate(array.shape) if n not in (1, shape[i + offset]))
    raise error(
        RuntimeError,
        f"The expanded size of the tensor ({shape[dim + offset]}) must match the existing size "
        f"({array.shape[dim]}) at non-singleton dimension {dim + offset}.  "
        f"Target sizes: {list(shape)}.  Tensor sizes: {list(array.shape)}",
        advice,
    )


def broadcast(a: Shape, b: Shape) -> Shape:
    """The shape that the two broadcast to, or PyTorch's error."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        pass
    ndim = max(len(a), len(b))
    a_sizes, b_sizes = (1,) * (ndim - len(a)) + a, (1,) * (ndim - len(b)) + b
    dim = max(
        i for i in range(ndim) if a_sizes[i] != b_sizes[i] and 1 not in (a_sizes[i], b_sizes[i])
    )
    raise error(
        RuntimeError,
        f"The size of tensor a ({a_sizes[dim]}) must match the size of tensor b ({b_sizes[dim]}) "
        f"at non-singleton dimension {dim}",
        f"The shapes are {a} and {b}.",
    )


def check_uniform_bounds(dtype: DType, low: float, high: float) -> None:
    if dtype not in FLOATS:
        unsupported("check_uniform_bounds", dtype, "Draw a floating dtype and convert it.")
    torch_name, cpp_name = _NAMES[dtype]
    largest = _LARGEST[dtype]
    for bound, name in ((low, "from"), (high, "to")):
        if not -largest <= bound <= largest:
            raise error(
                RuntimeError,
                f"{name} is out of bounds for {cpp_name}",
                f"{bound:g} is not in [{-largest:g}, {largest:g}].",
            )
    if not low <= high:
        raise error(
            RuntimeError,
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}",
            "Swap the bounds?",
        )
    if not high - low <= largest:
        raise error(
            RuntimeError,
            f"uniform_ expects to-from <= std::numeric_limits<{torch_name}>::max(), but found "
            f"to={high:g} and from={low:g} which result in to-from to exceed the limit",
            "Draw from half the range and multiply by two.",
        )


def check_std(std: float) -> None:
    if not std >= 0.0:
        raise error(
            RuntimeError,
            f"normal expects std >= 0.0, but found std {std:g}",
            "It is the standard deviation, not its logarithm.",
        )


def check_std_array(std: Array) -> None:
    if std.dtype.kind == "c":
        raise error(
            RuntimeError,
            "normal expects standard deviation to be non-complex",
            f"This one has dtype {std.dtype}: pass its real part or its absolute value.",
        )
    if std.size and not std.min() >= 0:
        raise error(
            RuntimeError,
            "normal expects all elements of std >= 0.0",
            f"The least of them is {std.min():g}; was a logarithm of it passed?",
        )


def not_floating(distribution: str, dtype: DType, cpp: bool = False) -> NoReturn:
    """Raises PyTorch's error of a continuous distribution asked for integers."""
    raise error(
        RuntimeError,
        f"{distribution} distribution is a continuous probability distribution. dtype must be a "
        f"floating point but you specified {_NAMES[dtype][int(cpp)]}",
        "Draw a floating dtype and convert it.",
    )


def check_positive(function: str, name: str, value: float, advice: str) -> None:
    if not value > 0.0:
        raise error(
            RuntimeError,
            f"{function} expects {name} > 0.0, but found {name}={value:g}",
            advice,
        )


def check_int64(bound: int) -> int:
    number = operator.index(bound)
    if not INT64_MIN <= number <= _INT64_MAX:
        raise error(
            ValueError,
            "Overflow when unpacking long long",
            f"The bound {number} must lie in [-2**63, 2**63).",
        )
    return number


def representable_range(low: int, high: int, dtype: DType) -> tuple[int, int]:
    """[low, high) as ``random_`` draws from it: for floats without what rounds out of it."""
    if low >= high:
        raise error(
            RuntimeError,
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}",
            "The upper bound is excluded, so the range is empty.",
        )
    if dtype in FLOATS:
        low, high = _round_low(low, dtype), _round_high(high, dtype)
        if low >= high:
            raise error(
                RuntimeError,
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}",
                f"No number of {dtype} lies between the bounds: draw int64 and convert it.",
            )
    _check_integer_bounds(low, high - 1, dtype)
    return low, high


def representable_range_from(low: int, dtype: DType) -> tuple[int, int]:
    """[low, end) as ``random_`` draws from it without an upper bound."""
    if dtype not in REALS:
        raise error(
            RuntimeError,
            "random_from_to_impl handles only integral, floating-point and boolean types",
            f"This dtype is {dtype}: draw int64 and convert it.",
        )
    # PyTorch's int64 cannot hold the end of uint64: it becomes -1, and is refused.
    last = largest_integer(dtype) if dtype != UINT64 else -1
    if dtype in FLOATS:
        low = _round_low(low, dtype)
        if low >= last:
            raise error(
                RuntimeError,
                "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' "
                f"casted to dtype, but got from={low} > to_inc={last}",
                f"Above 2**{_SIGNIFICAND_BITS[dtype]} there are gaps in {dtype}: give an "
                "upper bound.",
            )
    _check_integer_bounds(low, last, dtype)
    return low, last + 1


def check_full_range(dtype: DType) -> None:
    """``random_`` from -2**63 without an upper bound: the dtypes that PyTorch has it for."""
    if dtype in (INT64, DOUBLE, SINGLE):
        return
    kernel = "random_full_64_bits_range_kernel_cpu"
    if dtype in COMMON_REALS - {BOOL, HALF}:
        raise error(
            RuntimeError,
            f"{kernel} handles only int64, double, float and bfloat16",
            f"The bound -2**63 does not fit into {dtype}: leave it out.",
        )
    unsupported(kernel, dtype, "Leave the bound -2**63 out.")


def _check_integer_bounds(low: int, last: int, dtype: DType) -> None:
    if dtype not in REALS:
        raise error(
            RuntimeError,
            "check_random_bounds handles only integral, floating-point and boolean types",
            f"This dtype is {dtype}: draw int64 and convert it.",
        )
    cpp_name = _NAMES[dtype][1]
    most = _LARGEST[dtype] if dtype in FLOATS else _LAST[dtype]
    least = -most if dtype in FLOATS else -most - 1 if dtype.kind == "i" else 0
    for bound, name in ((low, "from"), (last, "to - 1")):
        if not least <= bound <= most:
            raise error(
                RuntimeError,
                f"{name} is out of bounds for {cpp_name}",
                f"{bound} is not in [{least:g}, {most:g}]: draw a wider dtype.",
            )
    if dtype in FLOATS:
        digits = _SIGNIFICAND_BITS[dtype]
        for bound, name in ((low, "from"), (last, "to - 1")):
            if abs(bound) > 2**digits:
                warnings.warn(
                    f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision "
                    f"limitations {cpp_name} can support discrete uniform distribution only "
                    "within this range. This warning will become an error in version 1.7 release, "
                    "please fix the code in advance",
                    UserWarning,
                    stacklevel=4,
                )


def _through(number: int, dtype: DType) -> int:
    """The integer after a conversion to the dtype and back, in the processor's arithmetic."""
    with np.errstate(over="ignore"):
        value = float(np.array(number).astype(dtype))
    return int(value) if abs(value) < 2.0**63 else INT64_MIN


def _round_low(low: int, dtype: DType) -> int:
    rounded = _through(low + 1, dtype)
    if rounded < low:
        return rounded + (1 << _gap_exponent(low + 1, dtype))
    return low


def _round_high(high: int, dtype: DType) -> int:
    rounded = _through(high - 1, dtype)
    if rounded >= high:
        return rounded - (1 << _gap_exponent(high - 1, dtype))
    return high


def _gap_exponent(number: int, dtype: DType) -> int:
    """``e`` of the distance ``2**e`` between the dtype's numbers at this magnitude."""
    return abs(number).bit_length() - _SIGNIFICAND_BITS[dtype]


def check_randperm(n: int, dtype: DType) -> None:
    if n < 0:
        raise error(
            RuntimeError,
            f"Trying to create tensor with negative dimension {n}: [{n}]",
            "A permutation has at least zero elements.",
        )
    if dtype in REALS - {BOOL} and n > largest_integer(dtype) + 1:
        if dtype in FLOATS:
            limit = "2049" if dtype == HALF else f"2^{_SIGNIFICAND_BITS[dtype]}+1"
            raise error(
                RuntimeError,
                f"n cannot be greater than {limit} for {_NAMES[dtype][0]} type",
                "Draw int64 and convert it.",
            )
        c_name = "int" if dtype.name == "int32" else f"{dtype.name}_t"
        raise error(
            RuntimeError,
            f"value cannot be converted to type {c_name} without overflow",
            f"{dtype} ends at {largest_integer(dtype)}: draw int64.",
        )
    if dtype not in COMMON_REALS or dtype == BOOL:
        unsupported("randperm", dtype, "Draw int64 and convert it.")


def check_bernoulli(p: float, out: Array) -> None:
    """A probability and the array to fill with zeros and ones."""
    if not 0.0 <= p <= 1.0:
        raise error(
            RuntimeError,
            f"bernoulli_ expects p to be in [0, 1], but got p={p:g}",
            "It is the probability of a one.",
        )
    if out.size and out.dtype not in COMMON_REALS:
        unsupported("bernoulli_scalar_cpu_", out.dtype, "Draw bool and convert it.")


def check_bernoulli_array(p: Array, out: Array) -> Array:
    """Returns the probabilities in a row, one for each element of ``out``."""
    if out.dtype not in COMMON_REALS:
        unsupported("bernoulli_tensor_cpu_self_", out.dtype, "Draw bool and convert it.")
    if p.dtype not in FLOATS:
        unsupported("bernoulli_tensor_cpu_p_", p.dtype, "Convert the probabilities to float.")
    p = expand(p, out.shape).reshape(-1)
    least, most = p.min(), p.max()
    if not (least >= 0.0 and most <= 1.0):
        raise error(
            RuntimeError,
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error "
            "message be improved?  If so, please report an enhancement request to PyTorch.)",
            f"The probabilities range from {least:g} to {most:g}. Were logits passed? Apply a "
            "sigmoid, or clamp to [0, 1].",
        )
    return p


def check_geometric(p: float) -> None:
    if not 0.0 < p < 1.0:
        raise error(
            RuntimeError,
            f"geometric_ expects p to be in (0, 1), but got p={p:g}",
            "It is the probability of success in one trial.",
        )


def check_rates(rates: Array) -> None:
    if rates.dtype not in FLOATS:
        unsupported("poisson_cpu", rates.dtype, "Convert the rates to float.")
    if rates.size and not rates.min() >= 0:
        raise error(
            RuntimeError,
            "invalid Poisson rate, expected rate to be non-negative",
            f"The least rate is {rates.min():g}; was a log-rate passed?",
        )


def check_multinomial(probs: Array, n: int, replacement: bool) -> None:
    if not 0 < probs.ndim <= 2:
        raise error(
            RuntimeError,
            "prob_dist must be 1 or 2 dim",
            f"This one has shape {probs.shape}: one distribution, or one in each row.",
        )
    if probs.dtype not in FLOATS:
        raise error(
            RuntimeError,
            "multinomial only supports floating-point dtypes for input, got: "
            f"{_NAMES[probs.dtype][0]}",
            "Convert the weights to float.",
        )
    if n <= 0:
        raise error(RuntimeError, "cannot sample n_sample <= 0 samples", f"num_samples is {n}.")
    categories = probs.shape[-1]
    if not replacement and n > categories:
        raise error(
            RuntimeError,
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
            f"num_samples is {n} and there are {categories} categories: pass replacement=True?",
        )
    if categories > _MOST_CATEGORIES:
        raise error(
            RuntimeError,
            "number of categories cannot exceed 2^24",
            f"There are {categories}.",
        )


def check_probabilities(probs: Array) -> None:
    """The weights of ``multinomial`` where they are compared at once."""
    if not probs.shape[-1]:
        raise error(
            RuntimeError,
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity",
            "There is no category to draw.",
        )
    if not (probs.max() < np.inf and probs.min() >= 0):
        raise error(
            RuntimeError,
            "probability tensor contains either `inf`, `nan` or element < 0",
            _NO_LOGITS,
        )
    if not (probs > 0).any(axis=-1).all():
        raise error(RuntimeError, _NO_WEIGHT, "All weights of a row are zero.")


def check_rows_of_probabilities(rows: Array) -> None:
    """The weights of ``multinomial`` where they are looked at one after the other."""
    wrong = ~(rows >= 0) | np.isinf(rows)
    wrong_rows = wrong.any(axis=1) | ~(rows > 0).any(axis=1)
    if not wrong_rows.any():
        return
    first = int(wrong_rows.argmax())
    if not wrong[first].any():
        raise error(RuntimeError, _NO_WEIGHT, f"All weights are zero in row {first}.")
    weight = rows[first, wrong[first].argmax()]
    reason = "= infinity or NaN" if weight >= 0 else "< 0"
    raise error(
        RuntimeError,
        f"invalid multinomial distribution (encountering probability entry {reason})",
        f"It is {weight:g}, in row {first}. {_NO_LOGITS}",
    )


def check_binomial(count: Array, prob: Array) -> None:
    for array, name in ((count, "count"), (prob, "prob")):
        if array.dtype not in FLOATS:
            raise error(
                ValueError,
                f"binomial only supports floating-point dtypes for {name}, "
                f"got: {_NAMES[array.dtype][0]}",
                "Convert it to float.",
            )
    if count.dtype != prob.dtype:
        raise error(
            RuntimeError,
            f"Found dtype {_NAMES[prob.dtype][0]} but expected {_NAMES[count.dtype][0]}",
            "count and prob must have the same dtype.",
        )
    if count.dtype == HALF:
        unsupported("binomial_cpu", count.dtype, "Convert to float32.")
