"""The ground floor: devices, dtypes and the array libraries. Only this package imports them."""

from __future__ import annotations

from ._allocator import keep_freed_memory
from ._determinism import (
    are_deterministic_algorithms_enabled,
    get_deterministic_debug_mode,
    is_deterministic_algorithms_warn_only_enabled,
    set_deterministic_debug_mode,
    use_deterministic_algorithms,
)
from ._device import (
    CPU,
    Device,
    TensorType,
    array_namespace,
    check_on_cuda,
    checks_on_cuda,
    cuda_is_loaded,
    cuda_problem,
    current_cuda_index,
    current_device,
    device_error,
    device_of_array,
    dtype_of_array,
    get_default_device,
    install,
    known_namespaces,
    named,
    resolve,
    set_current_cuda_index,
    set_default_device,
    set_device_fallback,
    user_stacklevel,
    when_several,
)
from ._dtype import (
    DTYPES,
    DType,
    combine_categories,
    dtype_of_number,
    get_default_dtype,
    promote_types,
    set_default_dtype,
)
from ._memory import OutOfMemoryError, in_units
from ._mt19937 import MersenneTwister
from ._numpy import quiet
from ._seeds import DEFAULT_SEED, checked_seed
from ._streams import (
    cuda_stream,
    cuda_streams,
    default_stream,
    draws,
    new_philox,
    placed,
    seed_cuda,
)
from ._threads import get_num_threads, set_num_threads
from ._transfer import fetched, retyped, transferred

__all__ = [
    "CPU", "DEFAULT_SEED", "Device", "DType", "DTYPES", "MersenneTwister", "OutOfMemoryError",
    "TensorType", "are_deterministic_algorithms_enabled", "array_namespace", "check_on_cuda",
    "checked_seed", "checks_on_cuda", "combine_categories", "cuda_is_loaded", "cuda_problem",
    "cuda_stream", "cuda_streams", "current_cuda_index", "current_device", "default_stream",
    "device_error", "device_of_array", "draws", "dtype_of_array", "dtype_of_number", "fetched",
    "get_default_device", "get_default_dtype", "get_deterministic_debug_mode", "get_num_threads",
    "in_units", "install", "is_deterministic_algorithms_warn_only_enabled", "known_namespaces",
    "named", "new_philox", "placed", "promote_types", "quiet", "resolve", "retyped", "seed_cuda",
    "set_current_cuda_index", "set_default_device", "set_default_dtype",
    "set_deterministic_debug_mode", "set_device_fallback", "set_num_threads", "transferred",
    "use_deterministic_algorithms", "user_stacklevel", "when_several",
]  # fmt: skip

keep_freed_memory()
