"""Random tensors. On the CPU the numbers are PyTorch's own, draw for draw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._creation import _complex_if, _finish, _into, _type, as_size
from ._tensor import Tensor, wrap
from .autograd._modes import mode
from .device import CPU, DTYPES, Device, DType, MersenneTwister, TensorType, resolve
from .ops._inplace import any_requires_grad, bump, check_inplace

__all__ = [
    "Generator", "bernoulli", "default_generator", "fork_rng", "get_rng_state", "initial_seed",
    "manual_seed", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip


class Generator:
    """A stream of random numbers with a state of its own.

    >>> import devgrad
    >>> devgrad.rand(1, generator=devgrad.Generator().manual_seed(0))
    tensor([0.4963])
    """

    def __init__(self, device: Device | str = "cpu") -> None:
        # The stream runs on the host whatever the device: the same numbers everywhere.
        self.device = resolve(device)
        self._stream = MersenneTwister()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to this number."""
        self._stream.manual_seed(int(seed))
        return self

    def seed(self) -> int:
        """Start a stream by a number from the operating system, and return the number."""
        return int(self._stream.seed())

    def initial_seed(self) -> int:
        """The number that the stream was started by."""
        return int(self._stream.initial_seed())

    def get_state(self) -> Tensor:
        """The state, as a tensor of bytes in PyTorch's own layout."""
        state = self._stream.get_state()
        return wrap(state, CPU.types[state.dtype])

    def set_state(self, new_state: Tensor) -> None:
        """Go on from a state that `get_state` gave."""
        self._stream.set_state(new_state._type.xp.to_host(new_state._array))

    def clone_state(self) -> Generator:
        """A new generator in this one's state."""
        made = Generator(self.device)
        made.set_state(self.get_state())
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self.device), self.get_state())


def _restored(device: str, state: Tensor) -> Generator:
    made = Generator(device)
    made.set_state(state)
    return made


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the default stream that belongs to this number.

    >>> import devgrad
    >>> _ = devgrad.manual_seed(100)
    >>> devgrad.rand(2)
    tensor([0.1117, 0.8158])
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default stream by a number from the operating system, and return the number."""
    return default_generator.seed()


def initial_seed() -> int:
    """The number that the default stream was started by."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default stream's state."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go on with the default stream from this state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True) -> Iterator[None]:
    """Draw inside without moving the default stream on outside."""
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


def _stream(generator: Generator | None) -> MersenneTwister:
    return (generator or default_generator)._stream


def _placed(array: Any, kind: TensorType) -> Any:
    return kind.xp.from_host(array, kind.device.index)


def _floating(name: str) -> Any:
    draw_name = {"rand": "uniform", "randn": "normal"}[name]

    def make(
        *size: Any, generator: Generator | None = None, out: Tensor | None = None,
        dtype: DType | None = None, layout: Any = None, device: Any = None,
        requires_grad: bool = False, pin_memory: bool = False, **names: Any,
    ) -> Tensor:  # fmt: skip
        if "size" in names:
            size = (names.pop("size"),)
        names.pop("memory_format", None)
        if names:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(names))}'")
        shape = as_size(size, name)
        kind = _type(dtype, device, None if out is None else out.dtype)
        if not kind.floating:
            raise RuntimeError(
                f"\"{draw_name}\" not implemented for '{kind.dtype.title}': "
                f"{name}() draws real numbers; for integers use randint()"
            )
        array = getattr(_stream(generator), draw_name)(shape, kind.array_dtype)
        return _into(out, _finish(_placed(array, kind), kind, requires_grad))

    make.__name__ = make.__qualname__ = name
    what = "uniform in [0, 1)" if name == "rand" else "normal with mean 0 and variance 1"
    make.__doc__ = f"""A tensor of this size of random numbers, {what}.

    Raises:
        RuntimeError: the dtype is no floating-point or complex one.

    >>> import devgrad
    >>> devgrad.{name}(2, 3).shape
    torch.Size([2, 3])
    """
    return make


rand = _floating("rand")
randn = _floating("randn")


def _like(name: str) -> Any:
    make = globals()[name]

    def like(
        input: Tensor, *args: Any, dtype: DType | None = None, device: Any = None, **options: Any
    ) -> Tensor:
        options.pop("memory_format", None)
        made: Tensor = make(
            *args, tuple(input.shape), dtype=input.dtype if dtype is None else dtype,
            device=input.device if device is None else device, **options,
        )  # fmt: skip
        return made

    like.__name__ = like.__qualname__ = f"{name}_like"
    like.__doc__ = f"As `{name}`, with the size, dtype and device of ``input``."
    return like


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: DType | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Random integers from ``low`` (default 0) up to, without, ``high``: ``randint(10, (2,))``.

    Raises:
        RuntimeError: there is no such integer.

    >>> import devgrad
    >>> devgrad.randint(3, 5, (4,)).shape
    torch.Size([4])
    """
    if size is None:
        if isinstance(high, (tuple, list)):
            low, high, size = 0, low, high
        else:
            raise TypeError("randint(): missing argument 'size'")
    elif high is None:
        low, high = 0, low
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    kind = _type(dtype, device, DTYPES["int64"])
    array = _stream(generator).randint(low, high, as_size((size,), "randint"), kind.array_dtype)
    return _into(out, _finish(_placed(array, kind), kind, requires_grad))


def randperm(
    n: int, *, generator: Generator | None = None, out: Tensor | None = None,
    dtype: DType | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The integers from 0 to ``n - 1`` in random order."""
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    kind = _type(dtype, device, DTYPES["int64"])
    array = _stream(generator).randperm(n, kind.array_dtype)
    return _into(out, _finish(_placed(array, kind), kind, requires_grad))


rand_like = _like("rand")
randn_like = _like("randn")


def randint_like(input: Tensor, low: int, high: int | None = None, **options: Any) -> Tensor:
    """As `randint`, with the size, dtype and device of ``input``."""
    if high is None:
        low, high = 0, low
    options.setdefault("dtype", input.dtype)
    options.setdefault("device", input.device)
    return randint(low, high, tuple(input.shape), **options)


