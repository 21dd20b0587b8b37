"""The grad modes under PyTorch's name for their module, ``torch.autograd.grad_mode``."""

from __future__ import annotations

from ._modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled",
           "set_multithreading_enabled"]  # fmt: skip


class set_multithreading_enabled:
    """Accepted, and without effect: a backward pass runs in the thread that asked for it."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass
