"""CUDA's random numbers: Philox by element index, the same in the kernels and in NumPy.

The kernels run here on the host (`host_kernels`), and on the stand-in through the same; with
``-m gpu`` they run on a GPU, and have to give the very same bits.
"""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import host_kernels
import numpy
import pytest
import torch

import devgrad
from devgrad.device import CPU, _kernels, _philox, new_philox, resolve

HOST = CPU.xp


# --- the generator --------------------------------------------------------------------------------


# Random123's kat_vectors for philox4x32 10: counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def _numbers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_known_answers(counter: str, key: str, result: str) -> None:
    words = tuple(numpy.array([n], numpy.uint64) for n in _numbers(counter))
    k0, k1 = _numbers(key)
    found = _philox.philox4x32(words, (k0, k1))  # type: ignore[arg-type]
    assert [int(w[0]) for w in found] == _numbers(result)


def test_words_take_counter_and_key_apart() -> None:
    """Block, turn, offset and seed each have their own part of counter and key."""
    seed, offset, block, turn = 0x299F31D0A4093822, 0x0370734413198A2E, 0x85D3243F6A88, 7
    counter = (block & 0xFFFFFFFF, block >> 32 | turn << 16, offset & 0xFFFFFFFF, offset >> 32)
    expected = _philox.philox4x32(
        tuple(numpy.array([n], numpy.uint64) for n in counter),  # type: ignore[arg-type]
        (seed & 0xFFFFFFFF, seed >> 32),
    )
    found = _philox.words(seed, offset, block, 1, turn)
    assert found.tolist() == [[int(w[0]) for w in expected]]


# Each distribution with its dtypes and parameters.
FILLS = [
    ("uniform", "float32", (0.0, 1.0, 1.0)), ("uniform", "float64", (0.0, 1.0, 1.0)),
    ("uniform", "float32", (-3.0, 5.5, 2.5)), ("uniform", "float64", (-3.0, 5.5, 2.5)),
    ("uniform", "float32", (16777216.0, 2.0, 16777218.0)),
    ("normal", "float32", (0.0, 1.0)), ("normal", "float64", (0.0, 1.0)),
    ("normal", "float32", (0.3, 2.7)), ("normal", "float64", (0.3, 2.7)),
    ("log_normal", "float32", (1.0, 2.0)), ("log_normal", "float64", (1.0, 2.0)),
    ("log_normal", "float32", (0.0, 50.0)), ("log_normal", "float64", (0.0, 400.0)),
    ("exponential", "float32", (1.5, 2.0**-25)), ("exponential", "float64", (1.5, 2.0**-54)),
    ("cauchy", "float32", (0.5, 2.0)), ("cauchy", "float64", (0.5, 2.0)),
    ("bernoulli", "bool", (1 << 30,)), ("bernoulli", "bool", (1 << 32,)),
    ("kept", "float32", (0.9, 1 / 0.9)), ("kept", "float64", (0.25, 4.0)),
    ("integers", "int64", (10, 3)), ("integers", "int64", (0, 0)),
    ("integers", "int64", (16, 2**64 - 5)), ("integers", "int64", (2**63 + 9, 2**63)),
]  # fmt: skip


def _by_numpy(name: str, dtype: str, size: int, seed: int, offset: int, *parameters: Any) -> Any:
    out = numpy.empty(size, dtype)
    _philox.fill(name, out, seed, offset, *parameters)
    return out


@pytest.mark.skipif(host_kernels.COMPILER is None, reason="no C++ compiler")
@pytest.mark.parametrize(("name", "dtype", "parameters"), FILLS)
@pytest.mark.parametrize("size", [1, 7, 100_003])
def test_kernel_equals_numpy_bit_for_bit(
    name: str, dtype: str, parameters: tuple[Any, ...], size: int
) -> None:
    """The kernel's source, compiled for the host; 100,003 takes several chunks in NumPy."""
    seed, offset = 0x123456789ABCDEF0, 2**33 + 5
    module = host_kernels.RawModule(_kernels.source("random_fill"), options=_kernels.OPTIONS)
    out = numpy.empty(size, dtype)
    number: Any = out.dtype.type if out.dtype.kind == "f" else numpy.uint64
    module.get_function(f"{name}_{dtype}")(
        (1,), (1,),
        (out, *map(numpy.uint64, (size, seed, offset)), *map(number, parameters)),
    )  # fmt: skip
    expected = _by_numpy(name, dtype, size, seed, offset, *parameters)
    assert out.view(numpy.uint8).tolist() == expected.view(numpy.uint8).tolist()


