"""The ground floor: devices, dtypes and the array libraries. Only this package imports them."""

from __future__ import annotations

from ._device import (
    CPU,
    Device,
    TensorType,
    array_namespace,
    cuda_problem,
    current_cuda_index,
    device_of_array,
    dtype_of_array,
    get_default_device,
    install,
    resolve,
    set_current_cuda_index,
    set_default_device,
    set_device_fallback,
    user_stacklevel,
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
from ._mt19937 import MersenneTwister
from ._numpy import quiet

__all__ = [
    "CPU", "DTYPES", "DType", "Device", "MersenneTwister", "TensorType", "array_namespace",
    "combine_categories",
    "cuda_problem", "current_cuda_index", "device_of_array", "dtype_of_array", "dtype_of_number",
    "get_default_device", "get_default_dtype", "install", "promote_types", "quiet", "resolve",
    "set_current_cuda_index", "set_default_device", "set_default_dtype", "set_device_fallback",
    "user_stacklevel",
]  # fmt: skip
