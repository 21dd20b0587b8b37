"""Random tensors. On the CPU the numbers are PyTorch's own, draw for draw; on CUDA, Philox's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._filling import as_size, chosen_type, complex_if, finished, into, one_size
from ._tensor import Tensor, wrap
from .autograd._modes import mode
from .device import (
    CPU,
    DEFAULT_SEED,
    DTYPES,
    Device,
    DType,
    MersenneTwister,
    TensorType,
    cuda_stream,
    cuda_streams,
    default_stream,
    draws,
    named,
    new_philox,
    placed,
    resolve,
    seed_cuda,
)
from .ops._arguments import accepted, as_int, explained, kind_name, wrong_argument
from .ops._inplace import any_requires_grad, bump, check_inplace
from .ops._memory_format import MemoryFormat
from .ops._op import AnyDevice, Ints
from .ops._promotion import moved
from .ops.rounding import drawn

__all__ = [
    "Generator", "bernoulli", "default_generator", "fork_rng", "get_rng_state", "initial_seed",
    "manual_seed", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip


class Generator:
    """A stream of random numbers with a state of its own.

    On the CPU the stream is PyTorch's own Mersenne Twister. ``Generator(device="cuda")`` is a
    Philox stream whose numbers depend on seed, number of the draw and index of the element alone:
    they are the same on every GPU, and on the CPU where there is none.

    A CPU generator may also fill CUDA tensors, for the same numbers on both devices:
    ``randn(3, device="cuda", generator=cpu_generator)`` draws on the host and copies.

    >>> import devgrad
    >>> devgrad.rand(1, generator=devgrad.Generator().manual_seed(0))
    tensor([0.4963])
    """

    def __init__(self, device: Device | str = "cpu") -> None:
        self._kind = named(device).type  # what was asked for, also where the CPU stands in for it
        self.device = resolve(device)
        self._stream: Any = MersenneTwister() if self._kind == "cpu" else new_philox(DEFAULT_SEED)

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

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on from a state that `get_state` gave."""
        self._stream.set_state(_bytes(new_state))
        return self

    def get_offset(self) -> int:
        """How many draws a CUDA generator has made.

        Raises:
            RuntimeError: it is a CPU generator.
        """
        if self._kind == "cpu":
            raise RuntimeError("CPU Generator does not use offset")
        return int(self._stream.offset)

    def set_offset(self, offset: int) -> Generator:
        """Let a CUDA generator go on as after so many draws.

        Raises:
            RuntimeError: it is a CPU generator.
        """
        self.get_offset()
        self._stream.offset = int(offset)
        return self

    def clone_state(self) -> Generator:
        """A new generator in this one's state."""
        return _restored(self._kind, self.device, self.get_state())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._kind, self.device, self.get_state())


def _bytes(state: Any) -> Any:
    return state._type.xp.to_host(state._array) if isinstance(state, Tensor) else state


def _restored(kind: str, device: Device, state: Tensor) -> Generator:
    return Generator(device if device.type == kind else kind).set_state(state)


def _over(stream: Any, device: Device | str) -> Generator:
    made = Generator(device)
    made._stream = stream
    return made


default_generator = _over(default_stream, "cpu")


def cuda_generator(index: int | None) -> Generator:
    """The default generator of a CUDA device."""
    return _over(cuda_stream(index), Device("cuda", index))


def manual_seed(seed: int) -> Generator:
    """Start the default streams, of the CPU and of all CUDA devices, that belong to this number.

    >>> import devgrad
    >>> _ = devgrad.manual_seed(100)
    >>> devgrad.rand(2)
    tensor([0.1117, 0.8158])
    """
    default_generator.manual_seed(seed)
    seed_cuda(int(seed))
    return default_generator


def seed() -> int:
    """Start the default streams by a number from the operating system, and return the number."""
    number = default_generator.seed()
    seed_cuda(number)
    return number