@pytest.mark.parametrize(("name", "dtype", "parameters"), FILLS)
def test_device_equals_numpy_bit_for_bit(
    name: str, dtype: str, parameters: tuple[Any, ...], device: str
) -> None:
    place = resolve(device)
    for size in (1, 6, 9001):
        with place.xp.on_device(place.index):
            out = place.xp.empty(size, dtype)
            place.xp.philox_fill(name, out, 77, 3, *parameters)
        found = place.xp.to_host(out)
        expected = _by_numpy(name, dtype, size, 77, 3, *parameters)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("name", "dtype", "parameters"), FILLS)
def test_an_element_does_not_depend_on_the_size(
    name: str, dtype: str, parameters: tuple[Any, ...]
) -> None:
    whole = _by_numpy(name, dtype, 70_001, 5, 1, *parameters)
    for size in (1, 3, 32_769):
        part = _by_numpy(name, dtype, size, 5, 1, *parameters)
        assert part.tobytes() == whole[:size].tobytes()


def test_draws_of_different_offsets_and_seeds_differ() -> None:
    rows = [_by_numpy("integers", "int64", 64, seed, offset, 0, 0)
            for seed in (0, 1, 2**32, 2**63) for offset in (0, 1, 2**32)]  # fmt: skip
    assert len({n for row in rows for n in row.tolist()}) == 64 * len(rows)


# --- what the numbers are -------------------------------------------------------------------------


def _distance(sample: Any, distribution: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Kolmogorov's distance, times the root of the size: above 1.95 in one case of a thousand."""
    ordered = torch.from_numpy(numpy.sort(sample.astype(numpy.float64)))
    n = len(ordered)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    values = distribution(ordered)
    return float(max((steps[1:] - values).max(), (values - steps[:-1]).max())) * math.sqrt(n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "parameters", "distribution"), [
    ("uniform", (-1.0, 3.0, 2.0), lambda x: (x + 1) / 3),
    ("normal", (1.0, 2.0), lambda x: torch.special.ndtr((x - 1) / 2)),
    ("log_normal", (1.0, 0.5), lambda x: torch.special.ndtr((x.log() - 1) / 0.5)),
    ("exponential", (0.5, 0.0), lambda x: 1 - torch.exp(-2 * x)),
    ("cauchy", (1.0, 2.0), lambda x: 0.5 + torch.atan((x - 1) / 2) / math.pi),
])  # fmt: skip
def test_distribution(name: str, parameters: Any, distribution: Any, dtype: str) -> None:
    sample = _by_numpy(name, dtype, 200_000, 11, 0, *parameters)
    assert _distance(sample, distribution) < 1.95


def test_pairs_of_normals_are_independent() -> None:
    z = _by_numpy("normal", "float64", 200_000, 3, 0, 0.0, 1.0).reshape(-1, 4)
    correlations = numpy.corrcoef(numpy.concatenate([z, z**2], axis=1).T)
    assert numpy.abs(correlations - numpy.eye(8)).max() < 4 / math.sqrt(len(z))


def test_our_functions_are_right_to_two_units_in_the_last_place() -> None:
    x = _by_numpy("uniform", "float64", 20_000, 1, 0, 0.0, 1.0, 1.0)
    x = numpy.concatenate([x, 2.0 ** -numpy.arange(0.0, 54.0), 1 - 2.0 ** -numpy.arange(1.0, 53)])
    for dtype in ("float32", "float64"):
        narrow = x.astype(dtype)
        exact = torch.from_numpy(narrow.astype(numpy.longdouble).astype(numpy.float64)).log()
        found = _philox._logarithm(narrow.copy())
        unit = numpy.spacing(numpy.abs(exact.numpy()).astype(dtype))
        assert (numpy.abs(found - exact.numpy()) <= 2 * unit).all()
        y = (narrow - narrow.dtype.type(0.5)) * 60
        exact = torch.from_numpy(y.astype(numpy.float64)).exp()
        found = _philox._exponential_function(y)
        unit = numpy.spacing(exact.numpy().astype(dtype))
        assert (numpy.abs(found - exact.numpy()) <= 2 * unit).all()
    for bits, scale in ((numpy.uint32, 2.0**-32), (numpy.uint64, 2.0**-64)):
        words = _by_numpy("integers", "int64", 20_000, 2, 0, 0, 0).view(numpy.uint64)
        words = words.astype(bits)
        sine, cosine = _philox._on_circle(words)
        angle = (words.astype(numpy.float64) + 0.5) * (2 * math.pi * scale)
        tolerance = 4e-7 if bits is numpy.uint32 else 2e-15
        assert numpy.abs(sine - numpy.sin(angle)).max() < tolerance
        assert numpy.abs(cosine - numpy.cos(angle)).max() < tolerance
        assert (sine != 0).all()
        assert (cosine != 0).all()


