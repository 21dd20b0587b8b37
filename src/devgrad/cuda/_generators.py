"""The random numbers of the CUDA devices; see `Generator`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._random import Generator, cuda_generator
from .._tensor import Tensor
from ..device import cuda_stream, seed_cuda
from ._devices import device_count, number_of

__all__ = [
    "default_generators", "get_rng_state", "get_rng_state_all", "initial_seed", "manual_seed",
    "manual_seed_all", "seed", "seed_all", "set_rng_state", "set_rng_state_all",
]  # fmt: skip

# Where there is no CUDA all this is about the stream of tensors that were to be on CUDA.


def default_generators() -> tuple[Generator, ...]:
    """The default generator of each device."""
    return tuple([cuda_generator(index) for index in range(device_count())])


def manual_seed(seed: int) -> None:
    """Seed the current device's random numbers."""
    cuda_stream(number_of(None)).manual_seed(int(seed))


def manual_seed_all(seed: int) -> None:
    """Seed all devices' random numbers; each draws the same."""
    seed_cuda(int(seed))


def seed() -> None:
    """Seed the current device's random numbers by the operating system."""
    cuda_stream(number_of(None)).seed()


def seed_all() -> None:
    """Seed all devices' random numbers, alike, by the operating system."""
    seed_cuda(cuda_stream(number_of(None)).seed())


def initial_seed() -> int:
    """The seed of the current device's random numbers."""
    return int(cuda_stream(number_of(None)).initial_seed())


def get_rng_state(device: Any = "cuda") -> Tensor:
    """The state of a device's random numbers: 16 bytes."""
    return cuda_generator(number_of(device)).get_state()


def get_rng_state_all() -> list[Tensor]:
    """The state of each device's random numbers."""
    return [get_rng_state(index) for index in range(device_count())]


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Go on with a device's random numbers from a state."""
    cuda_generator(number_of(device)).set_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Go on with each device's random numbers from its state."""
    for index, state in enumerate(new_states):
        set_rng_state(state, index)