def _host(x: Tensor) -> Any:
    return x._type.xp.to_host(x._array)


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: DType | None = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Normally distributed numbers; mean and standard deviation are numbers or tensors.

    Raises:
        RuntimeError: a standard deviation is negative.

    >>> import devgrad
    >>> devgrad.normal(0.0, 1.0, (2, 2)).shape
    torch.Size([2, 2])
    """
    given = mean if isinstance(mean, Tensor) else std if isinstance(std, Tensor) else None
    if (std._array < 0).any() if isinstance(std, Tensor) else std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    if given is None:
        kind = _type(dtype, device, _complex_if(mean, std))
        array = _stream(generator).normal(as_size((size,), "normal"), kind.array_dtype, mean, std)
        return _into(out, _finish(_placed(array, kind), kind, requires_grad))
    kind = given._type
    means = _host(mean) if isinstance(mean, Tensor) else mean
    stds = _host(std) if isinstance(std, Tensor) else std
    shape = (mean + std if isinstance(mean, Tensor) and isinstance(std, Tensor) else given).shape
    array = _stream(generator).normal(tuple(shape), kind.array_dtype)
    array = (array * stds + means).astype(kind.array_dtype)
    return _into(out, wrap(_placed(array, kind), kind))


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Ones with the probabilities that ``input`` holds (or ``p``), zeros otherwise.

    Raises:
        RuntimeError: a probability is not between 0 and 1.
    """
    kind = input._type
    if p is None and (not kind.floating or ((input._array < 0) | (input._array > 1)).any()):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    chances = _host(input) if p is None else p
    array = _stream(generator).bernoulli(chances, input._array.shape, kind.array_dtype)
    return _into(out, wrap(_placed(array, kind), kind))


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *,
    generator: Generator | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Indices drawn with the probabilities in ``input`` (or in each of its rows).

    Raises:
        RuntimeError: they are no probabilities, or too few for drawing without replacement.
    """
    array = _stream(generator).multinomial(_host(input), num_samples, replacement)
    kind = input._type.with_dtype(DTYPES["int64"])
    return _into(out, wrap(_placed(array, kind), kind))


# --- filling in place ------------------------------------------------------------------------


def _fill(name: str, self: Tensor, array: Any) -> Tensor:
    recorded = mode.grad and any_requires_grad((self,))
    check_inplace(name, self, recorded)
    drawn = wrap(_placed(array, self._type), self._type)
    if recorded:
        copied: Tensor = self.copy_(drawn)
        return copied
    self._array[...] = drawn._array
    bump(self)
    return self


def _filler(name: str, draw: Any, doc: str) -> Any:
    def method(
        self: Tensor, *args: Any, generator: Generator | None = None, **named: Any
    ) -> Tensor:
        check_inplace(name, self, mode.grad and any_requires_grad((self,)))
        array = draw(_stream(generator), self._array.shape, self._type.array_dtype, *args, **named)
        return _fill(name, self, array)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = doc
    return method


def _uniform(
    stream: Any, shape: Any, dtype: Any, a: float = 0.0, b: float = 1.0, **named: Any
) -> Any:
    a, b = named.get("from", a), named.get("to", b)
    if a > b:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={a:g} > to={b:g}"
        )
    return stream.uniform(shape, dtype, a, b)


def _normal(stream: Any, shape: Any, dtype: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return stream.normal(shape, dtype, mean, std)


def _random(stream: Any, shape: Any, dtype: Any, a: Any = None, b: Any = None, **named: Any) -> Any:
    a, b = named.get("from", a), named.get("to", b)
    if a is None and b is None:
        return stream.random_(shape, dtype)
    if b is None:
        a, b = 0, a
    if a >= b:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={a} >= to={b}"
        )
    return stream.randint(a, b, shape, dtype)


def _bernoulli(stream: Any, shape: Any, dtype: Any, p: Any = 0.5) -> Any:
    return stream.bernoulli(_host(p) if isinstance(p, Tensor) else p, shape, dtype)


def _exponential(stream: Any, shape: Any, dtype: Any, lambd: float = 1.0) -> Any:
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    return stream.exponential(shape, dtype, lambd)


def _geometric(stream: Any, shape: Any, dtype: Any, p: float) -> Any:
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    return stream.geometric(shape, dtype, p)


def _cauchy(stream: Any, shape: Any, dtype: Any, median: float = 0.0, sigma: float = 1.0) -> Any:
    return stream.cauchy(shape, dtype, median, sigma)


def _log_normal(stream: Any, shape: Any, dtype: Any, mean: float = 1.0, std: float = 2.0) -> Any:
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    return stream.log_normal(shape, dtype, mean, std)


for _name, _draw, _doc in (
    ("uniform_", _uniform, "Fill with numbers uniform in [from, to)."),
    ("normal_", _normal, "Fill with normally distributed numbers."),
    ("random_", _random, "Fill with integers from `from` up to, without, `to`."),
    ("bernoulli_", _bernoulli, "Fill with ones with probability p, zeros otherwise."),
    ("exponential_", _exponential, "Fill with exponentially distributed numbers."),
    ("geometric_", _geometric, "Fill with geometrically distributed numbers."),
    ("cauchy_", _cauchy, "Fill with numbers of a Cauchy distribution."),
    ("log_normal_", _log_normal, "Fill with numbers whose logarithm is normally distributed."),
):
    setattr(Tensor, _name, _filler(_name, _draw, _doc))
for _function in (bernoulli, multinomial):
    setattr(Tensor, _function.__name__, _function)
