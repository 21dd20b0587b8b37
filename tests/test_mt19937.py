"""The CPU's random numbers are PyTorch's: the generator, its state and every distribution."""

from __future__ import annotations

import copy
import hashlib
import math
import pickle
import platform
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devgrad.device._mt19937 import DEFAULT_SEED, MersenneTwister

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is the oracle of this test")

FLOATS = ("float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
UNSIGNED = ("uint16", "uint32", "uint64")
SHAPES = ((), (0,), (1,), (7,), (15,), (16,), (3, 11), (4, 2, 4), (623,), (32769,))


def same_code_as_pytorch() -> bool:
    """Whether PyTorch runs what it does on x86 with AVX2, and shares Python's C library."""
    return (
        torch is not None
        and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
        and platform.libc_ver()[0] == "glibc"
    )


def bits(array: Any) -> Any:
    """The bytes, so that -0 differs from 0; all NaN are alike."""
    if array.dtype.kind in "fc":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def assert_equal(ours: Any, theirs: Any, *, by_formula: bool = True) -> None:
    """Equal to the last bit; on another kind of machine nearly, where a formula is used."""
    theirs = theirs.numpy()
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.flags.c_contiguous and ours.flags.writeable
    if by_formula and ours.dtype.kind in "fc" and not same_code_as_pytorch():
        np.testing.assert_allclose(
            ours, theirs, rtol=2e-3 if ours.itemsize == 2 else 1e-5, atol=1e-5
        )
    else:
        np.testing.assert_array_equal(bits(ours), bits(theirs))


def assert_same_state(ours: MersenneTwister, theirs: Any) -> None:
    state, expected = ours.get_state(), theirs.get_state().numpy()
    if not same_code_as_pytorch():  # the waiting normal is computed by formula
        state[5024:5032] = expected[5024:5032] = 0
    np.testing.assert_array_equal(state, expected)


def check(ours: Callable[..., Any], theirs: Callable[..., Any], seed: int = 7, **how: bool) -> None:
    """Both draws give the same array, and leave their generators in the same state."""
    generator, oracle = MersenneTwister(seed), torch.Generator().manual_seed(seed)
    assert_equal(ours(generator), theirs(oracle), **how)
    assert_same_state(generator, oracle)


def dtype_of(name: str) -> Any:
    return getattr(torch, name)


# --- numbers that torch 2.13 has drawn, one after the other, from seed 20240229 -------------------


def digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def golden_draws() -> Iterator[tuple[str, Any, Any]]:
    g = MersenneTwister(20240229)
    yield "rand", digest(g.uniform((40001,), "float32")), "ea698a2a20a55add"
    drawn = [-1.665713302912125, 0.4231379609369939, 0.9446930777998608]
    yield "randn in pairs", g.normal((3,), "float64"), drawn
    yield "rand of float16", digest(g.uniform((7, 5), "float16")), "b2a6cf3f7d114160"
    yield "rand of float64", digest(g.uniform((40001,), "float64")), "3927fbdb57dd3a5b"
    yield "rand of complex64", digest(g.uniform((5,), "complex64")), "7b973c77bb6e3c50"
    yield "randn", digest(g.normal((40001,), "float32")), "f39fb1ac72c69023"
    yield "randn of float16", digest(g.normal((100,), "float16")), "9966ff0e05a02f51"
    yield "randn of complex64", digest(g.normal((20,), "complex64")), "890959d10b85e50b"
    drawn = [-0.12076544565452924, -0.1743249695389095, -1.975785322286672]
    yield "randn of float64", g.normal((17,), "float64")[::8], drawn
    yield "randint", digest(g.randint(-5, 100, (40001,), "int64")), "fee45b9c925aa1d8"
    wide = g.randint(-(2**40), 2**41, (40001,), "int64")
    yield "randint of a wide range", digest(wide), "3fdf0a2aada7400d"
    yield "randint of float16", digest(g.randint(0, 2000, (64,), "float16")), "4d42da30ce17d21f"
    yield "random_", digest(g.random_((33,), "int32")), "138f0c8a1f59334e"
    yield "randperm", digest(g.randperm(3000, "int64")), "3b6ce8889065c6ed"
    yield "randperm, short", g.randperm(10, "int64"), [7, 1, 9, 5, 3, 0, 4, 6, 2, 8]
    yield "bernoulli_", digest(g.bernoulli(0.3, (40001,), "bool")), "8e01bdfaf3bf0874"
    p = np.linspace(0, 1, 257, dtype=np.float32)
    yield "bernoulli", digest(g.bernoulli(p, (257,), "float32")), "6d2312f65e815c73"
    weights = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    yield "multinomial", g.multinomial(weights, 3), [1, 3, 2]
    rows = np.stack([weights, np.array([4, 0, 0, 1], np.float32)])
    drawn = [[3, 2, 2, 2, 1, 2], [0, 0, 0, 0, 0, 3]]
    yield "multinomial of rows", g.multinomial(rows, 6, True), drawn
    drawn = [0.38263052701950073, 0.2859998941421509, 0.3176004886627197]
    yield "exponential_", g.exponential((3,), "float32", 2.0), drawn
    drawn = [7.6417341232299805, 3.457566499710083, -0.67540043592453]
    yield "cauchy_", g.cauchy((3,), "float32", 1.0, 2.0), drawn
    drawn = [1.0263358354568481, 1.6724483966827393, 1.9183292388916016]
    yield "log_normal_", g.log_normal((3,), "float32", 0.5, 0.25), drawn
    yield "geometric_", g.geometric((8,), "int64", 0.1), [8, 17, 7, 21, 15, 4, 15, 12]
    rates = np.array([0, 0.5, 3, 20, 1e4], np.float32)
    yield "poisson", g.poisson(rates), [0, 0, 5, 18, 10120]
    counts, probs = np.array([10, 100, 1e5], np.float32), np.array([0.3, 0.5, 0.9], np.float32)
    yield "binomial", g.binomial(counts, probs), [2, 47, 90214]
    yield "the state at last", digest(g.get_state()), "24e1394c5b27ace0"


def test_numbers_that_pytorch_has_drawn() -> None:
    for name, drawn, expected in golden_draws():
        if isinstance(expected, str):
            assert drawn == expected, name
        else:
            np.testing.assert_allclose(drawn, expected, rtol=1e-6, err_msg=name)


# --- seeds and states -----------------------------------------------------------------------------


def test_the_first_word_is_the_textbooks() -> None:
    # Matsumoto and Nishimura's mt19937ar.c gives 3499211612 after init_genrand(5489).
    assert MersenneTwister(5489)._words(1)[0] == 3499211612


@needs_torch
@pytest.mark.parametrize("seed", [0, 1, -1, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -(2**63)])
def test_seeds(seed: int) -> None:
    check(lambda g: g.uniform((5,), "float32"), lambda g: torch.rand(5, generator=g), seed)
    ours = MersenneTwister(seed).initial_seed()
    assert ours == torch.Generator().manual_seed(seed).initial_seed()


def test_the_default_seed_is_pytorchs() -> None:
    assert MersenneTwister().initial_seed() == DEFAULT_SEED == 67280421310721
    if torch is not None:
        assert torch.Generator().initial_seed() == DEFAULT_SEED


def test_seed_takes_53_bits_from_the_system() -> None:
    generator = MersenneTwister()
    seeds = {generator.seed() for _ in range(8)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**53 for seed in seeds)
    assert generator.initial_seed() in seeds


def test_manual_seed_returns_the_generator_and_drops_the_waiting_normal() -> None:
    generator = MersenneTwister(1)
    generator.normal((1,), "float32")
    assert generator.manual_seed(1) is generator
    np.testing.assert_array_equal(generator.get_state(), MersenneTwister(1).get_state())


DRAWN = (0, 1, 2, 311, 622, 623, 624, 625, 1247, 1248, 1249)


@needs_torch
@pytest.mark.parametrize("drawn", DRAWN)
@pytest.mark.parametrize("normals", [0, 1, 2])
def test_states_go_from_and_to_pytorch(drawn: int, normals: int) -> None:
    oracle = torch.Generator().manual_seed(3)
    torch.rand(drawn, generator=oracle)
    torch.randn(normals, dtype=torch.float64, generator=oracle)
    ours = MersenneTwister(0)
    assert ours.set_state(oracle.get_state().numpy()) is ours
    assert_same_state(ours, oracle)
    back = torch.Generator()
    back.set_state(torch.from_numpy(ours.get_state()))
    assert ours.initial_seed() == back.initial_seed() == 3
    assert_equal(ours.normal((701,), "float32"), torch.randn(701, generator=oracle))
    assert_same_state(ours, oracle)
    assert_equal(
        ours.normal((3,), "float64"), torch.randn(3, dtype=torch.float64, generator=oracle)
    )
    torch.randn(701, generator=back)
    torch.randn(3, dtype=torch.float64, generator=back)
    assert_same_state(ours, back)


def test_a_waiting_float_normal_is_carried_along() -> None:
    # PyTorch's CPU kernels never leave one, but a state may hold one.
    state = MersenneTwister(0).get_state()
    state[5048:5052] = np.array([1.5], np.float32).view(np.uint8)
    state[5052] = 1
    generator = MersenneTwister(1).set_state(state)
    np.testing.assert_array_equal(generator.get_state(), state)


@pytest.mark.parametrize("drawn", DRAWN)
def test_copies_go_on_alike_and_apart(drawn: int) -> None:
    generator = MersenneTwister(9)
    generator.uniform((drawn,), "float32")
    generator.normal((3,), "float32")
    state = generator.get_state()
    copies = [
        generator.clone_state(),
        copy.copy(generator),
        copy.deepcopy(generator),
        pickle.loads(pickle.dumps(generator)),
        MersenneTwister(0).set_state(state),
    ]
    expected = generator.normal((40,), "float64")
    for twin in copies:
        np.testing.assert_array_equal(twin.get_state(), state)
        assert twin.initial_seed() == 9
        np.testing.assert_array_equal(twin.normal((40,), "float64"), expected)
        np.testing.assert_array_equal(twin.get_state(), generator.get_state())


def test_set_state_does_not_hold_on_to_its_argument() -> None:
    state = MersenneTwister(4).get_state()
    generator = MersenneTwister(0).set_state(state)
    state[:] = 0
    np.testing.assert_array_equal(generator.get_state(), MersenneTwister(4).get_state())


def test_draws_of_several_threads_do_not_mix() -> None:
    sequential = MersenneTwister(6)
    expected = sorted(sequential.normal((33,), "float32").tobytes() for _ in range(400))
    shared = MersenneTwister(6)
    drawn: list[bytes] = []
    start = threading.Barrier(8)

    def draw() -> None:
        start.wait()
        for _ in range(50):
            drawn.append(shared.normal((33,), "float32").tobytes())

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == expected
    np.testing.assert_array_equal(shared.get_state(), sequential.get_state())


# --- against PyTorch, one distribution at a time --------------------------------------------------


@needs_torch
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_seeds(seed: int) -> None:
    ours, theirs = MersenneTwister(seed), torch.Generator().manual_seed(seed)
    for size in (1, 9, 16, 50, 700):
        for name in ("float32", "float64"):
            dtype, shape = dtype_of(name), (size, 2)
            drawn = torch.rand(shape, dtype=dtype, generator=theirs)
            assert_equal(ours.uniform(shape, name), drawn, by_formula=False)
            drawn = torch.randn(shape, dtype=dtype, generator=theirs)
            assert_equal(ours.normal(shape, name), drawn)
        for name, low, high in (("int64", 0, 10), ("int64", -5, 2**35), ("uint8", 3, 200)):
            dtype, shape = dtype_of(name), (size,)
            drawn = torch.randint(low, high, shape, dtype=dtype, generator=theirs)
            assert_equal(ours.randint(low, high, shape, name), drawn)
        assert_equal(ours.randperm(size, "int64"), torch.randperm(size, generator=theirs))
    assert_same_state(ours, theirs)


@needs_torch
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FLOATS + COMPLEX)
def test_uniform(name: str, shape: tuple[int, ...]) -> None:
    for low, high in ((0, 1), (-0.3, 0.7), (2, 5), (0, 0.1), (-1, 1), (1.5, 1.5)):
        check(
            lambda g, a=low, b=high: g.uniform(shape, name, a, b),
            lambda g, a=low, b=high: torch.empty(shape, dtype=dtype_of(name)).uniform_(
                a, b, generator=g
            ),
            by_formula=(low, high) != (0, 1),
        )


