"""devgrad: PyTorch's autograd on plain arrays.

NumPy on the CPU, CuPy on NVIDIA GPUs, nothing else required. ``import devgrad as torch`` runs the
code that people already know. Nothing is defined here: the names are handed on from below.
"""

from __future__ import annotations

from typing import Any

from . import _copying, _interop
from . import autograd as autograd
from . import cuda as cuda
from . import ops as ops
from ._creation import *  # noqa: F403
from ._creation import TENSOR_CLASSES as _TENSOR_CLASSES
from ._info import finfo as finfo
from ._info import iinfo as iinfo
from ._printing import set_printoptions as set_printoptions
from ._random import *  # noqa: F403
from ._tensor import Size as Size
from ._tensor import Tensor as Tensor
from ._types import can_cast as can_cast
from ._types import is_complex as is_complex
from ._types import is_floating_point as is_floating_point
from ._types import is_tensor as is_tensor
from ._types import numel as numel
from ._types import result_type as result_type
from ._types import typename as typename
from ._version import __version__ as __version__
from .autograd._anomaly import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from .autograd._anomaly import is_anomaly_enabled as is_anomaly_enabled
from .autograd._cuts import explain_grad as explain_grad
from .autograd._modes import enable_grad as enable_grad
from .autograd._modes import inference_mode as inference_mode
from .autograd._modes import is_grad_enabled as is_grad_enabled
from .autograd._modes import is_inference_mode_enabled as is_inference_mode_enabled
from .autograd._modes import no_grad as no_grad
from .autograd._modes import set_grad_enabled as set_grad_enabled
from .device import DTYPES as _DTYPES
from .device import Device as device
from .device import DType as dtype
from .device import OutOfMemoryError as OutOfMemoryError
from .device import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from .device import get_default_device as get_default_device
from .device import get_default_dtype as get_default_dtype
from .device import get_deterministic_debug_mode as get_deterministic_debug_mode
from .device import get_num_threads as get_num_threads
from .device import (
    is_deterministic_algorithms_warn_only_enabled as is_deterministic_algorithms_warn_only_enabled,
)
from .device import promote_types as promote_types
from .device import set_default_device as set_default_device
from .device import set_default_dtype as set_default_dtype
from .device import set_deterministic_debug_mode as set_deterministic_debug_mode
from .device import set_device_fallback as set_device_fallback
from .device import set_num_threads as set_num_threads
from .device import use_deterministic_algorithms as use_deterministic_algorithms
from .ops._memory_format import FORMATS as _FORMATS
from .ops._memory_format import MemoryFormat as memory_format

globals().update(_DTYPES)
half, float, double = _DTYPES["float16"], _DTYPES["float32"], _DTYPES["float64"]
short, int, long = _DTYPES["int16"], _DTYPES["int32"], _DTYPES["int64"]
cfloat, cdouble = _DTYPES["complex64"], _DTYPES["complex128"]
globals().update(_TENSOR_CLASSES)
globals().update(_FORMATS)
globals().update(ops.FUNCTIONS[""])
inf = _DTYPES["float64"].array_dtype.type("inf").item()
nan = inf - inf
pi = 3.141592653589793
e = 2.718281828459045
newaxis = None
strided = "strided"

# Imported when first asked for: they take a while. So do the families of operations that most
# programs do not use; see `ops`.
_LATER = ("amp", "backends", "fft", "func", "linalg", "masked", "nn", "optim", "serialization",
          "signal", "special", "testing", "utils", "viz")  # fmt: skip
_FROM = {"vmap": "func", "load": "serialization", "save": "serialization", "autocast": "amp",
         "GradScaler": "amp", "is_autocast_enabled": "amp", "get_autocast_dtype": "amp",
         "is_autocast_cache_enabled": "amp", "set_autocast_enabled": "amp",
         "set_autocast_dtype": "amp", "set_autocast_cache_enabled": "amp",
         "clear_autocast_cache": "amp"}  # fmt: skip


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LATER:
        return importlib.import_module(f".{name}", __name__)
    if name in _FROM:
        return getattr(importlib.import_module(f".{_FROM[name]}", __name__), name)
    if name == "__all__" or not name.startswith("_"):
        ops.load_all()
        globals().update(ops.FUNCTIONS[""])
        if name == "__all__":
            return _public_names()
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module 'devgrad' has no attribute '{name}'")


def _public_names() -> list[str]:
    hidden = ("annotations", "ops", "Any")
    return sorted(
        {n for n in globals() if not n.startswith("_") and n not in hidden} | {*_LATER, *_FROM}
    )


def __dir__() -> list[str]:
    return __getattr__("__all__")