def initial_seed() -> int:
    """The number that the CPU's default stream was started by."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the CPU's default stream; `cuda.get_rng_state` is for the others."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Go on with the CPU's default stream from this state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Any = None, enabled: bool = True, device_type: str = "cuda"
) -> Iterator[None]:
    """Draw inside without moving the default streams on outside.

    Args:
        devices: the CUDA devices whose streams are meant too; default all of them.
        enabled: False makes this do nothing.
        device_type: taken for compatibility.
    """
    if not enabled:
        yield
        return
    state = get_rng_state()
    seed, streams = cuda_streams()
    chosen = None if devices is None else {Device(d).index or 0 for d in devices}
    states = {i: s.get_state() for i, s in streams.items() if chosen is None or i in chosen}
    try:
        yield
    finally:
        set_rng_state(state)
        for index, stream in streams.items():
            if index in states:
                stream.set_state(states[index])
            elif chosen is None or index in chosen:
                stream.manual_seed(seed)  # it was made inside


def _draws(generator: Generator | None, kind: TensorType, device: Any = CPU) -> Any:
    """`draws` for a user's generator.

    Raises:
        RuntimeError: the generator is a CUDA one, and the tensor is not on its device.
    """
    if generator is None:
        return draws(None, kind, device)
    if generator._kind != "cpu" and generator.device is not kind.device:
        raise RuntimeError(
            f"Expected a '{kind.device.type}' device type for generator but found "
            f"'{generator.device.type}'. The tensor is on {kind.device}, the generator on "
            f"{generator.device}; a CPU generator fills tensors of any device"
        )
    return draws(generator._stream, kind)


def _parameter(x: Tensor, source: Any, kind: TensorType) -> Any:
    """A tensor of parameters as an array that ``source`` takes: on the host for a CPU stream."""
    if source.__class__ is MersenneTwister:
        return x._type.xp.to_host(x._array)
    return moved(x._array, x._type, kind.with_dtype(x.dtype))


def _floating(name: str) -> Any:
    draw_name = {"rand": "uniform", "randn": "normal"}[name]

    def make(
        *size: Any, generator: Generator | None = None, out: Tensor | None = None,
        dtype: DType | None = None, layout: Any = None, device: AnyDevice = None,
        requires_grad: bool | None = False, pin_memory: bool | None = False, **names: Any,
    ) -> Tensor:  # fmt: skip
        if "size" in names:
            size = (names.pop("size"),)
        elif not size:
            raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
        if names:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(names))}'")
        shape = as_size(size, name)
        kind = chosen_type(dtype, device, None if out is None else out.dtype)
        if not kind.floating:
            raise RuntimeError(
                f"\"{draw_name}\" not implemented for '{kind.dtype.title}': "
                f"{name}() draws real numbers; for integers use randint()"
            )
        draw = getattr(_draws(generator, kind, device), draw_name)
        array = draw(shape, kind.array_dtype)
        return into(out, finished(placed(array, kind), kind, requires_grad))

    what = "uniform in [0, 1)" if name == "rand" else "normal with mean 0 and variance 1"
    make.__doc__ = f"""A tensor of this size of random numbers, {what}.

    Raises:
        RuntimeError: the dtype is no floating-point or complex one.

    >>> import devgrad
    >>> devgrad.{name}(2, 3).shape
    torch.Size([2, 3])
    """
    return explained(make, name)


rand = _floating("rand")
randn = _floating("randn")


def _like(name: str) -> Any:
    make = globals()[name]

    def like(
        input: Tensor, *, generator: Generator | None = None, dtype: DType | None = None,
        layout: Any = None, device: AnyDevice = None,
        requires_grad: bool | None = False, memory_format: MemoryFormat | None = None,
        pin_memory: bool | None = False,
    ) -> Tensor:  # fmt: skip
        dtype, device = _as(input, dtype, device)
        made: Tensor = make(
            tuple(input.shape), generator=generator, dtype=dtype, device=device, layout=layout,
            requires_grad=requires_grad,
        )  # fmt: skip
        return made

    like.__doc__ = f"As `{name}`, with the size, dtype and device of ``input``."
    return explained(like, f"{name}_like")


def _as(input: Tensor, dtype: Any, device: Any) -> tuple[Any, Any]:
    """``dtype`` and ``device``; those of ``input`` where None is given."""
    return input.dtype if dtype is None else dtype, input.device if device is None else device


@explained
def randint(
    low: Any, high: int | Ints | None = None, size: Ints | None = None, *,
    generator: Generator | None = None, out: Tensor | None = None, dtype: DType | None = None,
    layout: Any = None, device: AnyDevice = None,
    requires_grad: bool | None = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Random integers from ``low`` (default 0) up to, without, ``high``: ``randint(10, (2,))``.

    Raises:
        RuntimeError: there is no such integer.

    >>> import devgrad
    >>> devgrad.randint(3, 5, (4,)).shape
    torch.Size([4])
    """
    if size is None and isinstance(high, (tuple, list)):
        high, size = None, high
    if size is None or isinstance(high, (tuple, list)):
        raise TypeError(
            "randint() received an invalid combination of arguments - got "
            f"({kind_name(low)}, {kind_name(high)}), but expected (int high, tuple of ints size) "
            "or (int low, int high, tuple of ints size)"
        )
    low = as_int("high" if high is None else "low", low, "randint", 1)
    if high is None:
        low, high = 0, low
    kind = chosen_type(dtype, device, DTYPES["int64"])
    source = _draws(generator, kind, device)
    array = source.randint(low, high, one_size(size, "randint"), kind.array_dtype)
    return into(out, finished(placed(array, kind), kind, requires_grad))