@needs_torch
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FLOATS + COMPLEX)
def test_normal(name: str, shape: tuple[int, ...]) -> None:
    dtype = dtype_of(name)
    for mean, std in ((0, 1), (0.7, 1.3), (0, 0.02), (3, 1), (5, 0), (0, math.inf), (math.nan, 1)):
        check(
            lambda g, m=mean, s=std: g.normal(shape, name, m, s),
            lambda g, m=mean, s=std: torch.empty(shape, dtype=dtype).normal_(m, s, generator=g),
        )


@needs_torch
@pytest.mark.parametrize("name", FLOATS + COMPLEX)
@pytest.mark.parametrize("shape", [(), (5,), (4, 9)])
def test_normal_with_arrays(name: str, shape: tuple[int, ...]) -> None:
    g = torch.Generator().manual_seed(11)
    dtype = dtype_of(name)
    mean = torch.randn(shape, dtype=dtype, generator=g)
    std = torch.rand(shape, dtype=mean.real.dtype, generator=g)
    m, s = np.asarray(mean.numpy()), np.asarray(std.numpy())
    check(lambda g: g.normal(shape, name, m, s), lambda g: torch.normal(mean, std, generator=g))
    check(lambda g: g.normal(shape, name, m, 1.7), lambda g: torch.normal(mean, 1.7, generator=g))
    if name in FLOATS:
        check(
            lambda g: g.normal(shape, name, 0.3, s), lambda g: torch.normal(0.3, std, generator=g)
        )
    if len(shape) == 2:
        check(
            lambda g: g.normal(shape, name, m[:, :1], s[:1]),
            lambda g: torch.normal(mean[:, :1], std[:1], generator=g),
        )
    wide = std.double()
    check(
        lambda g: g.normal(shape, name, m, s.astype(np.float64)),
        lambda g: torch.normal(mean, wide, generator=g),
    )


