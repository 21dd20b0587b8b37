"""The layers of ``devgrad.nn``, a file for each family."""

from __future__ import annotations

from . import activation, container, distance, dropout, flatten, linear, loss
from .activation import *  # noqa: F403
from .container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .distance import *  # noqa: F403
from .dropout import *  # noqa: F403
from .flatten import Flatten, Unflatten
from .linear import Bilinear, Identity, Linear
from .loss import *  # noqa: F403
from .module import Module

__all__ = [
    *activation.__all__, *container.__all__, *distance.__all__, *dropout.__all__,
    *flatten.__all__, *linear.__all__, *loss.__all__, "Module",
]  # fmt: skip
