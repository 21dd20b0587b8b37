"""Files in memory, of `devgrad.save` and of ``torch.save``."""

from __future__ import annotations

import io
from typing import Any

import devgrad

__all__ = ["by_torch", "loaded", "saved"]


def saved(obj: Any) -> bytes:
    file = io.BytesIO()
    devgrad.save(obj, file)
    return file.getvalue()


def loaded(data: bytes, **options: Any) -> Any:
    return devgrad.load(io.BytesIO(data), **options)


def by_torch(torch: Any, obj: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(obj, file, **options)
    return file.getvalue()