RANGES = (
    (0, 1),
    (0, 2),
    (0, 10),
    (-5, 100),
    (0, 128),
    (0, 2**15),
    (0, 2**28 - 1),
    (0, 2**28),
    (0, 2**28 + 1),
    (0, 2**32),
    (-(2**40), 2**41 + 12345),
    (0, 2**63 - 1),
    (-(2**63), 2**63 - 1),
)


@needs_torch
@pytest.mark.filterwarnings("ignore:.*is out of bounds .*Due to precision:UserWarning")
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS, *UNSIGNED, "bool"))
def test_randint(name: str) -> None:
    ranges = 0
    dtype = dtype_of(name)
    for low, high in (*RANGES, (2047, 4100), (0, 65504), (-(2**25) - 3, 2**26 + 3)):
        try:
            torch.randint(low, high, (1,), dtype=dtype)
        except RuntimeError:
            with pytest.raises(RuntimeError):
                MersenneTwister().randint(low, high, (1,), name)
            continue
        ranges += 1
        for shape in ((), (0,), (5,), (3, 11), (33000,)):
            check(
                lambda g, a=low, b=high, s=shape: g.randint(a, b, s, name),
                lambda g, a=low, b=high, s=shape: torch.randint(a, b, s, dtype=dtype, generator=g),
            )
    assert ranges >= 2