def test_rounding_never_reaches_the_upper_bound() -> None:
    x = _by_numpy("uniform", "float32", 100_000, 0, 0, 16777216.0, 2.0, 16777218.0)
    assert set(x.tolist()) == {16777216.0}  # the numbers between the bounds are no float32
    half = new_philox(0).on(HOST, None).uniform((100_000,), numpy.float16)
    assert half.max() < 1


# --- Generator(device="cuda") ---------------------------------------------------------------------


@pytest.fixture
def cuda_generator(device: str) -> Any:
    """A CUDA generator: where there is no CUDA, the one that falls back to the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of falling back
        made = devgrad.Generator(device="cuda")
    assert made.device.type == device
    return made.manual_seed(2024)


def _half(n: int, device: Any = None) -> Any:
    return devgrad.full((n,), 0.5, device=device)


# What the user writes, and what NumPy has to give for it.
DRAWS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "rand": (lambda g: devgrad.rand(3, 5, generator=g),
             lambda d: d.uniform((3, 5), numpy.float32)),
    "rand half": (lambda g: devgrad.rand(50, dtype=devgrad.float16, generator=g),
                  lambda d: d.uniform((50,), numpy.float16)),
    "rand complex": (lambda g: devgrad.rand(5, dtype=devgrad.complex128, generator=g),
                     lambda d: d.uniform((5,), numpy.complex128)),
    "randn": (lambda g: devgrad.randn(7, dtype=devgrad.float64, generator=g),
              lambda d: d.normal((7,), numpy.float64)),
    "randn complex": (lambda g: devgrad.randn(2, 2, dtype=devgrad.complex64, generator=g),
                      lambda d: d.normal((2, 2), numpy.complex64)),
    "randint": (lambda g: devgrad.randint(-5, 9, (11,), generator=g),
                lambda d: d.randint(-5, 9, (11,), numpy.int64)),
    "randint uint8": (lambda g: devgrad.randint(9, (11,), dtype=devgrad.uint8, generator=g),
                      lambda d: d.randint(0, 9, (11,), numpy.uint8)),
    "randperm": (lambda g: devgrad.randperm(20, generator=g),
                 lambda d: d.randperm(20, numpy.int64)),
    "normal": (lambda g: devgrad.normal(1.0, 2.0, (5,), generator=g),
               lambda d: d.normal((5,), numpy.float32, 1.0, 2.0)),
    "uniform_": (lambda g: devgrad.empty(9).uniform_(-2, 3, generator=g),
                 lambda d: d.uniform((9,), numpy.float32, -2, 3)),
    "normal_": (lambda g: devgrad.empty(9).normal_(1, 0.5, generator=g),
                lambda d: d.normal((9,), numpy.float32, 1, 0.5)),
    "random_": (lambda g: devgrad.empty(9, dtype=devgrad.int32).random_(generator=g),
                lambda d: d.random_((9,), numpy.int32)),
    "bernoulli_": (lambda g: devgrad.empty(9).bernoulli_(0.3, generator=g),
                   lambda d: d.bernoulli(0.3, (9,), numpy.float32)),
    "bernoulli_ of a tensor": (
        lambda g: devgrad.empty(9).bernoulli_(_half(9), generator=g),
        lambda d: d.bernoulli(numpy.full(9, 0.5, numpy.float32), (9,), numpy.float32),
    ),
    "bernoulli": (lambda g: devgrad.bernoulli(_half(9), generator=g),
                  lambda d: d.bernoulli(numpy.full(9, 0.5, numpy.float32), (9,), numpy.float32)),
    "exponential_": (lambda g: devgrad.empty(9).exponential_(2.0, generator=g),
                     lambda d: d.exponential((9,), numpy.float32, 2.0)),
    "geometric_": (lambda g: devgrad.empty(9).geometric_(0.2, generator=g),
                   lambda d: d.geometric((9,), numpy.float32, 0.2)),
    "cauchy_": (lambda g: devgrad.empty(9).cauchy_(generator=g),
                lambda d: d.cauchy((9,), numpy.float32)),
    "log_normal_": (lambda g: devgrad.empty(9).log_normal_(generator=g),
                    lambda d: d.log_normal((9,), numpy.float32)),
    "multinomial": (
        lambda g: devgrad.multinomial(devgrad.arange(1.0, 9.0), 5, generator=g),
        lambda d: d.multinomial(numpy.arange(1, 9, dtype=numpy.float32), 5),
    ),
    "multinomial with replacement": (
        lambda g: devgrad.multinomial(devgrad.arange(1.0, 9.0), 20, True, generator=g),
        lambda d: d.multinomial(numpy.arange(1, 9, dtype=numpy.float32), 20, True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_the_same_on_every_device(name: str, cuda_generator: Any, device: str) -> None:
    """On the CPU that a missing GPU fell back to, on the stand-in and on GPUs: NumPy's bits."""
    drawn, expected = DRAWS[name]
    found = drawn(cuda_generator)
    host = numpy.asarray(expected(new_philox(2024).on(HOST, None)))
    assert found.device.type == device
    assert found.cpu().numpy().dtype == host.dtype
    assert found.cpu().numpy().tobytes() == host.tobytes()
    # The next draw agrees too: both took the same number of offsets.
    twin = new_philox(2024).on(HOST, None)
    expected(twin)
    host = numpy.asarray(expected(twin))
    assert drawn(cuda_generator).cpu().numpy().tobytes() == host.tobytes()