@explained
def randperm(
    n: int, *, generator: Generator | None = None, out: Tensor | None = None,
    dtype: DType | None = None, layout: Any = None, device: AnyDevice = None,
    requires_grad: bool | None = False, pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """The integers from 0 to ``n - 1`` in random order."""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    kind = chosen_type(dtype, device, DTYPES["int64"])
    array = _draws(generator, kind, device).randperm(n, kind.array_dtype)
    return into(out, finished(placed(array, kind), kind, requires_grad))


rand_like = _like("rand")
randn_like = _like("randn")


@explained
def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None,
    dtype: DType | None = None, layout: Any = None, device: AnyDevice = None,
    requires_grad: bool | None = False, memory_format: MemoryFormat | None = None,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """As `randint`, with the size, dtype and device of ``input``."""
    dtype, device = _as(input, dtype, device)
    made: Tensor = randint(
        low, high, tuple(input.shape), generator=generator, dtype=dtype, device=device,
        requires_grad=requires_grad,
    )  # fmt: skip
    return made


@explained
def normal(
    mean: Tensor | float, std: Tensor | float = 1.0, size: Ints | None = None, *,
    generator: Generator | None = None,
    out: Tensor | None = None, dtype: DType | None = None, layout: Any = None,
    device: AnyDevice = None, requires_grad: bool | None = False,
    pin_memory: bool | None = False,
) -> Tensor:  # fmt: skip
    """Normally distributed numbers; mean and standard deviation are numbers or tensors.

    Raises:
        RuntimeError: a standard deviation is negative.

    >>> import devgrad
    >>> devgrad.normal(0.0, 1.0, (2, 2)).shape
    torch.Size([2, 2])
    """
    given = mean if isinstance(mean, Tensor) else std if isinstance(std, Tensor) else None
    if (given is None) == (size is None):
        raise TypeError(
            "normal() received an invalid combination of arguments - got "
            f"({kind_name(mean)}, {kind_name(std)}, {kind_name(size)}), but expected a size if and "
            "only if both mean and std are numbers"
        )
    if _any_negative(std) if isinstance(std, Tensor) else std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    if given is None:
        kind = chosen_type(dtype, device, complex_if(mean, std))
        source = _draws(generator, kind, device)
        array = source.normal(one_size(size, "normal"), kind.array_dtype, mean, std)
        return into(out, finished(placed(array, kind), kind, requires_grad))
    kind = given._type
    shape = (mean + std if isinstance(mean, Tensor) and isinstance(std, Tensor) else given).shape
    array = placed(_draws(generator, kind).normal(tuple(shape), kind.array_dtype), kind)
    means, stds = (
        moved(x._array, x._type, kind) if isinstance(x, Tensor) else x for x in (mean, std)
    )
    made = wrap(kind.asarray(array * stds + means).astype(kind.array_dtype), kind)
    if mode.grad and any_requires_grad((mean, std)):
        parameters = [x for x in (mean, std) if isinstance(x, Tensor)]
        made = drawn.function(made, *parameters)
    return into(out, made)


def _any_negative(x: Tensor) -> bool:
    """Whether a number is below zero; False where looking would wait for a GPU."""
    return bool(x._type.xp.checks_bounds and (x._array < 0).any())


@explained
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Ones with the probabilities that ``input`` holds (or ``p``), zeros otherwise.

    Raises:
        RuntimeError: a probability is not between 0 and 1.
    """
    kind = input._type
    looks = kind.xp.checks_bounds
    if p is None and (
        not kind.floating or looks and bool(((input._array < 0) | (input._array > 1)).any())
    ):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    source = _draws(generator, kind)
    chances = _parameter(input, source, kind) if p is None else p
    array = source.bernoulli(chances, input._array.shape, kind.array_dtype)
    made = wrap(placed(array, kind), kind)
    if mode.grad and any_requires_grad((input,)):
        made = drawn.function(made, input)
    return into(out, made)


@explained
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *,
    generator: Generator | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Indices drawn with the probabilities in ``input`` (or in each of its rows).

    Raises:
        RuntimeError: they are no probabilities, or too few for drawing without replacement.
    """
    kind = input._type.with_dtype(DTYPES["int64"])
    source = _draws(generator, kind)
    array = source.multinomial(_parameter(input, source, kind), num_samples, replacement)
    return into(out, wrap(placed(array, kind), kind))


# --- filling in place ------------------------------------------------------------------------


def _fill(name: str, self: Tensor, array: Any) -> Tensor:
    recorded = mode.grad and any_requires_grad((self,))
    check_inplace(name, self, recorded)
    drawn = wrap(placed(array, self._type), self._type)
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
        args = _parameters(name, draw, args, named)
        if generator is not None and not isinstance(generator, Generator):
            raise wrong_argument(name, "generator", None, "torch.Generator", generator)
        check_inplace(name, self, mode.grad and any_requires_grad((self,)))
        source = _draws(generator, self._type)
        args = tuple(
            [_parameter(x, source, self._type) if isinstance(x, Tensor) else x for x in args]
        )
        array = draw(source, self._array.shape, self._type.array_dtype, *args)
        return _fill(name, self, array)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = doc
    return method


# (PyTorch calls two parameters ``from`` and ``to``, which Python's grammar does not let us.)
_KEYWORDS = {"from": "from_"}


def _parameters(name: str, draw: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """What a user gave a filling method, as the positional arguments of its ``draw``.

    Raises:
        TypeError: there are too many or too few, or one is of the wrong kind.
    """
    names = draw.__code__.co_varnames[3 : draw.__code__.co_argcount]
    defaults = draw.__defaults__ or ()
    given = dict(zip(names, args, strict=False))
    if len(args) > len(names):
        raise TypeError(
            f"{name}() takes {len(names)} positional arguments but {len(args)} were given"
        )
    for key, value in named.items():
        parameter = _KEYWORDS.get(key, key)
        if parameter not in names or parameter in given:
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        given[parameter] = value
    found = []
    for position, parameter in enumerate(names):
        default = position - len(names) + len(defaults)
        if parameter in given:
            value = given[parameter]
            if value is not None or defaults[default] is not None:
                place = (parameter.rstrip("_"), position + 1)
                value = accepted(draw, name, parameter, value, place)
            found.append(value)
        elif default < 0:
            raise TypeError(f'{name}() missing 1 required positional arguments: "{parameter}"')
        else:
            found.append(defaults[default])
    return tuple(found)


def _uniform(stream: Any, shape: Any, dtype: Any, from_: float = 0.0, to: float = 1.0) -> Any:
    return stream.uniform(shape, dtype, from_, to)


def _normal(stream: Any, shape: Any, dtype: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    return stream.normal(shape, dtype, mean, std)


def _random(
    stream: Any, shape: Any, dtype: Any, from_: int | None = None, to: int | None = None
) -> Any:
    if from_ is None and to is None:
        return stream.random_(shape, dtype)
    low, high = (0, from_) if to is None else (0 if from_ is None else from_, to)
    return stream.randint(low, high, shape, dtype)


def _bernoulli(stream: Any, shape: Any, dtype: Any, p: Tensor | float = 0.5) -> Any:
    return stream.bernoulli(p, shape, dtype)


def _exponential(stream: Any, shape: Any, dtype: Any, lambd: float = 1.0) -> Any:
    return stream.exponential(shape, dtype, lambd)


def _geometric(stream: Any, shape: Any, dtype: Any, p: float) -> Any:
    return stream.geometric(shape, dtype, p)


def _cauchy(stream: Any, shape: Any, dtype: Any, median: float = 0.0, sigma: float = 1.0) -> Any:
    return stream.cauchy(shape, dtype, median, sigma)


def _log_normal(stream: Any, shape: Any, dtype: Any, mean: float = 1.0, std: float = 2.0) -> Any:
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