@needs_torch
@pytest.mark.filterwarnings("ignore:.*is out of bounds .*Due to precision:UserWarning")
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS, "bool"))
def test_random_(name: str) -> None:
    dtype = dtype_of(name)
    for shape in ((), (0,), (5,), (3, 11), (33000,)):
        check(
            lambda g, s=shape: g.random_(s, name),
            lambda g, s=shape: torch.empty(s, dtype=dtype).random_(generator=g),
        )
        check(
            lambda g, s=shape: g.random_(s, name, high=2),
            lambda g, s=shape: torch.empty(s, dtype=dtype).random_(2, generator=g),
        )


@needs_torch
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS, "uint16", "uint32", "bool"))
@pytest.mark.parametrize("low", [0, 1, 3, -5, -(2**63)])
def test_random_without_an_upper_bound(name: str, low: int) -> None:
    dtype = dtype_of(name)
    try:
        torch.empty(1, dtype=dtype).random_(low, None)
    except (RuntimeError, NotImplementedError) as refusal:
        with pytest.raises(type(refusal)):
            MersenneTwister().random_((1,), name, low)
        return
    check(
        lambda g: g.random_((1000,), name, low),
        lambda g: torch.empty(1000, dtype=dtype).random_(low, None, generator=g),
    )


@needs_torch
@pytest.mark.parametrize("n", [0, 1, 2, 3, 100, 128, 256, 511, 512, 513, 514, 2049, 100_000])
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS))
def test_randperm(n: int, name: str) -> None:
    dtype = dtype_of(name)
    try:
        torch.randperm(n, dtype=dtype)
    except RuntimeError:
        with pytest.raises(RuntimeError):
            MersenneTwister().randperm(n, name)
        return
    check(
        lambda g: g.randperm(n, name),
        lambda g: torch.randperm(n, dtype=dtype, generator=g),
    )


