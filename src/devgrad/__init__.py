"""devgrad: PyTorch's autograd on plain arrays."""
from .ops import FUNCTIONS as _F
globals().update(_F[""])
from ._tensor import Tensor
