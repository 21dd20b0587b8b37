"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ..._tensor import Tensor
from ..._types import typename
from ...ops import FUNCTIONS

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters in one vector, recorded.

    Raises:
        TypeError: the parameters are on different devices.

    >>> import devgrad as torch
    >>> torch.nn.utils.parameters_to_vector([torch.ones(1, 2), torch.zeros(1)])
    tensor([1., 1., 0.])
    """
    given = list(parameters)
    _check_devices(given)
    vector: Tensor = FUNCTIONS[""]["cat"]([param.view(-1) for param in given])
    return vector


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the elements of a vector, whose memory they then share.

    Raises:
        TypeError: ``vec`` is no tensor, or the parameters are on different devices.

    >>> import devgrad as torch
    >>> w = torch.zeros(2, 1)
    >>> torch.nn.utils.vector_to_parameters(torch.tensor([1.0, 2.0]), [w])
    >>> w
    tensor([[1.],
            [2.]])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    given = list(parameters)
    _check_devices(given)
    start = 0
    for param in given:
        end = start + param.numel()
        param.data = vec[start:end].view(param.shape).data
        start = end


def _check_devices(parameters: list[Tensor]) -> None:
    if len({param.device for param in parameters}) > 1:
        raise TypeError(
            "Found two parameters on different devices, this is currently not supported."
        )