def test_normal_of_tensors(cuda_generator: Any) -> None:
    found = devgrad.normal(devgrad.tensor([1.0, 100.0]), devgrad.tensor([0.0, 2.0]),
                           generator=cuda_generator)  # fmt: skip
    z = new_philox(2024).on(HOST, None).normal((2,), numpy.float32)
    assert found.tolist() == [1.0, float(z[1] * numpy.float32(2) + numpy.float32(100))]


def test_randperm_and_multinomial_make_sense(cuda_generator: Any) -> None:
    assert sorted(devgrad.randperm(1000, generator=cuda_generator).tolist()) == list(range(1000))
    counts = numpy.zeros((4, 4))
    for _ in range(600):
        for place, value in enumerate(devgrad.randperm(4, generator=cuda_generator).tolist()):
            counts[place, value] += 1
    assert (((counts - 150) ** 2) / 150).sum() < 30  # 9 degrees of freedom: 27.9 for 1 in 1000
    weights = devgrad.tensor([[0.0, 1.0, 3.0, 0.0], [5.0, 0.0, 0.0, 0.0]])
    picked = devgrad.multinomial(weights, 4000, True, generator=cuda_generator).cpu().numpy()
    assert set(picked[1]) == {0}
    assert set(picked[0]) == {1, 2}
    assert abs((picked[0] == 2).mean() - 0.75) < 0.03
    alone = devgrad.multinomial(devgrad.ones(5), 5, generator=cuda_generator)
    assert sorted(alone.tolist()) == [0, 1, 2, 3, 4]


def test_rates_of_counts() -> None:
    draws = new_philox(1).on(HOST, None)
    for rate in (0.5, 3.7, 60.0):
        x = draws.poisson(numpy.full(4000, rate))
        assert abs(x.mean() - rate) < 4 * math.sqrt(rate / 4000)
        assert abs(x.var() / rate - 1) < 0.15
    x = draws.binomial(numpy.full(4000, 40.0), numpy.full(4000, 0.4))
    assert abs(x.mean() - 16) < 4 * math.sqrt(9.6 / 4000)
    # Each element has numbers of its own: what the others take does not matter.
    rates = numpy.array([3.0, 500.0, 0.1, 3.0])
    one = new_philox(1).on(HOST, None).poisson(rates)
    rates[1] = 2.0
    other = new_philox(1).on(HOST, None).poisson(rates)
    assert one[[0, 2, 3]].tolist() == other[[0, 2, 3]].tolist()