@needs_torch
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS, "bool"))
def test_bernoulli_of_a_number(name: str) -> None:
    for p in (0.0, 1e-9, 0.3, 0.5, 1.0):
        for shape in ((), (0,), (3, 11), (33000,)):
            check(
                lambda g, p=p, s=shape: g.bernoulli(p, s, name),
                lambda g, p=p, s=shape: torch.empty(s, dtype=dtype_of(name)).bernoulli_(
                    p, generator=g
                ),
            )


@needs_torch
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS, "bool"))
@pytest.mark.parametrize("of", FLOATS)
def test_bernoulli_of_an_array(name: str, of: str) -> None:
    p = torch.linspace(0, 1, 700).to(dtype_of(of)).reshape(7, 100)
    for probabilities in (p, p[:, :1], p[3], p[3, 3]):
        check(
            lambda g, p=probabilities: g.bernoulli(np.asarray(p.numpy()), (7, 100), name),
            lambda g, p=probabilities: torch.empty(7, 100, dtype=dtype_of(name)).bernoulli_(
                p, generator=g
            ),
        )


@needs_torch
def test_dropout_takes_bernoulli_of_a_number() -> None:
    torch.manual_seed(5)
    theirs = torch.nn.functional.dropout(torch.ones(6, 50), 0.3)
    kept = MersenneTwister(5).bernoulli(0.7, (6, 50), "float32")
    np.testing.assert_allclose(kept / 0.7, theirs.numpy(), rtol=1e-6)


@needs_torch
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("shape", [(1,), (6,), (3, 10), (2, 400)])
def test_multinomial(name: str, shape: tuple[int, ...]) -> None:
    # Of many quotients in float16 some are equal, and then their order is PyTorch's secret.
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 0.1
    weights = weights.to(dtype_of(name))
    for replacement in (False, True):
        for n in (1, 2, 5, 20, 300):
            if (n > shape[-1] and not replacement) or (name == "float16" and n > 5):
                continue
            for seed in range(3):
                check(
                    lambda g, n=n, r=replacement: g.multinomial(weights.numpy(), n, r),
                    lambda g, n=n, r=replacement: torch.multinomial(weights, n, r, generator=g),
                    seed,
                )


@needs_torch
def test_multinomial_with_weights_of_zero_and_rows_that_are_views() -> None:
    weights = torch.tensor([[0.0, 3.0, 0.0, 1.0, 2.0], [5.0, 0.0, 0.0, 0.0, 1.0]])
    for w in (weights, weights.T.contiguous().T, weights.double()[:, ::2], weights[:1]):
        for n, replacement in ((1, False), (2, False), (50, True)):
            check(
                lambda g, n=n, r=replacement, w=w: g.multinomial(w.numpy(), n, r),
                lambda g, n=n, r=replacement, w=w: torch.multinomial(w, n, r, generator=g),
            )


def in_place(method: str, *arguments: Any) -> Callable[..., None]:
    """A check of a distribution that fills a tensor in place."""

    def run(shape: tuple[int, ...], name: str) -> None:
        check(
            lambda g: getattr(g, method)(shape, name, *arguments),
            lambda g: getattr(torch.empty(shape, dtype=dtype_of(name)), method + "_")(
                *arguments, generator=g
            ),
        )

    return run


@needs_torch
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (4, 9), (32769,)])
def test_continuous_by_inversion(name: str, shape: tuple[int, ...]) -> None:
    for lambd in (1.0, 2.5, 1e-3, math.inf):
        in_place("exponential", lambd)(shape, name)
    in_place("exponential")(shape, name)
    for location, scale in ((0.0, 1.0), (1.3, 2.7)):
        in_place("cauchy", location, scale)(shape, name)
        in_place("log_normal", location, scale)(shape, name)
    in_place("cauchy")(shape, name)
    in_place("log_normal")(shape, name)


@needs_torch
@pytest.mark.parametrize("name", (*FLOATS, *INTEGERS))
def test_geometric(name: str) -> None:
    for p in (0.001, 0.3, 0.99):
        for shape in ((), (0,), (5,), (4, 9), (32769,)):
            in_place("geometric", p)(shape, name)


@needs_torch
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("highest", [0.5, 9.9, 12.0, 50.0, 1e4, 1e12, 1e18])
def test_poisson(name: str, highest: float) -> None:
    rates = torch.rand(10, 30, generator=torch.Generator().manual_seed(2)) * highest
    rates = rates.clamp(max=3e4 if name == "float16" else None, min=0).to(dtype_of(name))
    rates[0, :3] = torch.tensor([0.0, 10.0, 1e-30])
    check(lambda g: g.poisson(rates.numpy()), lambda g: torch.poisson(rates, generator=g))


