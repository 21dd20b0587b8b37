"""``devgrad.amp``: mixed precision: products in float16, what is delicate in float32.

>>> import devgrad
>>> x, W = devgrad.ones(2, 3), devgrad.ones(3, 4, requires_grad=True)
>>> with devgrad.autocast("cpu", dtype=devgrad.float16):
...     (x @ W).dtype, (x @ W).exp().dtype
(torch.float16, torch.float16)
"""

from __future__ import annotations

from .autocast_mode import (
    autocast,
    clear_autocast_cache,
    custom_bwd,
    custom_fwd,
    get_autocast_dtype,
    is_autocast_available,
    is_autocast_cache_enabled,
    is_autocast_enabled,
    set_autocast_cache_enabled,
    set_autocast_dtype,
    set_autocast_enabled,
)
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