def test_no_draw_waits_for_the_device(device: str, request: pytest.FixtureRequest) -> None:
    if "stand-in" not in request.node.name:
        pytest.skip("the stand-in counts what waits")
    import cuda_stand_in

    weights = devgrad.arange(1.0, 9.0)
    with cuda_stand_in.no_waits():
        for name, (drawn, _) in DRAWS.items():
            if not name.startswith("multinomial"):
                drawn(None)
        devgrad.multinomial(weights, 3)


# --- states and seeds -----------------------------------------------------------------------------


def test_state_is_seed_and_offset(cuda_generator: Any) -> None:
    devgrad.rand(3, generator=cuda_generator)
    state = cuda_generator.get_state()
    assert state.device.type == "cpu"
    assert state.tolist() == [*(2024).to_bytes(8, "little"), *(1).to_bytes(8, "little")]
    first = devgrad.rand(5, generator=cuda_generator).tolist()
    assert cuda_generator.set_state(state) is cuda_generator
    assert devgrad.rand(5, generator=cuda_generator).tolist() == first
    cuda_generator.set_state(state[:8])  # a seed alone
    assert cuda_generator.get_offset() == 0
    cuda_generator.set_offset(1)
    assert devgrad.rand(5, generator=cuda_generator).tolist() == first


def test_state_of_the_wrong_kind_is_refused(cuda_generator: Any) -> None:
    with pytest.raises(RuntimeError, match="^RNG state is wrong size"):
        cuda_generator.set_state(devgrad.Generator("cpu").get_state())
    with pytest.raises(TypeError, match="^RNG state must be a torch.ByteTensor"):
        cuda_generator.set_state(devgrad.zeros(16))
    with pytest.raises(RuntimeError, match="^Expected a CPUGeneratorImplState of size 5056"):
        devgrad.Generator("cpu").set_state(cuda_generator.get_state())
    with pytest.raises(RuntimeError, match="^CPU Generator does not use offset"):
        devgrad.Generator("cpu").get_offset()


def test_seeds(cuda_generator: Any) -> None:
    assert cuda_generator.initial_seed() == 2024
    assert cuda_generator.manual_seed(-1).initial_seed() == 2**64 - 1
    assert cuda_generator.seed() == cuda_generator.initial_seed()
    # All 64 bits count, unlike the CPU's.
    numbers = [devgrad.rand(4, generator=cuda_generator.manual_seed(s)).tolist()
               for s in (7, 2**32 + 7)]  # fmt: skip
    assert numbers[0] != numbers[1]
    with pytest.raises((ValueError, RuntimeError), match="Overflow when unpacking long"):
        cuda_generator.manual_seed(2**64)


def test_copies(cuda_generator: Any) -> None:
    devgrad.rand(3, generator=cuda_generator)
    for twin in (cuda_generator.clone_state(), pickle.loads(pickle.dumps(cuda_generator))):
        assert twin.device is cuda_generator.device
        state = cuda_generator.get_state()
        assert (devgrad.rand(4, generator=twin) == devgrad.rand(4, generator=cuda_generator)).all()
        cuda_generator.set_state(state)


