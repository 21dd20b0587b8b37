"""Instance normalisation."""

from __future__ import annotations

import warnings
from typing import Any

from ..._tensor import Tensor
from ...device import user_stacklevel
from .. import functional as F
from .batchnorm import _LazyNormBase, _NormBase

__all__ = [
    "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LazyInstanceNorm1d",
    "LazyInstanceNorm2d", "LazyInstanceNorm3d",
]  # fmt: skip


class _InstanceNorm(_NormBase):
    """Each channel of each sample brought to mean 0 and variance 1."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = False, track_running_stats: bool = False, device: Any = None,
        dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any],
        strict: bool, missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str],
    ) -> None:  # fmt: skip
        if local_metadata.get("version") is None and not self.track_running_stats:
            names = [f"{prefix}{name}" for name in ("running_mean", "running_var")]
            found = [name for name in names if name in state_dict]
            if found:
                title, names = type(self).__name__, [f'"{name}"' for name in found]
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {' and '.join(names)} for {title} with "
                    "track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, "
                    f"this may be expected because {title} does not track running stats by default "
                    "since 0.4.0. Please remove these keys from state_dict. If the running stats "
                    f"are actually needed, instead set track_running_stats=True in {title} to "
                    f"enable them. See the documentation of {title} for details."
                )
                for name in found:
                    del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys,
                                      unexpected_keys, error_msgs)  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """The input, normalised."""
        self._check_input_dim(input)
        alone = input.ndim == self._ndims[0]
        dim = 0 if alone else 1
        if input.shape[dim] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={dim} to match num_features "
                    f"({self.num_features}), but got: {input.shape[dim]}."
                )
            warnings.warn(
                f"input's size at dim={dim} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
                stacklevel=user_stacklevel(),
            )
        output: Tensor = F.instance_norm(
            input.unsqueeze(0) if alone else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return output.squeeze(0) if alone else output


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of ``(N, C, L)`` or ``(C, L)``. See `InstanceNorm2d`.

    >>> import devgrad
    >>> devgrad.nn.InstanceNorm1d(1)(devgrad.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    """

    _ndims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of images, ``(N, C, H, W)`` or ``(C, H, W)``.

    Args:
        num_features: the number of channels.
        eps: added to the variance.
        momentum: the share of the batch's statistics in the running ones.
        affine: whether there is a scale (``weight``) and a shift (``bias``).
        track_running_stats: whether there are running statistics, used in evaluation.
        device, dtype: of parameters and buffers.
        bias: whether there is a shift.

    Raises:
        ValueError: the input has another number of dimensions or channels.
    """

    _ndims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of volumes, ``(N, C, D, H, W)``. See `InstanceNorm2d`."""

    _ndims = (4, 5)


class LazyInstanceNorm1d(_LazyNormBase, InstanceNorm1d):
    """An `InstanceNorm1d` that takes ``num_features`` from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNormBase, InstanceNorm2d):
    """An `InstanceNorm2d` that takes ``num_features`` from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNormBase, InstanceNorm3d):
    """An `InstanceNorm3d` that takes ``num_features`` from its first input."""

    cls_to_become = InstanceNorm3d