@needs_torch
def test_poisson_takes_more_words_than_fit_into_one_chunk() -> None:
    rates = torch.linspace(0, 3, 40000)
    check(lambda g: g.poisson(rates.numpy()), lambda g: torch.poisson(rates, generator=g))


@needs_torch
@pytest.mark.parametrize("name", ["float32", "float64"])
@pytest.mark.parametrize("highest", [1.0, 20.0, 1e3, 1e7, 1e12])
def test_binomial(name: str, highest: float) -> None:
    g = torch.Generator().manual_seed(2)
    count = (torch.rand(10, 30, generator=g) * highest).floor().to(dtype_of(name))
    prob = torch.rand(10, 30, generator=g).to(dtype_of(name))
    prob[0, :5] = torch.tensor([0.0, 1.0, math.nan, -1.0, 1.5])
    count[1, :2] = torch.tensor([-2.0, 0.0])
    c, p = count.numpy(), prob.numpy()
    check(lambda g: g.binomial(c, p), lambda g: torch.binomial(count, prob, generator=g))
    check(
        lambda g: g.binomial(c[:, :1], p),
        lambda g: torch.binomial(count[:, :1].expand(10, 30), prob, generator=g),
    )


# --- mixed draws ---------------------------------------------------------------------------------

SIZES = st.one_of(st.integers(0, 40), st.sampled_from([155, 311, 312, 313, 623, 624, 625, 2000]))
Step = tuple[str, Callable[[MersenneTwister], Any], Callable[[Any], Any]]


def steps() -> st.SearchStrategy[Step]:
    def filled(method: str, names: tuple[str, ...], *arguments: Any) -> st.SearchStrategy[Step]:
        def make(size: int, name: str) -> Step:
            return (
                f"{method}({size}, {name}, {arguments})",
                lambda g: getattr(g, method)((size,), name, *arguments),
                lambda g: getattr(
                    torch.empty(size, dtype=dtype_of(name)), method.rstrip("_") + "_"
                )(*arguments, generator=g),
            )

        return st.builds(make, SIZES, st.sampled_from(names))

    def of_size(name: str, ours: Any, theirs: Any) -> st.SearchStrategy[Step]:
        return SIZES.map(
            lambda size: (
                f"{name}({size})",
                lambda g: ours(g, size),
                lambda g: theirs(g, size),
            )
        )

    weights = np.linspace(0.1, 1.0, 7)
    return st.one_of(
        filled("uniform", FLOATS + COMPLEX),
        filled("uniform", FLOATS, -1.0, 2.0),
        filled("normal", FLOATS + COMPLEX),
        filled("normal", FLOATS, 1.0, 3.0),
        filled("random_", (*FLOATS, *INTEGERS, "bool")),
        filled("exponential", FLOATS),
        filled("cauchy", FLOATS),
        filled("log_normal", FLOATS),
        filled("geometric", INTEGERS, 0.2),
        of_size(
            "randint",
            lambda g, n: g.randint(0, 1000, (n,), "int64"),
            lambda g, n: torch.randint(0, 1000, (n,), generator=g),
        ),
        of_size(
            "randperm",
            lambda g, n: g.randperm(n, "int64"),
            lambda g, n: torch.randperm(n, generator=g),
        ),
        of_size(
            "bernoulli",
            lambda g, n: g.bernoulli(0.4, (n,), "float32"),
            lambda g, n: torch.empty(n).bernoulli_(0.4, generator=g),
        ),
        of_size(
            "multinomial",
            lambda g, n: g.multinomial(weights, n + 1, True),
            lambda g, n: torch.multinomial(torch.from_numpy(weights), n + 1, True, generator=g),
        ),
        of_size(
            "poisson",
            lambda g, n: g.poisson(np.linspace(0, 30, n)),
            lambda g, n: torch.poisson(torch.from_numpy(np.linspace(0, 30, n)), generator=g),
        ),
    )


@needs_torch
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(-(2**63), 2**64 - 1), program=st.lists(steps(), min_size=1, max_size=12))
def test_programs_of_draws(seed: int, program: list[Step]) -> None:
    generator, oracle = MersenneTwister(seed), torch.Generator().manual_seed(seed)
    for name, ours, theirs in program:
        drawn = ours(generator)
        expected = theirs(oracle)
        try:
            assert_equal(drawn, expected)
            assert_same_state(generator, oracle)
        except AssertionError as difference:
            raise AssertionError(f"at {name} in {[name for name, *_ in program]}") from difference
