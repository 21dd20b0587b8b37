"""The CPU's random generator: PyTorch's Mersenne Twister, word for word.

A seeded script draws PyTorch's numbers: the same 32-bit words, taken in the same order by the same
formulas (``_distributions.py``). The words come from NumPy's MT19937, in bulk.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np

from ._distributions import Distributions
from ._exact_math import Array
from ._seeds import DEFAULT_SEED, checked_seed, entropy

__all__ = ["DEFAULT_SEED", "MersenneTwister"]

_WORDS = 624  # in the state of MT19937; as many are drawn before it is renewed

# PyTorch's CPUGeneratorImplState, as its memory lies.
_STATE = np.dtype(
    [
        ("initial_seed", "<u8"),
        ("left", "<i4"),  # words until the state is renewed, plus one
        ("seeded", "<i4"),
        ("next", "<u8"),  # index of the next word
        ("words", "<u8", (_WORDS,)),
        ("normal_x", "<f8"),  # unused
        ("double_normal", "<f8"),
        ("normal_rho", "<f8"),  # unused
        ("has_double_normal", "<i4"),
        ("padding_1", "V4"),
        ("float_normal", "<f4"),
        ("has_float_normal", "u1"),
        ("padding_2", "V3"),
    ]
)


class MersenneTwister(Distributions):
    """PyTorch's CPU generator: its state, its seeds, its stream of numbers.

    Every drawing method takes a shape (a tuple) and a NumPy dtype, returns a new C-contiguous
    array, and leaves the generator where PyTorch's would be, so that the next draw agrees too.
    One generator may be used from several threads: a draw is not interrupted by another.

    Args:
        seed: what ``manual_seed`` takes.

    Example:
        >>> generator = MersenneTwister(seed=0)
        >>> generator.uniform((2,), np.dtype(np.float32))  # torch.manual_seed(0); torch.rand(2)
        array([0.4962566, 0.7682218], dtype=float32)
        >>> generator.normal((2,), np.dtype(np.float32))
        array([-0.29050925, -1.0703703 ], dtype=float32)
    """

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self._lock = threading.Lock()
        self.manual_seed(seed)

    @functools.cached_property
    def _bits(self) -> np.random.MT19937:
        # Made at the first draw: NumPy imports its random numbers when they are first used.
        bits = np.random.MT19937(0)
        _seed_classically(bits, self._initial_seed)
        return bits

    def manual_seed(self, seed: int) -> MersenneTwister:
        """Starts the stream that belongs to ``seed``, and returns the generator.

        ``seed`` is an integer in [-2**63, 2**64); a negative one stands for ``seed + 2**64``.
        The stream depends on the lower 32 bits only, as in PyTorch.

        Raises:
            RuntimeError: the seed is no integer.
            ValueError: the seed does not fit into 64 bits.

        Example:
            >>> MersenneTwister().manual_seed(-1).initial_seed()
            18446744073709551615
        """
        number = checked_seed(seed)
        with self._lock:
            self._initial_seed = number
            if "_bits" in self.__dict__:
                _seed_classically(self._bits, number)
            self._next_when_spent = 0  # what PyTorch's "next" says when no word is left
            self._normal: float | None = None
            self._float_normal: float | None = None
        return self

    def initial_seed(self) -> int:
        """The seed that the stream was started with, in [0, 2**64).

        Example:
            >>> MersenneTwister(5).initial_seed()
            5
        """
        return self._initial_seed

    def seed(self) -> int:
        """Starts a stream with a seed from the operating system's entropy; returns the seed.

        As in PyTorch it has 53 bits, so that a float64 can hold it.

        Example:
            >>> generator = MersenneTwister()
            >>> generator.seed() == generator.initial_seed()
            True
        """
        seed = entropy(53)
        self.manual_seed(seed)
        return seed

    def get_state(self) -> Array:
        """The state as PyTorch lays it out: a uint8 array of 5056 elements.

        ``torch.Generator.set_state`` takes ``torch.from_numpy`` of it.

        Example:
            >>> MersenneTwister(0).get_state().shape
            (5056,)
        """
        state = np.zeros(1, _STATE)
        with self._lock:
            words, position = _words_and_position(self._bits)
            state["initial_seed"] = self._initial_seed
            state["seeded"] = 1
            state["words"] = words
            if position == _WORDS:
                state["left"] = 1
                state["next"] = self._next_when_spent
            else:
                state["left"] = _WORDS + 1 - position
                state["next"] = position
            if self._normal is not None:
                state["has_double_normal"] = 1
                state["double_normal"] = self._normal
            if self._float_normal is not None:
                state["has_float_normal"] = 1
                state["float_normal"] = self._float_normal
        return state.view(np.uint8)

    def set_state(self, state: Array) -> MersenneTwister:
        """Goes to a state that ``get_state``, here or in PyTorch, has given; returns the generator.

        Args:
            state: a uint8 array of 5056 elements.

        Raises:
            TypeError: not a uint8 array.
            RuntimeError: not 5056 elements, or no state of a Mersenne Twister.

        Example:
            >>> generator = MersenneTwister(0)
            >>> state = generator.get_state()
            >>> first = generator.uniform((2,), np.dtype(np.float32))
            >>> again = generator.set_state(state).uniform((2,), np.dtype(np.float32))
            >>> bool((first == again).all())
            True
        """
        if not isinstance(state, np.ndarray):
            raise TypeError(
                f"expected a torch.ByteTensor, but got {type(state).__name__}. "
                "Pass what get_state() has returned."
            )
        if state.dtype != np.uint8:
            raise TypeError(
                f"RNG state must be a torch.ByteTensor. This one has dtype {state.dtype}: "
                "pass what get_state() has returned."
            )
        if state.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input "
                f"RNG state size to be {state.size}. States of CPU and CUDA generators differ in "
                "size: pass a state to a generator of the device that it came from."
            )
        fields = np.ascontiguousarray(state).reshape(-1).view(_STATE)[0]
        left, position = int(fields["left"]), int(fields["next"])
        ends_block = left == 1 and position <= _WORDS
        within_block = 0 < position < _WORDS and left == _WORDS + 1 - position
        if not fields["seeded"] or not (ends_block or within_block):
            raise RuntimeError(
                "Invalid mt19937 state. These bytes were not written by get_state() of a CPU "
                "generator, or were changed since."
            )
        with self._lock:
            self._initial_seed = int(fields["initial_seed"])
            words = fields["words"].astype(np.uint32)
            _set_words_and_position(self._bits, words, _WORDS if ends_block else position)
            self._next_when_spent = position if ends_block else _WORDS
            has_normal, has_float_normal = fields["has_double_normal"], fields["has_float_normal"]
            self._normal = float(fields["double_normal"]) if has_normal else None
            self._float_normal = float(fields["float_normal"]) if has_float_normal else None
        return self

    def clone_state(self) -> MersenneTwister:
        """A new generator in the same state; the two go on independently.

        Example:
            >>> generator = MersenneTwister(0)
            >>> twin = generator.clone_state()
            >>> bool((generator.get_state() == twin.get_state()).all())
            True
        """
        return MersenneTwister().set_state(self.get_state())

    def __getstate__(self) -> dict[str, Any]:
        return {"state": self.get_state()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        MersenneTwister.__init__(self)
        self.set_state(state["state"])

    def _words(self, count: int) -> Array:
        if count:
            self._next_when_spent = _WORDS
        return self._bits.random_raw(count)

    def _mark(self) -> Any:
        return (*_words_and_position(self._bits), self._next_when_spent)

    def _rewind(self, mark: Any) -> None:
        words, position, self._next_when_spent = mark
        _set_words_and_position(self._bits, words, position)


def _seed_classically(bits: np.random.MT19937, seed: int) -> None:
    # The public way to MT19937's classic seeding, which is PyTorch's.
    np.random.RandomState(bits).seed(seed % 2**32)


def _words_and_position(bits: np.random.MT19937) -> tuple[Array, int]:
    state: Any = bits.state["state"]
    return state["key"], int(state["pos"])


def _set_words_and_position(bits: np.random.MT19937, words: Array, position: int) -> None:
    bits.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": position}}
