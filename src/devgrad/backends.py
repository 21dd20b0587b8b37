"""``devgrad.backends``: the switches of PyTorch's backends, so that scripts that set them run.

devgrad computes with NumPy and CuPy alone. What says whether a backend is there says no; settings
are kept, and change nothing: convolutions are deterministic, and TF32 is CuPy's affair.
"""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]


def _absent(**settings: Any) -> Any:
    """A backend that is not there, with settings that may be set."""
    return SimpleNamespace(
        is_available=lambda: False, is_built=lambda: False, version=lambda: None, **settings
    )


cudnn: Any = _absent(enabled=False, benchmark=False, deterministic=True, allow_tf32=False)
mps: Any = _absent()
mkl: Any = _absent()
mkldnn: Any = _absent(enabled=False)
openmp: Any = _absent()
cpu: Any = SimpleNamespace(get_cpu_capability=lambda: "DEFAULT")
cuda: Any = SimpleNamespace(
    is_built=lambda: importlib.util.find_spec("cupy") is not None,
    matmul=SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False),
)