def test_manual_seed_seeds_all_devices(device: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        devgrad.manual_seed(5)
        first = devgrad.rand(4, device="cuda").tolist(), devgrad.rand(4, device="cpu").tolist()
        assert first[0] == new_philox(5).on(HOST, None).uniform((4,), numpy.float32).tolist()
        assert first[1] == torch.rand(4, generator=torch.Generator().manual_seed(5)).tolist()
        devgrad.rand(3, device="cuda")
        devgrad.manual_seed(5)
        assert first == (
            devgrad.rand(4, device="cuda").tolist(), devgrad.rand(4, device="cpu").tolist()
        )  # fmt: skip
        # Only that of the current CUDA device.
        devgrad.cuda.manual_seed(5)
        assert devgrad.cuda.initial_seed() == 5
        assert devgrad.rand(4, device="cuda").tolist() == first[0]
        assert devgrad.rand(4, device="cpu").tolist() != first[1]
        state = devgrad.cuda.get_rng_state()
        again = devgrad.rand(4, device="cuda").tolist()
        devgrad.cuda.set_rng_state(state)
        assert devgrad.rand(4, device="cuda").tolist() == again
        devgrad.cuda.manual_seed_all(5)
        assert devgrad.rand(4, device="cuda").tolist() == first[0]
        assert len(devgrad.cuda.get_rng_state_all()) == devgrad.cuda.device_count()
        devgrad.cuda.set_rng_state_all(devgrad.cuda.get_rng_state_all())
        assert devgrad.seed() == devgrad.cuda.initial_seed() == devgrad.initial_seed()


def test_fork_rng_keeps_all_streams(device: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        devgrad.manual_seed(6)
        expected = [devgrad.rand(3, device=d).tolist() for d in ("cpu", "cuda")]
        devgrad.manual_seed(6)
        with devgrad.fork_rng():
            devgrad.manual_seed(99)
            devgrad.rand(3, device="cpu"), devgrad.rand(3, device="cuda")
        assert [devgrad.rand(3, device=d).tolist() for d in ("cpu", "cuda")] == expected
        devgrad.manual_seed(6)
        with devgrad.fork_rng(enabled=False):
            devgrad.rand(3, device="cuda")
        assert devgrad.rand(3, device="cuda").tolist() != expected[1]


def test_default_device_cuda_means_cudas_stream_also_where_there_is_none(device: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        devgrad.manual_seed(8)
        with devgrad.device("cuda"):
            found = devgrad.randn(6)
    assert found.cpu().numpy().tobytes() == (
        new_philox(8).on(HOST, None).normal((6,), numpy.float32).tobytes()
    )


@pytest.mark.parametrize("draw", [
    lambda t, d, g: t.randn(20, device=d, generator=g),
    lambda t, d, g: t.empty(20, device=d).uniform_(-1, 1, generator=g),
    lambda t, d, g: t.randperm(20, device=d, generator=g),
    lambda t, d, g: t.randint(9, (20,), device=d, generator=g),
    lambda t, d, g: t.bernoulli(t.full((20,), 0.5, device=d), generator=g),
    lambda t, d, g: t.multinomial(t.full((20,), 0.5, device=d), 4, generator=g),
    lambda t, d, g: t.normal(t.ones(20, device=d), t.full((20,), 2.0, device=d), generator=g),
])  # fmt: skip
def test_a_cpu_generator_fills_tensors_of_every_device(draw: Any, device: str) -> None:
    """The way to the same initialisation on both devices: PyTorch's numbers of the CPU."""
    found = draw(devgrad, device, devgrad.Generator("cpu").manual_seed(1))
    assert found.device.type == device
    assert found.tolist() == draw(torch, "cpu", torch.Generator().manual_seed(1)).tolist()


def test_a_cuda_generator_refuses_tensors_of_the_cpu(device: str, cuda_generator: Any) -> None:
    if device == "cpu":
        pytest.skip("the generator itself is on the CPU")
    with pytest.raises(
        RuntimeError, match="^Expected a 'cpu' device type for generator but found 'cuda'"
    ):
        devgrad.rand(3, device="cpu", generator=cuda_generator)
    x = devgrad.zeros(3, device="cpu")
    with pytest.raises(RuntimeError, match="^Expected a 'cpu' device type for generator"):
        x.normal_(generator=cuda_generator)
    assert x.tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(TypeError, match="generator"):
        devgrad.rand(3, generator=5)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [
    lambda t, g: t.empty(3).normal_(0, -1, generator=g),
    lambda t, g: t.empty(3).uniform_(2, 1, generator=g),
    lambda t, g: t.empty(3).exponential_(-1, generator=g),
    lambda t, g: t.empty(3).cauchy_(0, -1, generator=g),
    lambda t, g: t.empty(3).log_normal_(0, -1, generator=g),
    lambda t, g: t.empty(3).geometric_(2, generator=g),
    lambda t, g: t.empty(3).bernoulli_(2.0, generator=g),
    lambda t, g: t.empty(3, dtype=t.uint8).random_(0, 1000, generator=g),
    lambda t, g: t.randint(5, 5, (3,), generator=g),
    lambda t, g: t.multinomial(t.ones(3), 5, generator=g),
])  # fmt: skip
def test_what_the_cpu_refuses_is_refused(draw: Any, cuda_generator: Any) -> None:
    with pytest.raises((RuntimeError, NotImplementedError)) as theirs:
        draw(torch, torch.Generator())
    before = cuda_generator.get_offset()
    with pytest.raises((RuntimeError, NotImplementedError)) as ours:
        draw(devgrad, cuda_generator)
    phrase = str(theirs.value).split("\n")[0].rstrip(".")
    assert str(ours.value).startswith(phrase.replace("_cpu", "")[:30])
    assert cuda_generator.get_offset() == before
