"""The default streams of random numbers, and which stream draws for which tensor.

The CPU's is PyTorch's Mersenne Twister; each CUDA device has a `Philox`, made when first needed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ._device import CPU, TensorType, array_namespace, named
from ._mt19937 import MersenneTwister
from ._seeds import DEFAULT_SEED, checked_seed

__all__ = ["cuda_stream", "cuda_streams", "default_stream", "draws", "new_philox", "placed",
           "seed_cuda"]  # fmt: skip

default_stream = MersenneTwister()


class _OnCuda:
    seed = DEFAULT_SEED
    made: ClassVar[dict[int, Any]] = {}


def new_philox(seed: int) -> Any:
    """CUDA's random generator; its module is imported when one is first asked for."""
    from ._philox_generator import Philox

    return Philox(seed)


def cuda_stream(index: int | None) -> Any:
    """The default stream of a CUDA device; of the first, where the CPU stands in for CUDA."""
    index = index or 0
    found = _OnCuda.made.get(index)
    if found is None:
        found = _OnCuda.made.setdefault(index, new_philox(_OnCuda.seed))
    return found


def cuda_streams() -> tuple[int, dict[int, Any]]:
    """The seed that CUDA's default streams start with, and those that were used, by device."""
    return _OnCuda.seed, _OnCuda.made


def seed_cuda(seed: int) -> None:
    """Seed the default streams of all CUDA devices, also of those not used yet."""
    _OnCuda.seed = checked_seed(seed)
    for stream in _OnCuda.made.values():
        stream.manual_seed(seed)


def draws(stream: Any, kind: TensorType, device: Any = CPU) -> Any:
    """What draws arrays for tensors of this kind: an object with `Distributions`' methods.

    A Mersenne Twister draws on the host; `placed` puts the arrays where they belong.

    Args:
        stream: a generator's stream; None for the default one.
        kind: of the tensor.
        device: the user's ``device=``. Where CUDA was asked for its stream is meant, even if the
            tensor lands on the CPU.
    """
    if stream is None:
        if kind.device.type == "cpu" and named(device).type == "cpu":
            return default_stream
        stream = cuda_stream(kind.device.index)
    if stream.__class__ is MersenneTwister:
        return stream
    return stream.on(kind.xp, kind.device.index)


def placed(array: Any, kind: TensorType) -> Any:
    """An array that `draws` drew, on the device of ``kind``."""
    if array.__class__ is kind.array_type:
        return array
    if array_namespace(array) is kind.xp:
        return kind.asarray(array)
    return kind.xp.from_host(CPU.xp.asarray(array), kind.device.index)
